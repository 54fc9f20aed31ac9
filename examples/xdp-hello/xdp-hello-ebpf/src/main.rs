//! Logs a line for every packet and lets it pass.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::info;

#[xdp]
fn xdp_hello(ctx: XdpContext) -> u32 {
    info!(&ctx, "received a packet");
    xdp_action::XDP_PASS
}

aya_ebpf::panic_handler!();
