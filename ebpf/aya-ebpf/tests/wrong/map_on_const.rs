//~ an eBPF map is a static
#![no_std]
#![no_main]
use aya_ebpf::{macros::map, maps::Array};

#[map]
const COUNT: Array<u32> = Array::with_max_entries(1, 0);

aya_ebpf::panic_handler!();
