//! The benchmark of `benches/maps`, which has libbpf inside and is therefore a workspace of its own.

use super::{Figure, programs};
use crate::{error::Result, process, setup};

pub(super) fn run() -> Result<Vec<Figure>> {
    setup::libbpf_source("to build libbpf, which maps are measured beside")?;
    let folder = programs::folder()?;
    programs::c_object(&folder, "records")?;
    programs::object(&folder, "records")?;
    let target = process::target_dir().join("bench-maps");
    let mut cargo = process::cargo();
    cargo
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg(process::workspace().join("benches/maps/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target);
    process::run(&mut cargo)?;
    let program = target.join("release/aya-benches-maps");
    programs::figures(process::as_root(&program.to_string_lossy())?.arg(&folder))
}
