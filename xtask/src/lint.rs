//! `cargo xtask lint`: formatting, clippy and rustdoc, every warning an error.

use crate::{args::Args, error::Result, process};

pub(crate) fn run(args: Args) -> Result<()> {
    args.finish()?;
    println!("xtask: checking the format");
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
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
