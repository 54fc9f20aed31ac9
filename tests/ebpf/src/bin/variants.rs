//! XDP programs of the other sections: for packets in fragments, and for the entries of cpumaps and devmaps.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

#[xdp(frags)]
fn fragments(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[xdp(map = "cpumap")]
fn cpumap(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[xdp(map = "devmap")]
fn devmap(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

aya_ebpf::panic_handler!();
