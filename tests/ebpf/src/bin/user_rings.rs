//! A user ring buffer, whose records come back through a ring buffer.
#![no_std]
#![no_main]

use core::ops::ControlFlow;

use aya_ebpf::{
    GlobalMut, btf_maps,
    macros::{btf_map, map, xdp},
    maps::{RingBuf, UserRingBuf},
    programs::XdpContext,
};

#[map]
static ORDERS: UserRingBuf = UserRingBuf::with_byte_size(4096, 0);
#[btf_map]
static MORE: btf_maps::UserRingBuf<4096> = btf_maps::UserRingBuf::new();
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 16, 0);

/// The number at which `drain` stops.
#[unsafe(no_mangle)]
static LAST: GlobalMut<u64> = GlobalMut::new(u64::MAX);
/// Records that are too short for a number.
#[unsafe(no_mangle)]
static SHORT: GlobalMut<u64> = GlobalMut::new(0);

/// Sends each record's number on, up to the last one. Returns how many there were, or the kernel's error.
#[xdp]
fn drain(_ctx: XdpContext) -> u32 {
    let last = LAST.load();
    let mut sum = 0_u64;
    let drained = ORDERS.drain(
        |order| {
            let Ok(number) = order.read::<u64>(0) else {
                SHORT.add(1);
                return ControlFlow::Continue(());
            };
            sum += number;
            let _ = EVENTS.output(&[number, sum], 0);
            match number == last {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
        0,
    );
    match drained {
        Ok(count) => count,
        Err(error) => error as u32,
    }
}

/// The same from the map in its other form, byte by byte.
#[xdp]
fn drain_more(_ctx: XdpContext) -> u32 {
    let drained = MORE.drain(
        |order| {
            let mut bytes = [0; 4];
            if order.read_bytes(2, &mut bytes).is_ok() {
                let _ = EVENTS.output(&bytes, 0);
            }
            ControlFlow::Continue(())
        },
        0,
    );
    drained.unwrap_or_else(|error| error as u32)
}

aya_ebpf::panic_handler!();
