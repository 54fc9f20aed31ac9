//~ `u32` is not an eBPF map
#![no_std]
#![no_main]
use aya_ebpf::macros::map;

#[map]
static COUNT: u32 = 0;

aya_ebpf::panic_handler!();
