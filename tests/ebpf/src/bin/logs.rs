//! One log statement of each sort.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::{debug, error, info, trace, warn};

/// Copying strings takes a helper that is for GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[xdp]
fn levels(ctx: XdpContext) -> u32 {
    error!(&ctx, "an error");
    warn!(&ctx, "a warning");
    info!(&ctx, target: "elsewhere", "an information");
    debug!(&ctx, "a detail");
    trace!(&ctx, "a trace");
    xdp_action::XDP_PASS
}

#[xdp]
fn values(ctx: XdpContext) -> u32 {
    let packet = (ctx.data_end() - ctx.data()) as u64;
    info!(&ctx, "{} {} {} {}", packet as u8, -2i16, 3u32, -4i64);
    info!(&ctx, "{:x} {:X} {}", 0xabcu16, 0xdefu32, true);
    info!(
        &ctx,
        "{:i} {:i}",
        0x0101_0101u32,
        [0x2001u16, 0xdb8, 0, 0, 0, 0, 0, 1]
    );
    info!(
        &ctx,
        "{:mac} {:MAC}",
        [2u8, 0, 0, 0, 0, 0xab],
        [2u8, 0, 0, 0, 0, 0xcd]
    );
    info!(&ctx, "{} and {:x}", "text", b"bytes");
    xdp_action::XDP_PASS
}

/// Each way in which a statement may send its record, without a look at the context: other types of
/// programs can be made of it.
#[xdp]
fn anywhere(ctx: XdpContext) -> u32 {
    info!(&ctx, "a constant");
    info!(&ctx, "a number: {}", 7u32);
    info!(&ctx, "a string: {}", "seven");
    xdp_action::XDP_ABORTED
}

aya_ebpf::panic_handler!();
