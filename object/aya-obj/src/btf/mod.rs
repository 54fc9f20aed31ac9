//! BTF, the type information of eBPF objects and kernels, as plain data.
//!
//! [`Btf::parse`] reads the `.BTF` section (or `/sys/kernel/btf/vmlinux`), [`BtfExt::parse`] the
//! `.BTF.ext` section; both can be changed and written back. Neither does I/O, and no input makes
//! them panic, loop, or allocate more than a small multiple of its length.
//!
//! | file | what |
//! | --- | --- |
//! | `types` | the types and the string table |
//! | `read`, `write` | bytes to types and back |
//! | `image` | the section in an ELF file |
//! | `raw` | finding a few types among very many, without reading all |
//! | `ext` | `.BTF.ext`: function, line and CO-RE records |
//! | `query` | sizes, names, skipping modifiers |
//! | `compare` | whether a type can stand in for another |
//! | `gc` | keep only what is reachable |
//! | `sanitize` | replace what an older kernel refuses |
//!
//! Format: `Documentation/bpf/btf.rst` of the kernel.

mod compare;
mod error;
mod ext;
mod gc;
mod image;
mod query;
mod raw;
mod read;
mod sanitize;
mod types;
mod write;

pub(crate) use read::usize_of;

pub use compare::Difference;
pub use error::BtfError;
pub use ext::{BtfExt, CoreRelo, FuncInfo, LineInfo, SectionRecords};
pub use image::section;
pub use raw::RawBtf;
pub use sanitize::BtfFeatures;
pub use types::{
    Array, Btf, DatasecVar, Enum, EnumValue, FuncLinkage, IntEncoding, Kind, Member, Name, Param,
    Struct, Type, TypeId, VarLinkage,
};
