//~ not supported yet
#![no_std]
#![no_main]
use aya_ebpf::{macros::lirc_mode2, programs::XdpContext};

#[lirc_mode2]
fn key(_ctx: XdpContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
