//~ the kernel aligns map values to 8 bytes, no more
#![no_std]
#![no_main]
use aya_ebpf::{macros::map, maps::Array};

#[repr(align(16))]
pub struct Wide([u64; 2]);

#[map]
static WIDE: Array<Wide> = Array::with_max_entries(1, 0);

aya_ebpf::panic_handler!();
