//! `cargo xtask setup`: installs what some of the other commands need, each thing named before.
//!
//! Nothing of this is needed to build and run eBPF programs in donor mode, and the commands that do
//! need a part of it install it themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    args::Args,
    error::{Context as _, Error, Result},
    process,
};

/// Programs that a package brings.
const TOOLS: &[(&str, &str, &str)] = &[
    (
        "qemu-system-x86_64",
        "qemu-system-x86",
        "to run kernels in a virtual machine",
    ),
    (
        "bpftool",
        "bpftool",
        "to have libbpf load our objects in tests",
    ),
];

pub(crate) fn run(args: Args) -> Result<()> {
    args.finish()?;
    for (program, package, why) in TOOLS {
        process::need(program, package, why)?;
    }
    clang("for benchmarks against C, for codegen, and for tests with C programs")?;
    if !Path::new("/usr/include/bpf/bpf.h").is_file() {
        process::install_packages(&["libbpf-dev"], "for benchmarks against libbpf")?;
    }
    libbpf_source("to build libbpf for benchmarks")?;
    native_toolchain()?;
    cargo_generate()?;
    println!("xtask: everything is there");
    Ok(())
}

/// What makes a project of a template, in the version that tests are made with.
pub(crate) fn cargo_generate() -> Result<PathBuf> {
    const VERSION: &str = "0.25.0";
    let root = process::target_dir().join("tools").join(VERSION);
    let program = root.join("bin/cargo-generate");
    if program.is_file() {
        return Ok(program);
    }
    println!(
        "xtask: installing cargo-generate {VERSION} into target/tools, for the template's tests"
    );
    let mut cargo = process::cargo();
    cargo
        .args(["install", "--quiet", "cargo-generate", "--version", VERSION])
        // Its lock file asks for a newer compiler than it needs; its git client is most of its code.
        .args(["--locked", "--ignore-rust-version", "--no-default-features"])
        .args(["--debug", "--root"])
        .arg(&root)
        .env("CARGO_TARGET_DIR", root.join("build"));
    process::run(&mut cargo)?;
    fs::remove_dir_all(root.join("build")).context(root.display())?;
    Ok(program)
}

/// The newest clang on this machine; one is installed where there is none.
pub(crate) fn clang(why: &str) -> Result<PathBuf> {
    const PREFERRED: &str = "clang-19";
    let numbered = (14..=30).rev().map(|version| format!("clang-{version}"));
    let found = numbered
        .chain(["clang".to_owned()])
        .find_map(|name| process::find(&name));
    match found {
        Some(clang) => Ok(clang),
        // Older distributions have it under its plain name only.
        None => process::need(PREFERRED, PREFERRED, why)
            .or_else(|_| process::need("clang", "clang", why)),
    }
}

/// What the source of libbpf is built with.
pub(crate) fn libbpf_source(why: &str) -> Result<()> {
    for (program, package) in [
        ("cc", "gcc"),
        ("make", "make"),
        ("pkg-config", "pkg-config"),
    ] {
        process::need(program, package, why)?;
    }
    for (header, package) in [("libelf.h", "libelf-dev"), ("zlib.h", "zlib1g-dev")] {
        if !Path::new("/usr/include").join(header).is_file() {
            process::install_packages(&[package], why)?;
        }
    }
    Ok(())
}

/// What tests compare with: C programs, and libbpf as the loader of our objects. They skip without it.
pub(crate) fn peers() {
    const WHY: &str = "tests hold ours against C programs and libbpf";
    let clang = clang(WHY).map(drop);
    for result in [clang, process::need("bpftool", "bpftool", WHY).map(drop)] {
        if let Err(error) = result {
            println!("xtask: {error}; the tests that need it will be skipped");
        }
    }
}

/// Makes sure that some Rust toolchain can build `core` for BPF: one with `rust-src`.
pub(crate) fn native_toolchain() -> Result<()> {
    if has_rust_src("rustc") || has_distribution_rust() {
        return Ok(());
    }
    const WHY: &str = "native mode builds `core` for BPF";
    if process::find("rustup").is_some() {
        println!("xtask: installing the rustup component rust-src ({WHY})");
        let mut rustup = Command::new("rustup");
        match process::run(rustup.args(["component", "add", "rust-src"])) {
            Ok(()) if has_rust_src("rustc") => return Ok(()),
            Ok(()) => println!("xtask: rustup added rust-src to another toolchain than rustc's"),
            Err(error) => println!("xtask: {error}"),
        }
    }
    process::install_packages(&["rustc-web", "rust-web-src", "cargo-web"], WHY)?;
    if has_distribution_rust() {
        Ok(())
    } else {
        Err(Error::new(
            "no Rust toolchain with its source: run `rustup component add rust-src`",
        ))
    }
}

/// Mounts the BPF file system where the kernel has a place for it and this is root: tests of pins on this
/// machine's own kernel need it.
pub(crate) fn bpf_file_system() {
    const PLACE: &str = "/sys/fs/bpf";
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounted = mounts
        .lines()
        .any(|line| line.split_whitespace().nth(1) == Some(PLACE));
    if mounted || !process::is_root() || !Path::new(PLACE).is_dir() {
        return;
    }
    println!("xtask: mounting the BPF file system at {PLACE}");
    let status = Command::new("mount")
        .args(["-t", "bpf", "bpf", PLACE])
        .status();
    if !status.is_ok_and(|status| status.success()) {
        println!("xtask: that failed: tests of pins on this machine will be skipped");
    }
}

/// The distribution's Rust, whatever else comes first on the search path.
fn has_distribution_rust() -> bool {
    has_rust_src("/usr/bin/rustc")
}

/// True if a compiler's sysroot holds the source of `core`.
fn has_rust_src(rustc: &str) -> bool {
    process::output(Command::new(rustc).args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(sysroot.trim())
            .join("lib/rustlib/src/rust/library/core/src/lib.rs")
            .is_file()
    })
}
