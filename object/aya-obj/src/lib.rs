//! eBPF object files: bytes to plain data, relocation and linking, without I/O.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod btf;
mod bytes;
mod error;
pub mod spec;

pub use error::Error;
pub use object::Endianness;
pub use spec::ObjectSpec;
