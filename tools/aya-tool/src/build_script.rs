//! [`build_bindings`]: the whole of a build script.

use std::{env, fs, path::PathBuf};

use crate::{Error, KERNEL_BTF, generate};

/// Names the file that bindings are made from, where it is not the running kernel's types.
const VARIABLE: &str = "AYA_BTF";
/// The file in `OUT_DIR`.
const FILE: &str = "vmlinux.rs";

/// Writes bindings to `vmlinux.rs` in `OUT_DIR`, from a build script: those of the file that the
/// environment variable `AYA_BTF` names, else of the running kernel.
///
/// ```no_run
/// // build.rs
/// fn main() -> Result<(), aya_tool::Error> {
///     aya_tool::build_bindings(&["task_struct"])
/// }
/// ```
///
/// ```text
/// // main.rs
/// mod vmlinux {
///     include!(concat!(env!("OUT_DIR"), "/vmlinux.rs"));
/// }
/// ```
///
/// # Errors
///
/// As [`generate`], and when the file cannot be written.
pub fn build_bindings(names: &[impl AsRef<str>]) -> Result<(), Error> {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let types = env::var_os(VARIABLE).map_or_else(|| KERNEL_BTF.into(), PathBuf::from);
    println!("cargo:rerun-if-changed={}", types.display());
    let text = generate(types, names)?;
    let directory = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let path = directory.join(FILE);
    // An unchanged file keeps its time, so that nothing is compiled again.
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(&path, text).map_err(|error| Error::Unwritable { path, error })
}
