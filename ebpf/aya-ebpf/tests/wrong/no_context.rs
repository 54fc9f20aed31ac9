//~ takes its context
#![no_std]
#![no_main]
use aya_ebpf::macros::xdp;

#[xdp]
fn filter() -> u32 {
    2
}

aya_ebpf::panic_handler!();
