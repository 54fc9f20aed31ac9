#![no_std]
#![no_main]
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

#[xdp]
pub fn plain(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[xdp(frags)]
fn fragments(mut ctx: XdpContext) -> u32 {
    ctx = XdpContext::new(ctx.ctx);
    u32::from(ctx.data() == ctx.data_end())
}

#[xdp(map = "cpumap")]
fn on_cpu(ctx: XdpContext) -> u32 {
    ctx.rx_queue_index()
}

#[xdp(frags, map = "devmap")]
fn on_device(ctx: XdpContext) -> u32 {
    ctx.egress_ifindex()
}

#[xdp(name = "another")]
#[inline(never)]
unsafe fn named(_: XdpContext) -> u32 {
    plain(XdpContext::new(core::ptr::null_mut()))
}

aya_ebpf::panic_handler!();
