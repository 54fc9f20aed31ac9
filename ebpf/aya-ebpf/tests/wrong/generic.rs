//~ cannot be generic
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::XdpContext};

#[xdp]
fn filter<T>(_ctx: XdpContext) -> u32 {
    2
}

aya_ebpf::panic_handler!();
