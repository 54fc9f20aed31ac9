//! Callbacks that panic when the packet tells them to. The helper that called one returns early then,
//! and the program goes on.
#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::{
    bindings::xdp_action,
    helpers::{bpf_for_each_map_elem, bpf_loop},
    macros::{map, xdp},
    maps::Array,
    programs::XdpContext,
};
use aya_log_ebpf::debug;
use aya_tests_ebpf::{PAYLOAD, read};

/// How often a callback is called when nothing stops it.
const TURNS: u32 = 8;

#[map]
static ELEMENTS: Array<u32> = Array::with_max_entries(TURNS, 0);

/// All turns pass; an end in the fourth, which counts as well, is dropped; all else is wrong.
fn verdict(turns: i64) -> u32 {
    match turns {
        8 => xdp_action::XDP_PASS,
        4 => xdp_action::XDP_DROP,
        _ => xdp_action::XDP_ABORTED,
    }
}

fn order(ctx: &XdpContext) -> u8 {
    // A log statement, so that there is something to log panics with.
    debug!(ctx, "a packet");
    read(ctx, PAYLOAD).unwrap_or(0)
}

extern "C" fn turn(index: u32, order: *const u8) -> i64 {
    // SAFETY: the helper passes on what the program gave it.
    if unsafe { *order } >= 4 && index == 3 {
        panic!("no more turns");
    }
    0
}

#[xdp]
fn in_loop(ctx: XdpContext) -> u32 {
    let mut order = order(&ctx);
    let callback = turn as extern "C" fn(u32, *const u8) -> i64;
    // SAFETY: the callback has the signature that the helper calls, and gets the context it takes.
    let turns = unsafe { bpf_loop(TURNS, callback as *mut c_void, (&raw mut order).cast(), 0) };
    verdict(turns)
}

extern "C" fn element(
    _map: *mut c_void,
    key: *const u32,
    _value: *mut u32,
    order: *const u8,
) -> i64 {
    // SAFETY: the helper passes on what the program gave it, and a key of the map.
    if unsafe { *order >= 4 && *key == 3 } {
        panic!("no more elements");
    }
    0
}

#[xdp]
fn in_for_each(ctx: XdpContext) -> u32 {
    let mut order = order(&ctx);
    let callback = element as extern "C" fn(*mut c_void, *const u32, *mut u32, *const u8) -> i64;
    // SAFETY: the callback has the signature that the helper calls, and gets the context it takes.
    let elements = unsafe {
        bpf_for_each_map_elem(
            ELEMENTS.as_ptr(),
            callback as *mut c_void,
            (&raw mut order).cast(),
            0,
        )
    };
    verdict(elements)
}

aya_ebpf::panic_handler!();
