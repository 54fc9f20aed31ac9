//! The kernel's BPF interface, once for both sides: constants, wire structs, the table of program
//! types and the table of map types.
//!
//! | module | what |
//! | --- | --- |
//! | [`programs`] | the program table: one row per kind of program |
//! | [`maps`] | the map table: one row per type of map |
//! | [`bindings`] | everything under the names of the kernel's headers |
//! | [`attr`] | arguments of bpf(2) |
//! | [`arch`] | registers |
//! | [`for_each_helper!`] | helper functions: number, name, signature |
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

/// Everything under the names of the kernel's headers: macros and values of unnamed enumerations as
/// constants, a module for each named enumeration ([`xdp_action`](bindings::xdp_action)), structs.
///
/// A union has become one of its alternatives, mostly the largest, and its members are the struct's own.
pub mod bindings {
    pub use crate::generated::{consts::*, enums::*, structs::*};
}

/// Arguments of bpf(2), a struct for each command or for each form of it.
pub mod attr {
    pub use crate::generated::attr::*;
}

/// What differs between architectures: registers as a probe's context holds them, a module for each.
pub mod arch {
    pub use crate::generated::arch::*;
}

pub use generated::kinds::{AttachType, Cmd, LinkType, MapType, ProgType};
pub use insn::Insn;
pub use version::KernelVersion;
