//! XDP programs and the maps of the first hour: hash, array, per-CPU array, ring buffer, a global.
#![no_std]
#![no_main]

use aya_ebpf::{
    Global,
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{Array, HashMap, PerCpuArray, RingBuf},
    programs::XdpContext,
};
use aya_tests_ebpf::source;

/// What [`filter`] reports of a packet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    source: u32,
    action: u32,
}

#[map]
static BLOCKED: HashMap<u32, u32> = HashMap::with_max_entries(16, 0);
#[map]
static SEEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
#[map]
static MARKS: Array<u32> = Array::with_max_entries(2, 0);
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Set before loading; [`marked`] copies it to where a test can read it.
#[unsafe(no_mangle)]
static MARK: Global<u32> = Global::new(1);

#[xdp]
fn pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[xdp]
fn refuse(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

#[xdp]
fn marked(_ctx: XdpContext) -> u32 {
    match MARKS.set(0, MARK.load(), 0) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_ABORTED,
    }
}

#[xdp]
fn filter(ctx: XdpContext) -> u32 {
    let Some(source) = source(&ctx) else {
        return xdp_action::XDP_PASS;
    };
    if let Some(seen) = SEEN.get_ptr_mut(0) {
        // SAFETY: the element is this CPU's own.
        unsafe { *seen += 1 };
    }
    // SAFETY: the value is not read.
    let action = match unsafe { BLOCKED.get(&source) } {
        Some(_) => xdp_action::XDP_DROP,
        None => xdp_action::XDP_PASS,
    };
    if let Some(mut event) = EVENTS.reserve::<Event>(0) {
        event.write(Event { source, action });
        event.submit(0);
    }
    action
}

aya_ebpf::panic_handler!();
