//! eBPF object files: bytes to plain data, relocation and linking, without I/O.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod btf;
mod bytes;
mod configure;
mod elf;
mod error;
mod field;
mod link;
mod order;
mod parse;
mod shim;
pub mod similar;
pub mod spec;

pub use configure::{Config, Configured, Global, MapChange};
pub use error::Error;
pub use field::{FieldPlace, FieldShape, FieldSpec};
pub use link::{LinkedFunction, LinkedObject, LinkedProgram};
pub use object::Endianness;
pub use shim::add_shim_type;
pub use spec::ObjectSpec;
