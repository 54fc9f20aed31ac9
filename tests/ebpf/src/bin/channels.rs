//! Records through perf event arrays, and variables that user space and programs share.
#![no_std]
#![no_main]

use core::{
    ptr::read_volatile,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use aya_ebpf::{
    Global, GlobalMut,
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
    TYPED.output(&ctx, header, header.len);
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

/// The header and the packet, and the first bytes of the payload, through the buffers at the index that
/// the payload holds.
#[xdp]
fn at_index(ctx: XdpContext) -> u32 {
    let header = header(&ctx);
    TYPED.output_at_index(&ctx, header.number, header, header.len);
    if let Some(start) = read::<[u8; 5]>(&ctx, PAYLOAD) {
        BYTES.output_at_index(&ctx, header.number, &start, 0);
    }
    xdp_action::XDP_PASS
}

/// A constant as programs had it before [`Global`].
#[unsafe(no_mangle)]
static PID: i32 = 0;
#[unsafe(no_mangle)]
static ADDRESS: Global<[u8; 4]> = Global::new([10, 0, 0, 1]);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.settings")]
static SETTING: Global<u16> = Global::new(1);

/// In `.bss`.
#[unsafe(no_mangle)]
static RUNS: GlobalMut<u64> = GlobalMut::new(0);
/// In `.data`.
#[unsafe(no_mangle)]
static STEP: GlobalMut<u32> = GlobalMut::new(3);
#[unsafe(no_mangle)]
static FLAG: GlobalMut<u8> = GlobalMut::new(1);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.limits")]
static LIMIT: GlobalMut<u32> = GlobalMut::new(1000);
/// Rust's own, of which both modes have this much.
#[unsafe(no_mangle)]
static ATOMIC: AtomicU64 = AtomicU64::new(0);
/// What programs have besides.
#[unsafe(no_mangle)]
static mut LAST: [u32; 3] = [0; 3];

/// The sum of all constants.
#[xdp]
fn constants(_ctx: XdpContext) -> u32 {
    // SAFETY: a static is there to be read.
    let pid = unsafe { read_volatile(&PID) };
    let address: u32 = ADDRESS.load().iter().map(|byte| u32::from(*byte)).sum();
    pid as u32 + address + u32::from(SETTING.load())
}

/// Counts, by a step that user space chooses, up to a limit; returns the flag.
#[xdp]
fn variables(_ctx: XdpContext) -> u32 {
    let step = STEP.load();
    if RUNS.load() < u64::from(LIMIT.load()) {
        RUNS.add(u64::from(step));
    }
    ATOMIC.store(ATOMIC.load(Relaxed) + 1, Relaxed);
    // SAFETY: the test runs one program at a time.
    unsafe { LAST = [step, step + 1, step + 2] };
    let flag = FLAG.load();
    FLAG.store(flag.wrapping_add(1));
    u32::from(flag)
}

aya_ebpf::panic_handler!();
