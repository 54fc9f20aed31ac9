//! How long a user waits: building from nothing, building again, linking.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Figure,
    measure::{repeated, seconds},
};
use crate::{
    error::{Context as _, Error, Result},
    process,
};

const ROUNDS: usize = 5;

pub(super) fn run() -> Result<Vec<Figure>> {
    // The registry's cache is to be warm: what is measured is not the network.
    process::run(process::cargo().args(["fetch", "--quiet"]))?;
    let dir = process::target_dir().join("bench-build");
    let figure = |what: &str, value, bar| Figure {
        what: what.to_owned(),
        value,
        unit: "s".to_owned(),
        bar,
    };
    Ok(vec![
        figure(
            "the crate aya, release, from nothing",
            cold(&dir, "aya")?,
            12.0,
        ),
        figure(
            "the example xdp-hello, both sides, release, from nothing",
            cold(&dir, "xdp-hello")?,
            45.0,
        ),
        figure(
            "the same after a change of its eBPF source",
            again(&dir, "release")?,
            2.0,
        ),
        figure(
            "the same as a developer builds it, without --release",
            again(&dir, "dev")?,
            2.0,
        ),
        figure("linking xdp-log", link(&dir)?, 1.5),
    ])
}

fn build(dir: &Path, profile: &str, package: &str) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--offline"]);
    cargo.args(["--profile", profile, "--package", package]);
    process::run(
        cargo
            .env("CARGO_TARGET_DIR", dir)
            .env("AYA_EBPF_MODE", "donor"),
    )
}

fn cold(dir: &Path, package: &str) -> Result<f64> {
    if dir.exists() {
        fs::remove_dir_all(dir).context(dir.display())?;
    }
    seconds(|| build(dir, "release", package))
}

/// After the source file got a new time stamp, which is how cargo sees changes.
fn again(dir: &Path, profile: &str) -> Result<f64> {
    build(dir, profile, "xdp-hello")?;
    let source = process::workspace().join("examples/xdp-hello/xdp-hello-ebpf/src/main.rs");
    repeated(ROUNDS, || {
        let file = fs::File::options()
            .append(true)
            .open(&source)
            .context(source.display())?;
        file.set_modified(std::time::SystemTime::now())
            .context(source.display())?;
        seconds(|| build(dir, profile, "xdp-hello"))
    })
}

/// From bitcode to object, by the linker as a program of its own.
fn link(dir: &Path) -> Result<f64> {
    build(dir, "release", "xdp-log")?;
    build(dir, "release", "aya-linker")?;
    let bitcode = bitcode_of(&dir.join("release/aya-ebpf/donor/bitcode"), "xdp-log")?;
    let object = dir.join("xdp-log.o");
    repeated(ROUNDS, || {
        let mut linker = Command::new(dir.join("release/aya-linker"));
        linker.arg(&bitcode).arg("-o").arg(&object);
        seconds(|| process::output(&mut linker).map(|_| ()))
    })
}

fn bitcode_of(dir: &Path, name: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(dir).context(dir.display())? {
        let path = entry.context(dir.display())?.path();
        if path
            .file_name()
            .is_some_and(|file| file.to_string_lossy().starts_with(name))
        {
            return Ok(path);
        }
    }
    Err(Error::new(format!(
        "{}: no bitcode of {name}",
        dir.display()
    )))
}
