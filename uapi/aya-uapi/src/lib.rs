//! The kernel's BPF interface, once for both sides: constants, wire structs, the table of program
//! types and the table of map types.
//!
//! | module | what |
//! | --- | --- |
//! | [`programs`] | the program table: one row per kind of program |
//! | [`maps`] | the map table: one row per type of map |
//! | [`bindings`] | everything under the names of the kernel's headers |
//! | crate root | newtypes for the kernel's enumerations, [`Insn`], [`KernelVersion`] |
//!
//! Below `generated` is what `cargo xtask codegen` writes from the headers. Nothing here allocates,
//! performs a system call or is `unsafe`; user space and eBPF programs use the same items.
#![no_std]
#![forbid(unsafe_code)]

mod generated;
mod insn;
mod kind;
pub mod maps;
pub mod programs;
mod version;

pub use generated::{
    bindings,
    kinds::{AttachType, Cmd, LinkType, MapType, ProgType},
};
pub use insn::Insn;
pub use version::KernelVersion;
