//~ no section `xdp/xskmap`
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::XdpContext};

#[xdp(map = "xskmap")]
fn filter(_ctx: XdpContext) -> u32 {
    2
}

aya_ebpf::panic_handler!();
