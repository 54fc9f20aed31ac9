//! `cargo xtask miri`: the readers and writers of shared memory under Miri, with simulated kernels.
//!
//! Miri is part of nightly Rust alone, which comes from rustup. Where there is none, and none can be
//! installed, nothing is checked and the command says so.

use std::process::Command;

use crate::{args::Args, error::Result, process};

/// The tests whose names have one of these in them.
const TESTS: &[&str] = &["simulation", "maps::guess"];

pub(crate) fn run(args: Args) -> Result<()> {
    args.finish()?;
    if !has_miri() {
        install();
    }
    if !has_miri() {
        println!(
            "SKIP: miri: needs a nightly toolchain with Miri: `rustup toolchain install nightly \
             --profile minimal --component miri --component rust-src`"
        );
        return Ok(());
    }
    // Of the toolchain's own: this command's is another one.
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(process::workspace())
        .args(["+nightly", "miri", "test", "--package", "aya", "--lib"])
        .arg("--target-dir")
        .arg(process::target_dir().join("miri"))
        .arg("--")
        .args(TESTS)
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN");
    process::run(&mut cargo)
}

fn has_miri() -> bool {
    let mut cargo = Command::new("cargo");
    cargo.args(["+nightly", "miri", "--version"]);
    cargo.env_remove("RUSTUP_TOOLCHAIN");
    process::output(&mut cargo).is_ok()
}

fn install() {
    if process::find("rustup").is_none() {
        return;
    }
    println!("xtask: installing nightly Rust with Miri (it finds reads that race with writes)");
    let mut rustup = Command::new("rustup");
    rustup.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
    rustup.args(["--component", "miri", "--component", "rust-src"]);
    if let Err(error) = process::run(&mut rustup) {
        println!("xtask: {error}");
    }
}
