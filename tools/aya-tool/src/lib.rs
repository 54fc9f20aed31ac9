//! Rust bindings to the kernel's types, from its BTF. Neither bpftool nor bindgen is needed.
//!
//! The command `aya-tool generate task_struct dentry > vmlinux.rs` is [`generate`] with a file name.
//! The module that comes out is meant for an eBPF program:
//!
//! ```text
//! #[allow(clippy::all, dead_code, non_camel_case_types, non_snake_case, non_upper_case_globals)]
//! #[rustfmt::skip]
//! mod vmlinux;
//! use vmlinux::task_struct;
//! ```
//!
//! A build script can make it anew for each build, from the running kernel or from a file that is kept
//! with the project:
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), aya_tool::Error> {
//!     aya_tool::build_bindings(&["task_struct"])
//! }
//! ```
#![forbid(unsafe_code)]

mod bindings;
mod build_script;
mod error;

use std::{fs, path::Path};

use aya_obj::btf::{self, Btf, BtfError};

pub use bindings::from_btf;
pub use build_script::build_bindings;
pub use error::Error;

/// The running kernel's types (since kernel 5.4, with `CONFIG_DEBUG_INFO_BTF`).
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Rust declarations of the types with these names, and of all that they reach, also through
/// pointers.
///
/// `file` is a file in BTF format, such as [`KERNEL_BTF`], or an ELF file with a section `.BTF`: a
/// kernel's image, an eBPF object. It may be that of a kernel module, such as
/// `/sys/kernel/btf/nf_conntrack`, if the kernel's lies beside it as `vmlinux`. A name is that of a `struct`, `union` or `enum`, or else of a
/// `typedef`.
///
/// The text needs nothing but `core`, in edition 2021 or later. Each struct is laid out as in the
/// kernel, which the text asserts when it is compiled.
///
/// | C | Rust |
/// | --- | --- |
/// | `struct`, `union` | the same, `Clone` and `Copy` |
/// | one without a name, in `x` | `x__bindgen_ty_1`, …; a member without a name is `__bindgen_anon_1`, … |
/// | bit fields | `_bitfield_1`, …, with methods `name()`, `set_name(value)` and `new_bitfield_1(values…)` |
/// | `enum x { A }` | `type x = u32; const A: x = 0` |
/// | pointer to a function | `Option<unsafe extern "C" fn(…)>` |
/// | `T name[]` | `__IncompleteArrayField<T>`, with `as_ptr()` and `as_slice(len)` |
/// | a type that is only declared | a struct without fields that can be named |
/// | a name that is a word of Rust's | with `_` behind it: `type_`, `in_` |
/// | a second type of the same name | with `___2` behind it |
///
/// The same file gives the same text.
///
/// # Errors
///
/// When the file cannot be read or has no types, and as [`from_btf`].
pub fn generate(file: impl AsRef<Path>, names: &[impl AsRef<str>]) -> Result<String, Error> {
    if names.is_empty() {
        return Err(Error::NoNames);
    }
    let path = file.as_ref();
    from_btf(&read(path)?, names).map_err(|error| match error {
        Error::Malformed { error, .. } => malformed(path, error),
        other => other,
    })
}

/// The types in a file.
fn read(path: &Path) -> Result<Btf, Error> {
    let data = fs::read(path).map_err(|error| Error::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    let section = btf::section(&data).ok_or_else(|| Error::NoTypes {
        path: path.to_owned(),
    })?;
    Btf::parse(section).or_else(|error| {
        // A module's types make no sense without the kernel's.
        let kernel = path.with_file_name("vmlinux");
        match kernel == path {
            false if let Ok(kernel) = read(&kernel) => {
                Btf::parse_split(section, kernel).map_err(|error| malformed(path, error))
            }
            _ => Err(malformed(path, error)),
        }
    })
}

fn malformed(path: &Path, error: BtfError) -> Error {
    Error::Malformed {
        path: Some(path.to_owned()),
        error,
    }
}
