//~ a program with a `XdpContext` cannot return `i64`
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::XdpContext};

#[xdp]
fn filter(_ctx: XdpContext) -> i64 {
    2
}

aya_ebpf::panic_handler!();
