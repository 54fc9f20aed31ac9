//! eBPF object files: bytes to plain data, relocation and linking, without I/O.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod btf;
mod bytes;

pub use object::Endianness;
