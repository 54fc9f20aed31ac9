//! Records through perf event arrays, and variables that user space and programs share.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{PerfEventArray, PerfEventByteArray},
    programs::XdpContext,
};
use aya_tests_ebpf::{PAYLOAD, read};

/// What goes before a packet: its length, and the number of the run that its payload holds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    len: u32,
    number: u32,
}

#[map]
static TYPED: PerfEventArray<Header> = PerfEventArray::new(0);
#[map]
static BYTES: PerfEventByteArray = PerfEventByteArray::new(0);

fn header(ctx: &XdpContext) -> Header {
    Header {
        len: (ctx.data_end() - ctx.data()) as u32,
        number: read(ctx, PAYLOAD).unwrap_or(0),
    }
}

/// The header alone.
#[xdp]
fn typed(ctx: XdpContext) -> u32 {
    TYPED.output(&ctx, header(&ctx), 0);
    xdp_action::XDP_PASS
}

/// The header and the whole packet behind it.
#[xdp]
fn packet(ctx: XdpContext) -> u32 {
    let header = header(&ctx);
    TYPED.output(&ctx, &header, header.len);
    xdp_action::XDP_PASS
}

/// Says what became of the record in the return value, as what the kernel makes of it times -1.
#[xdp]
fn result(ctx: XdpContext) -> u32 {
    let header = header(&ctx);
    match TYPED.try_output(&ctx, header, header.len + header.number) {
        Ok(()) => 0,
        Err(error) => error.unsigned_abs(),
    }
}

/// The first bytes of the payload.
#[xdp]
fn bytes(ctx: XdpContext) -> u32 {
    if let Some(start) = read::<[u8; 5]>(&ctx, PAYLOAD) {
        BYTES.output(&ctx, &start, 0);
    }
    xdp_action::XDP_PASS
}

aya_ebpf::panic_handler!();
