//! Links LLVM bitcode from rustc into eBPF objects.
//!
//! It drives the LLVM that belongs to the rustc in use, opened at run time: nothing has to be
//! installed besides Rust. The stages, one file each:
//!
//! ```text
//! cli      command line → options
//! input    files → bitcode
//! llvm     the library, safe handles, the child process it runs in
//! lower/   host module → eBPF module: visibility, panics, maps, optimisation, built-ins, log ids
//! emit     generated object → final object: BTF made legal and small, DWARF and waste removed
//! ```
//!
//! [`link()`] runs them.
#![deny(unsafe_code)]

pub mod cli;
mod emit;
mod error;
mod input;
mod link;
mod llvm;
mod locate;
mod lower;
mod versions;

use std::path::PathBuf;

pub use error::{Diagnostic, DiagnosticKind, Error, Location};
pub use link::{Report, link};
pub use locate::Compiler;

/// What to do with panics that can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Panics {
    /// They leave the program with the safe value of its type.
    #[default]
    Leave,
    /// The same, and each is listed as a warning.
    List,
    /// They are errors.
    Refuse,
}

/// How to link.
#[derive(Clone, Debug)]
pub struct Options {
    /// The compiler whose LLVM is used.
    pub rustc: PathBuf,
    /// The LLVM library, instead of the compiler's.
    pub llvm: Option<PathBuf>,
    /// The eBPF CPU: `v1` … `v4`. Without one, code runs on every kernel from 5.10.
    pub cpu: Option<String>,
    /// The architecture of the kernels that will run it, as `cfg(target_arch)` has it: some read packets
    /// at any address. The build machine's by default.
    pub arch: String,
    /// The statics that stay visible; all that rustc exports if `None`.
    pub exports: Option<Vec<String>>,
    /// What to do with panics.
    pub panics: Panics,
    /// Where to write the final module as LLVM's text.
    pub emit_ir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
        Self {
            rustc,
            llvm: None,
            cpu: None,
            arch: std::env::consts::ARCH.to_owned(),
            exports: None,
            panics: Panics::default(),
            emit_ir: None,
        }
    }
}
