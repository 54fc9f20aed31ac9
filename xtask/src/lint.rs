//! `cargo xtask lint`: formatting, clippy and rustdoc, every warning an error.

use crate::{args::Args, build_ebpf, error::Result, process};

pub(crate) fn run(args: Args) -> Result<()> {
    args.finish()?;
    println!("xtask: checking the format");
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    // A workspace of its own.
    let maps = process::workspace().join("benches/maps/Cargo.toml");
    let mut fmt = process::cargo();
    process::run(fmt.args(["fmt", "--check", "--manifest-path"]).arg(maps))?;
    println!("xtask: clippy");
    let clippy = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    process::run(process::cargo().args(clippy))?;
    println!("xtask: clippy on the eBPF programs as they are compiled");
    ebpf()?;
    println!("xtask: rustdoc");
    let doc = [
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    process::run(
        process::cargo()
            .args(doc)
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// The flags are those of `aya_build` that decide which code there is; the target folder is one of its
/// own, because flags for one are not for the other.
fn ebpf() -> Result<()> {
    let mut clippy = process::cargo();
    clippy.args(["clippy", "--quiet", "--bins"]);
    for package in build_ebpf::packages()? {
        clippy.args(["--package", &package.name]);
    }
    clippy
        .args(["--", "-D", "warnings"])
        .env("CARGO_TARGET_DIR", process::target_dir().join("ebpf-lint"))
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .env(
            "RUSTFLAGS",
            "--cfg aya_ebpf --cfg bpf_target_arch=\"x86_64\"",
        )
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::run(&mut clippy)
}
