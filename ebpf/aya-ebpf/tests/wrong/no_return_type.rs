//~ returns its verdict
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::XdpContext};

#[xdp]
fn filter(_ctx: XdpContext) {}

aya_ebpf::panic_handler!();
