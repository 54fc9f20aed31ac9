//! The arena in its second form, since libbpf takes one in an object.
#![no_std]
#![no_main]

use aya_ebpf::{btf_maps::Arena, macros::btf_map};

#[btf_map]
static NEW_ARENA: Arena<4> = Arena::new();

aya_ebpf::panic_handler!();
