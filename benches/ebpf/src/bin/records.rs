//! Sends a record of each packet, through a ring buffer or a perf buffer. Beside
//! `benches/c/records.bpf.c`; the other maps are for user space to work on.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{HashMap, PerCpuArray, PerfEventArray, RingBuf},
    programs::XdpContext,
};

/// A header, and bytes that are zero in these programs: 64 bytes with 5 `ROOM`, 32 with 1.
#[repr(C)]
struct Record<const ROOM: usize> {
    number: u64,
    len: u32,
    queue: u32,
    mark: u64,
    room: [u64; ROOM],
}

#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(16 * 1024 * 1024, 0);

#[map]
static EVENTS: PerfEventArray<Record<5>> = PerfEventArray::new(0);

#[map]
static TABLE: HashMap<u32, u64> = HashMap::with_max_entries(100_000, 0);

#[map]
static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(16, 0);

#[xdp]
fn ring_64(ctx: XdpContext) -> u32 {
    reserve::<5>(&ctx)
}

#[xdp]
fn ring_32(ctx: XdpContext) -> u32 {
    reserve::<1>(&ctx)
}

#[xdp]
fn perf_64(ctx: XdpContext) -> u32 {
    EVENTS.output(&ctx, record(&ctx), 0);
    xdp_action::XDP_PASS
}

#[inline(always)]
fn reserve<const ROOM: usize>(ctx: &XdpContext) -> u32 {
    if let Some(mut room) = RECORDS.reserve::<Record<ROOM>>(0) {
        room.write(record(ctx));
        room.submit(0);
    }
    xdp_action::XDP_PASS
}

#[inline(always)]
fn record<const ROOM: usize>(ctx: &XdpContext) -> Record<ROOM> {
    Record {
        number: 1,
        len: (ctx.data_end() - ctx.data()) as u32,
        queue: ctx.rx_queue_index(),
        mark: 0x0123_4567_89ab_cdef,
        room: [0; ROOM],
    }
}

aya_ebpf::panic_handler!();
