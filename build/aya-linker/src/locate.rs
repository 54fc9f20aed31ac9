//! Finds the LLVM library that belongs to a rustc.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Smaller files of that name are linker scripts that stand for the library.
const SMALLEST: u64 = 1 << 20;

/// A rustc, as it describes itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Compiler {
    /// The program.
    pub rustc: PathBuf,
    /// Its version, as `1.95.0`.
    pub release: String,
    /// The triple it runs on and compiles for by default.
    pub host: String,
    /// The major version of its LLVM, as it says.
    pub llvm_major: String,
    /// Where its libraries are.
    pub sysroot: PathBuf,
}

impl Compiler {
    /// Asks a rustc.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be run.
    pub fn ask(rustc: &Path) -> Result<Self, Error> {
        let version = run(rustc, &["-vV"])?;
        let field = |name: &str| {
            let value = version
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.unwrap_or_default().to_owned()
        };
        Ok(Self {
            rustc: rustc.to_owned(),
            release: field("release"),
            host: field("host"),
            llvm_major: field("LLVM version")
                .split('.')
                .next()
                .unwrap_or_default()
                .to_owned(),
            sysroot: PathBuf::from(run(rustc, &["--print=sysroot"])?.trim()),
        })
    }

    /// Its LLVM library: of the major version that it reports, from its own directory or, for a
    /// distribution's compiler, from where the system keeps libraries.
    ///
    /// # Errors
    /// [`Error::LlvmNotFound`] with the places searched.
    pub fn llvm(&self) -> Result<PathBuf, Error> {
        let multiarch = self.host.replacen("-unknown", "", 1);
        let lib = self.sysroot.join("lib");
        let searched = vec![
            lib.clone(),
            lib.join(&multiarch),
            self.sysroot.join("lib64"),
            PathBuf::from(format!("/usr/lib/llvm-{}/lib", self.llvm_major)),
        ];
        searched
            .iter()
            .find_map(|place| library_in(place, &self.llvm_major))
            .ok_or(Error::LlvmNotFound { searched })
    }

    /// Does the linker know this version of LLVM?
    pub fn is_supported(&self) -> bool {
        self.llvm_major
            .parse()
            .is_ok_and(|major| crate::versions::find(major).is_some())
    }
}

fn library_in(directory: &Path, major: &str) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .ok()?
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| is_library(name, major))
        })
        .map(|entry| entry.path())
        .filter(|path| path.metadata().is_ok_and(|data| data.len() > SMALLEST))
        .collect();
    found.sort();
    found.pop()
}

/// `libLLVM.so.22.1…`, `libLLVM-22….so` or `libLLVM.dylib`, whose version shows only when opened.
fn is_library(name: &str, major: &str) -> bool {
    let version = match name
        .strip_prefix("libLLVM.so.")
        .or_else(|| name.strip_prefix("libLLVM-"))
    {
        Some(version) => version,
        None => return name == "libLLVM.dylib",
    };
    version
        .strip_prefix(major)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

fn run(rustc: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(rustc)
        .args(arguments)
        .output()
        .map_err(|source| Error::Read {
            path: rustc.to_owned(),
            source,
        })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::is_library;

    #[test]
    fn names_of_libraries() {
        assert!(is_library("libLLVM.so.22.1-rust-1.95.0-stable", "22"));
        assert!(is_library("libLLVM-22-rust-1.97.0-nightly.so", "22"));
        assert!(is_library("libLLVM.dylib", "22"));
        assert!(!is_library("libLLVM.so.22.1", "2"));
        assert!(!is_library("libLLVM-19.so", "22"));
        assert!(!is_library("libLTO.so.22", "22"));
    }
}
