//! The former name of [`aya_ebpf`]: a re-export of all of it.
//!
//! Programs that were written for `aya_bpf` compile unchanged. New ones should depend on `aya-ebpf`.
#![no_std]

#[doc(no_inline)]
pub use aya_ebpf::*;
