//! The headers: fetched as a Debian package with state of our own, unpacked below `target/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::selection::HEADERS;
use crate::{
    error::{Context as _, Result},
    process, setup,
    vm::apt::Archive,
};

/// The suite whose kernel is the newest of the test matrix.
const SUITE: &str = "sid";
const PACKAGE: &str = "linux-libc-dev";

/// Unpacked UAPI headers.
pub(super) struct Headers {
    root: PathBuf,
    /// First two numbers of the kernel's version.
    pub(super) version: String,
}

impl Headers {
    /// Headers below `root/usr/include`.
    pub(super) fn unpacked(root: &Path) -> Result<Self> {
        let path = root.join("usr/include/linux/version.h");
        let text = fs::read_to_string(&path)
            .context(format_args!("no {PACKAGE} unpacked: {}", path.display()))?;
        let number = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(&format!("#define {name} ")))
                .map(str::trim)
                .ok_or(format!("{}: no {name}", path.display()))
        };
        let version = format!(
            "{}.{}",
            number("LINUX_VERSION_MAJOR")?,
            number("LINUX_VERSION_PATCHLEVEL")?
        );
        Ok(Self {
            root: root.to_owned(),
            version,
        })
    }

    /// Downloads and unpacks the package into `cache`, unless it is there.
    pub(super) fn fetch(cache: &Path) -> Result<Self> {
        let root = cache.join("root");
        if let Ok(headers) = Self::unpacked(&root) {
            return Ok(headers);
        }
        let archive = Archive::open(cache, SUITE)?;
        for package in archive.download(&[PACKAGE.to_owned()])? {
            process::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&root))?;
        }
        archive.clean()?;
        Self::unpacked(&root)
    }

    /// The text of `linux/bpf.h` or another header.
    pub(super) fn read(&self, header: &str) -> Result<String> {
        let path = self.root.join("usr/include").join(header);
        fs::read_to_string(&path).context(path.display())
    }

    /// Runs clang for the BPF target on `source` after all headers; `arch` is the kernel's name for the
    /// architecture whose `asm/` headers count.
    pub(super) fn clang(&self, arch: &str, args: &[&str], source: &str) -> Result<Vec<u8>> {
        let folder = self.root.join("generated");
        fs::create_dir_all(&folder).context(folder.display())?;
        let input = folder.join("input.c");
        let includes: String = HEADERS
            .iter()
            .map(|(header, _)| format!("#include <{header}>\n"))
            .collect();
        fs::write(&input, includes + source).context(input.display())?;
        let output = Command::new(setup::clang("to read the kernel's headers")?)
            .args(["--target=bpf", "-nostdinc", "-w"])
            .arg("-I")
            .arg(self.root.join("usr/include"))
            .arg("-I")
            .arg(self.root.join("usr/lib/linux/uapi").join(arch))
            .args(args)
            .args(["-o", "-"])
            .arg(&input)
            .output()
            .context("clang")?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("clang refuses {}:\n{said}", input.display()).into())
        }
    }
}
