//! Chooses the toolchain and the mode: the first of each that works.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use aya_linker::Compiler;

use crate::Toolchain;

/// How eBPF code is had from rustc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Compiled for the host, retargeted by the linker.
    Donor,
    /// Compiled for `bpfel-unknown-none` or `bpfeb-unknown-none`.
    Native,
}

/// The hosts on which donor mode was tried.
const DONORS: &[&str] = &["x86_64-unknown-linux-gnu"];

/// A toolchain and a mode that work together.
pub(crate) struct Setup {
    pub(crate) cargo: PathBuf,
    pub(crate) compiler: Compiler,
    /// rustup's name of it.
    pub(crate) name: Option<String>,
    pub(crate) mode: Mode,
}

impl Setup {
    /// The triple to compile for.
    pub(crate) fn target(&self) -> &str {
        match self.mode {
            Mode::Donor => &self.compiler.host,
            Mode::Native if env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() == Ok("big") => {
                "bpfeb-unknown-none"
            }
            Mode::Native => "bpfel-unknown-none",
        }
    }

    pub(crate) fn describe(&self) -> String {
        let mode = match self.mode {
            Mode::Donor => "donor",
            Mode::Native => "native",
        };
        format!(
            "{mode} mode, rustc {} at {}",
            self.compiler.release,
            self.compiler.rustc.display()
        )
    }
}

/// Where a toolchain could be.
struct Candidate {
    label: String,
    cargo: PathBuf,
    rustc: PathBuf,
    name: Option<String>,
}

/// Chooses for `AYA_EBPF_MODE` and the caller's wish.
///
/// # Errors
/// None works: the error lists what each one lacks.
pub(crate) fn choose(wish: Toolchain<'_>) -> Result<Setup> {
    let modes: &[Mode] = match env::var("AYA_EBPF_MODE").as_deref() {
        Err(_) | Ok("" | "auto") => &[Mode::Donor, Mode::Native],
        Ok("donor") => &[Mode::Donor],
        Ok("native") => &[Mode::Native],
        Ok(other) => {
            bail!("AYA_EBPF_MODE: unknown value {other:?}; set it to donor, native or auto")
        }
    };
    let big = env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() == Ok("big");
    let mut refusals = Vec::new();
    for &mode in modes {
        for group in [preferred, others] {
            for candidate in group(wish) {
                match try_candidate(&candidate, mode, big) {
                    Ok(compiler) => {
                        if modes.len() > 1 && mode == Mode::Native {
                            println!(
                                "cargo:warning=eBPF is built in native mode: donor mode was not tried on {}",
                                compiler.host
                            );
                        }
                        if let Some(name) = wanted()
                            && let Some(reason) = passed_over(&name, &candidate, &refusals)
                        {
                            println!(
                                "cargo:warning=AYA_TOOLCHAIN: {name} {reason}; eBPF is built with {} instead",
                                candidate.label
                            );
                        }
                        return Ok(Setup {
                            cargo: candidate.cargo,
                            compiler,
                            name: candidate.name,
                            mode,
                        });
                    }
                    Err(reason) => refusals.push(format!("  {}: {reason}", candidate.label)),
                }
            }
        }
    }
    refusals.dedup();
    bail!("eBPF toolchain: none that works:\n{}", refusals.join("\n"))
}

fn try_candidate(candidate: &Candidate, mode: Mode, big: bool) -> Result<Compiler, String> {
    let compiler = Compiler::ask(&candidate.rustc).map_err(|_| "no rustc there".to_owned())?;
    let at = candidate
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" --toolchain {name}"));
    if !compiler.is_supported() {
        return Err(format!(
            "LLVM {} is not supported; `rustup update stable`",
            compiler.llvm_major
        ));
    }
    compiler.llvm().map_err(|error| error.to_string())?;
    let rustlib = compiler.sysroot.join("lib/rustlib");
    match mode {
        Mode::Donor if big => Err("donor mode has no big-endian eBPF; set AYA_EBPF_MODE=native".to_owned()),
        Mode::Donor if !DONORS.contains(&compiler.host.as_str()) => {
            Err(format!("donor mode was not tried on {}; set AYA_EBPF_MODE=native", compiler.host))
        }
        Mode::Donor if !rustlib.join(&compiler.host).join("lib").is_dir() => {
            Err(format!("no standard library; `rustup target add {}{at}`", compiler.host))
        }
        Mode::Native if !rustlib.join("src/rust/library/core/Cargo.toml").is_file() => Err(match candidate.name {
            Some(_) => format!("native mode needs rust-src; `rustup component add rust-src{at}`"),
            None => "native mode needs rust-src; `rustup component add rust-src`, or on Debian `apt install rust-web-src`"
                .to_owned(),
        }),
        _ => Ok(compiler),
    }
}

/// The toolchain that the environment asks for.
fn wanted() -> Option<String> {
    env::var("AYA_TOOLCHAIN")
        .ok()
        .filter(|name| !name.is_empty())
}

/// Why the toolchain that the environment asks for is not the one that was chosen, if so.
fn passed_over(name: &str, chosen: &Candidate, refusals: &[String]) -> Option<String> {
    let is_it = |label: &str| label == name || label == format!("toolchain {name}");
    if is_it(&chosen.label) {
        return None;
    }
    let reason = refusals.iter().find_map(|refusal| {
        let (label, reason) = refusal.trim().split_once(": ")?;
        is_it(label).then(|| format!("cannot be used ({reason})"))
    });
    Some(reason.unwrap_or_else(|| "is not installed".to_owned()))
}

/// The caller's toolchain, the environment's, and the one that cargo runs with.
fn preferred(wish: Toolchain<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    match wish {
        Toolchain::Auto => {}
        Toolchain::Nightly => found.extend(named("nightly")),
        Toolchain::Custom(name) => found.extend(named(name)),
    }
    if let Some(name) = wanted() {
        found.extend(named(&name));
    }
    let program = |variable: &str, default: &str| {
        PathBuf::from(env::var_os(variable).unwrap_or_else(|| OsString::from(default)))
    };
    found.push(Candidate {
        label: "cargo's own toolchain".to_owned(),
        cargo: program("CARGO", "cargo"),
        rustc: program("RUSTC", "rustc"),
        name: env::var("RUSTUP_TOOLCHAIN").ok(),
    });
    found
}

/// rustup's other toolchains and the distribution's.
fn others(_: Toolchain<'_>) -> Vec<Candidate> {
    let list = output("rustup", &["toolchain", "list", "--quiet"]).unwrap_or_default();
    let mut found: Vec<Candidate> = list.lines().filter_map(|name| named(name.trim())).collect();
    found.push(in_directory(
        Path::new("/usr"),
        "the distribution's toolchain",
    ));
    found
}

/// A toolchain by rustup's name or by directory.
fn named(name: &str) -> Option<Candidate> {
    if name.contains('/') {
        return Some(in_directory(Path::new(name), name));
    }
    let which = |program: &str| {
        output("rustup", &["which", "--toolchain", name, program])
            .map(|path| PathBuf::from(path.trim()))
    };
    Some(Candidate {
        label: format!("toolchain {name}"),
        cargo: which("cargo")?,
        rustc: which("rustc")?,
        name: Some(name.to_owned()),
    })
}

fn in_directory(directory: &Path, label: &str) -> Candidate {
    let bin = directory.join("bin");
    Candidate {
        label: label.to_owned(),
        cargo: bin.join("cargo"),
        rustc: bin.join("rustc"),
        name: None,
    }
}

/// What a program prints, if it succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_that_is_passed_over_is_named() {
        let chosen = in_directory(Path::new("/usr"), "the distribution's toolchain");
        let refusals = ["  toolchain old: LLVM 17 is not supported".to_owned()];
        let told = |name| passed_over(name, &chosen, &refusals);
        assert_eq!(
            told("old").as_deref(),
            Some("cannot be used (LLVM 17 is not supported)")
        );
        assert_eq!(told("nonsense").as_deref(), Some("is not installed"));
        assert_eq!(told("the distribution's toolchain"), None);
    }

    #[test]
    fn what_is_missing_comes_with_its_fix() {
        let nowhere = in_directory(Path::new("/nowhere"), "x");
        assert_eq!(
            try_candidate(&nowhere, Mode::Donor, false).err().as_deref(),
            Some("no rustc there")
        );
        let mut own = in_directory(Path::new("/nowhere"), "own");
        own.rustc = PathBuf::from("rustc");
        own.name = Some("mine".to_owned());
        let big = try_candidate(&own, Mode::Donor, true)
            .err()
            .unwrap_or_default();
        assert!(big.contains("AYA_EBPF_MODE=native"), "{big}");
        // with or without the component: either it works, or the fix names it
        if let Err(reason) = try_candidate(&own, Mode::Native, false) {
            assert!(
                reason.contains("`rustup component add rust-src --toolchain mine`"),
                "{reason}"
            );
        }
    }
}
