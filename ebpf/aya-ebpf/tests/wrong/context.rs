//~ TcContext
//~ XdpContext
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::TcContext};

#[xdp]
fn filter(_ctx: TcContext) -> u32 {
    2
}

aya_ebpf::panic_handler!();
