//! Programs that panic when the packet tells them to. Each leaves with `XDP_ABORTED` then, and the
//! panic's line is logged.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::debug;
use aya_tests_ebpf::{PAYLOAD, read};

/// The packet's first byte after the headers; without one nothing panics.
#[inline(always)]
fn order(ctx: &XdpContext) -> u8 {
    // A log statement, so that there is something to log panics with.
    debug!(ctx, "a packet");
    read(ctx, PAYLOAD).unwrap_or(0)
}

#[xdp]
fn out_of_bounds(ctx: XdpContext) -> u32 {
    const ACTIONS: [u32; 4] = [xdp_action::XDP_PASS; 4];
    ACTIONS[usize::from(order(&ctx))]
}

#[xdp]
fn unwrap_none(ctx: XdpContext) -> u32 {
    let pass = (order(&ctx) < 4).then_some(xdp_action::XDP_PASS);
    pass.unwrap()
}

#[xdp]
fn overflow(ctx: XdpContext) -> u32 {
    let sum = 252u8
        .checked_add(order(&ctx))
        .expect("the sum of two small numbers");
    if sum >= 252 {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    }
}

#[xdp]
fn slice_range(ctx: XdpContext) -> u32 {
    const BYTES: [u8; 8] = [0; 8];
    let end = usize::from(order(&ctx));
    if BYTES[..end].len() == end {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    }
}

#[xdp]
fn division(ctx: XdpContext) -> u32 {
    // 0 when the order is 200
    let divisor = u32::from(order(&ctx).wrapping_add(56));
    if 560 / divisor == 10 {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    }
}

#[xdp]
fn in_subprogram(ctx: XdpContext) -> u32 {
    let order = order(&ctx);
    if verdict(order) == verdict(0) {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    }
}

#[inline(never)]
fn verdict(order: u8) -> u32 {
    if order >= 4 {
        panic!("no such order");
    }
    xdp_action::XDP_PASS
}

aya_ebpf::panic_handler!();
