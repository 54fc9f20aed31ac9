//~ unknown argument `frag`
//~ `frags`
#![no_std]
#![no_main]
use aya_ebpf::{macros::xdp, programs::XdpContext};

#[xdp(frag)]
fn filter(_ctx: XdpContext) -> u32 {
    2
}

aya_ebpf::panic_handler!();
