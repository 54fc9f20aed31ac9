//! Builds the programs that documents about Aya print, the way their readers build them: a cargo
//! workspace of their own that depends on this project's crates by path. The sources are read where they
//! are and never copied.
//!
//! [`PROGRAMS`] says what there is, [`workspace`] builds it, each program in each
//! [`Variant`], into one folder; [`template`] does the same with a project of each of the template's
//! types. `tests/documents.rs` holds the compiler to it, `tests/behaviour` runs the binaries: on this
//! machine those that it built itself, in a guest those it finds in `AYA_ACCEPTANCE_PROGRAMS`, where
//! `cargo xtask test` has put them.

pub mod programs;
pub mod template;
pub mod workspace;

use std::{
    env, io,
    io::Write as _,
    path::{Path, PathBuf},
};

pub use programs::{PROGRAMS, Program};

/// How a program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Rust's edition.
    pub edition: &'static str,
    /// `AYA_EBPF_MODE`.
    pub mode: &'static str,
}

/// Everything that programs are held to.
pub const VARIANTS: &[Variant] = &[
    Variant::new("2021", "donor"),
    Variant::new("2024", "donor"),
    Variant::new("2021", "native"),
    Variant::new("2024", "native"),
];

impl Variant {
    const fn new(edition: &'static str, mode: &'static str) -> Self {
        Self { edition, mode }
    }

    /// The name of its folder.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}-{}", self.edition, self.mode)
    }
}

/// The variants to build here: native mode's where `AYA_TEST_MODES` asks for them.
pub fn variants() -> impl Iterator<Item = Variant> {
    let native = env::var("AYA_TEST_MODES").is_ok_and(|modes| modes.contains("native"));
    VARIANTS
        .iter()
        .copied()
        .filter(move |variant| native || variant.mode == "donor")
}

/// The root of this repository.
///
/// # Errors
/// When it has been moved since this was compiled.
pub fn repository() -> io::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
}

/// The folder of programs that documents about Aya print, where this machine has it: `AYA_SEEDS`, else
/// `shared/seed-programs` beside the repository.
#[must_use]
pub fn seeds() -> Option<PathBuf> {
    let folder = match env::var_os("AYA_SEEDS") {
        Some(folder) => folder.into(),
        None => repository().ok()?.join("../shared/seed-programs"),
    };
    folder.canonicalize().ok().filter(|folder| folder.is_dir())
}

/// A file with the types of the kernel that the programs will run on, in BTF's raw form: guests have 6.12.
#[must_use]
pub fn kernel_types() -> Option<PathBuf> {
    let folder = env::var_os("AYA_TEST_KERNELS").map(PathBuf::from);
    let guest = folder.map(|folder| folder.join("6.12/btf"));
    guest
        .into_iter()
        .chain([PathBuf::from("/sys/kernel/btf/vmlinux")])
        .find(|file| file.is_file())
}

/// Says loudly that `test` cannot run here.
pub fn skip(test: &str, reason: &str) {
    // Straight to the file descriptor: the test harness swallows `eprintln!` of tests that pass.
    let _closed = io::stderr().write_all(format!("SKIP: {test}: {reason}\n").as_bytes());
}
