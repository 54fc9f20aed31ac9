//! Build eBPF programs from a build script.
//!
//! ```no_run
//! // build.rs of the user-space crate
//! use aya_build::{Package, Toolchain};
//!
//! fn main() -> aya_build::Result<()> {
//!     let ebpf = Package { name: "my-ebpf", root_dir: "../my-ebpf", ..Default::default() };
//!     aya_build::build_ebpf([ebpf], Toolchain::default())
//! }
//! ```
//!
//! Every binary of the package is compiled, linked by [`aya_linker`] inside the build script, and lies
//! in `$OUT_DIR/<name of the binary>` afterwards. Nothing but Rust has to be installed.
//!
//! There are two ways to get eBPF code out of rustc. **Donor mode** compiles for the host and retargets
//! the bitcode: plain stable is enough. **Native mode** compiles for `bpfel-unknown-none` and needs the
//! component `rust-src`. These variables of the environment choose:
//!
//! | variable | values |
//! | --- | --- |
//! | `AYA_EBPF_MODE` | `donor`, `native`, `auto` (donor where it was tried, else native) |
//! | `AYA_TOOLCHAIN` | a rustup toolchain, or a directory with `bin/cargo` and `bin/rustc` |
//! | `AYA_EBPF_PANICS` | `leave` (the program, with its safe value), `list` them, `refuse` them |
#![forbid(unsafe_code)]

mod cargo;
mod toolchain;

use std::env;
use std::path::{Path, PathBuf};

pub use anyhow::Result;
use anyhow::{Context, anyhow, bail};
use aya_linker::{Options, Panics};

use crate::toolchain::Setup;

/// An eBPF package to build.
#[derive(Clone, Copy, Debug, Default)]
pub struct Package<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its directory, relative to the one of the package with the build script.
    pub root_dir: &'a str,
    /// Build it without its default features.
    pub no_default_features: bool,
    /// Features to build it with.
    pub features: &'a [&'a str],
}

/// The Rust toolchain to build with. One that cannot be used gives way to the next: the caller's,
/// `AYA_TOOLCHAIN`, the one that cargo runs with, rustup's others, the distribution's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Toolchain<'a> {
    /// Whatever works.
    #[default]
    Auto,
    /// rustup's nightly.
    Nightly,
    /// A rustup toolchain by name, or a directory with `bin/cargo` and `bin/rustc`.
    Custom(&'a str),
}

/// The values that `cfg(bpf_target_arch)` can have.
const ARCHITECTURES: &str =
    r#""aarch64","arm","loongarch64","mips","mips64","powerpc64","riscv64","s390x","x86_64""#;

/// Builds the binaries of the packages as eBPF objects, to be called from a build script.
///
/// # Errors
/// No usable toolchain, with the command that brings one; what cargo says about the source; what
/// [`aya_linker`] says about the program. Findings with a source line are also shown as cargo's errors.
pub fn build_ebpf<'a>(
    packages: impl IntoIterator<Item = Package<'a>>,
    toolchain: Toolchain<'a>,
) -> Result<()> {
    for name in ["AYA_EBPF_MODE", "AYA_TOOLCHAIN", "AYA_EBPF_PANICS"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let out = PathBuf::from(
        env::var_os("OUT_DIR").context("OUT_DIR: not set; call build_ebpf from a build script")?,
    );
    let panics = match env::var("AYA_EBPF_PANICS").as_deref() {
        Err(_) | Ok("" | "leave") => Panics::Leave,
        Ok("list") => Panics::List,
        Ok("refuse") => Panics::Refuse,
        Ok(other) => {
            bail!("AYA_EBPF_PANICS: unknown value {other:?}; set it to leave, list or refuse")
        }
    };
    let setup = toolchain::choose(toolchain)?;
    for package in packages {
        build_package(&package, &setup, panics, &out).with_context(|| {
            format!("{}: eBPF build failed ({})", package.name, setup.describe())
        })?;
    }
    Ok(())
}

fn build_package(package: &Package<'_>, setup: &Setup, panics: Panics, out: &Path) -> Result<()> {
    let manifest = Path::new(package.root_dir).join("Cargo.toml");
    for watched in ["src", "Cargo.toml"] {
        println!(
            "cargo:rerun-if-changed={}",
            Path::new(package.root_dir).join(watched).display()
        );
    }
    let binaries = cargo::binaries(setup, &manifest, package.name)?;
    if binaries.is_empty() {
        bail!("the package has no binary; add src/main.rs");
    }
    for binary in binaries {
        let (bitcode, warnings) = cargo::compile(setup, &manifest, package, &binary, out)?;
        let mut options = Options::default();
        options.rustc.clone_from(&setup.compiler.rustc);
        options.llvm = Some(setup.compiler.llvm()?);
        options.panics = panics;
        options.arch = architecture();
        match aya_linker::link(&[bitcode], &out.join(&binary), &options) {
            Ok(report) => {
                // where linking fails, they would bury the reason
                let found = report.warnings.iter().map(ToString::to_string);
                for warning in warnings.into_iter().chain(found) {
                    println!("cargo:warning={warning}");
                }
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    println!("cargo::error={binary}: {line}");
                }
                return Err(anyhow!(error).context(format!("{binary}: linking failed")));
            }
        }
    }
    Ok(())
}

/// Sets `cfg(bpf_target_arch = "…")` for an eBPF crate from its own build script, and declares it and
/// `cfg(aya_ebpf)`. Under [`build_ebpf`] it is set already, to the architecture of the user-space side.
///
/// # Errors
/// Outside of a build script.
pub fn emit_bpf_target_arch_cfg() -> Result<()> {
    println!("cargo:rustc-check-cfg=cfg(aya_ebpf)");
    println!("cargo:rustc-check-cfg=cfg(bpf_target_arch,values({ARCHITECTURES}))");
    if env::var_os("CARGO_CFG_BPF_TARGET_ARCH").is_some() {
        return Ok(());
    }
    let target = env::var("CARGO_CFG_TARGET_ARCH")
        .context("CARGO_CFG_TARGET_ARCH: not set; call this from a build script")?;
    let arch = if target == "bpf" {
        let host = env::var("HOST").context("HOST: not set; call this from a build script")?;
        host.split('-').next().unwrap_or_default().to_owned()
    } else {
        target
    };
    println!("cargo:rustc-cfg=bpf_target_arch=\"{arch}\"");
    Ok(())
}

/// The user-space side's architecture, whose kernel runs the programs.
fn architecture() -> String {
    env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_else(|_| env::consts::ARCH.to_owned())
}

/// The flags that all eBPF code is compiled with.
fn rustc_flags() -> Vec<String> {
    let arch = architecture();
    vec![
        // nothing is linked: the bitcode is taken
        "-Clinker=true".to_owned(),
        // the linker optimises, for eBPF; the host's unrolling and vectors would stay in the code
        "-Cno-prepopulate-passes".to_owned(),
        "--cfg=aya_ebpf".to_owned(),
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "--check-cfg=cfg(aya_ebpf)".to_owned(),
        format!("--check-cfg=cfg(bpf_target_arch,values({ARCHITECTURES}))"),
    ]
}
