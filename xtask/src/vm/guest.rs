//! Executables for guests: linked statically, because a guest has no libraries.

use std::path::PathBuf;

use crate::{
    error::{Error, Result},
    process,
};

/// The host's own target: only what is linked differs, so that nothing has to be installed.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Packages that are optimised: those that have most to do (finding a symbol among many, say), and
/// emulation makes slow code ten times as slow.
const OPTIMISED: [&str; 4] = ["aya", "aya-obj", "aya-sys", "object"];

/// `cargo VERB` for static executables, in a target folder of its own so that neither build undoes
/// the other's work.
pub(crate) fn cargo(verb: &str) -> std::process::Command {
    let mut command = process::cargo();
    command
        .arg(verb)
        .args(["--quiet", "--target", TARGET])
        .env("CARGO_TARGET_DIR", target_dir())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // Guests have their files in memory.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // Tests put probes on functions of their own, by name.
        .env("CARGO_PROFILE_DEV_STRIP", "debuginfo")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    for package in OPTIMISED {
        command.args([
            "--config",
            &format!("profile.dev.package.\"{package}\".opt-level=2"),
        ]);
    }
    command
}

fn target_dir() -> PathBuf {
    process::target_dir().join("guest")
}

/// Builds the executables of packages and returns the folder they are in.
pub(crate) fn build(packages: &[impl AsRef<str>]) -> Result<PathBuf> {
    build_in(packages, &[])
}

/// The same with variables in cargo's environment.
pub(crate) fn build_in(
    packages: &[impl AsRef<str>],
    environment: &[(&str, PathBuf)],
) -> Result<PathBuf> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err(Error::new(
            "guests are x86-64 Linux ones, and this machine is not",
        ));
    }
    let mut cargo = cargo("build");
    cargo.arg("--bins").envs(environment.iter().cloned());
    for package in packages {
        cargo.args(["--package", package.as_ref()]);
    }
    process::run(&mut cargo)?;
    Ok(target_dir().join(TARGET).join("debug"))
}

/// The guest's first process.
pub(super) fn init() -> Result<PathBuf> {
    Ok(build(&["aya-guest-init"])?.join("aya-guest-init"))
}
