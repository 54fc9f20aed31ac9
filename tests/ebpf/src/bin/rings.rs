//! Ring buffers: records of one type and of any length to user space, orders from it.
#![no_std]
#![no_main]

use aya_ebpf::{
    Global, GlobalMut,
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_CONS_POS, BPF_RB_PROD_POS, BPF_RB_RING_SIZE, xdp_action},
    macros::{map, xdp},
    maps::{CountLost as _, RingBuf},
    programs::XdpContext,
};
use aya_tests_ebpf::{PAYLOAD, read};

/// What a packet's payload begins with.
#[repr(C)]
#[derive(Clone, Copy)]
struct Order {
    number: u32,
    /// How many words a record of variable size has.
    words: u32,
    /// For `submit` and `discard`.
    flags: u64,
}

/// A record, as user space has it too.
#[repr(C)]
struct Event {
    number: u64,
    twice: u64,
    half: u32,
    kind: u16,
    bytes: [u8; 2],
}

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
/// Those that found no room.
#[unsafe(no_mangle)]
static LOST: GlobalMut<u64> = GlobalMut::new(0);
/// How much `adaptive` lets wait.
#[unsafe(no_mangle)]
static THRESHOLD: Global<u64> = Global::new(512);

fn order(ctx: &XdpContext) -> Option<Order> {
    read(ctx, PAYLOAD)
}

/// A record of one type.
#[xdp]
fn typed(ctx: XdpContext) -> u32 {
    let Some(order) = order(&ctx) else {
        return xdp_action::XDP_ABORTED;
    };
    let number = u64::from(order.number);
    if let Some(mut event) = EVENTS.reserve::<Event>(0).count_lost(&LOST) {
        event.write(Event {
            number,
            twice: number * 2,
            half: order.number / 2,
            kind: 7,
            bytes: [1, 2],
        });
        event.submit(order.flags);
    }
    xdp_action::XDP_PASS
}

/// A record that user space does not get to see: by name if there are flags, else on a path out.
#[xdp]
fn discarded(ctx: XdpContext) -> u32 {
    let Some(order) = order(&ctx) else {
        return xdp_action::XDP_ABORTED;
    };
    let Some(mut event) = EVENTS.reserve::<u64>(0) else {
        return xdp_action::XDP_DROP;
    };
    event.write(u64::MAX);
    if order.flags != 0 {
        event.discard(order.flags);
    }
    xdp_action::XDP_PASS
}

/// A record of 13 bytes, the number first: for 0 words it is submitted, for 1 it is discarded by name,
/// else on the path out.
#[xdp]
fn bytes(ctx: XdpContext) -> u32 {
    let Some(order) = order(&ctx) else {
        return xdp_action::XDP_ABORTED;
    };
    let Some(mut room) = EVENTS.reserve_bytes(13, 0).count_lost(&LOST) else {
        return xdp_action::XDP_DROP;
    };
    room[..4].copy_from_slice(&order.number.to_ne_bytes());
    room[4..].copy_from_slice(b"and nine.");
    match order.words {
        0 => room.submit(order.flags),
        1 => room.discard(order.flags),
        _ => {}
    }
    xdp_action::XDP_PASS
}

/// A copy of the first so many of 64 bytes, which count up from the number.
#[xdp]
fn slice(ctx: XdpContext) -> u32 {
    let Some(order) = order(&ctx) else {
        return xdp_action::XDP_ABORTED;
    };
    let bytes: [u8; 64] = core::array::from_fn(|at| (order.number as u8).wrapping_add(at as u8));
    // LLVM might else compare one copy of the number and pass on another, of which the verifier knows no
    // bound.
    let Some(part) = bytes.get(..core::hint::black_box(order.words) as usize) else {
        return xdp_action::XDP_ABORTED;
    };
    match EVENTS.output(part, order.flags).count_lost(&LOST) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_DROP,
    }
}

/// What the buffer says of itself before this record.
#[xdp]
fn figures(_ctx: XdpContext) -> u32 {
    let figures = [
        BPF_RB_AVAIL_DATA,
        BPF_RB_RING_SIZE,
        BPF_RB_CONS_POS,
        BPF_RB_PROD_POS,
    ]
    .map(|figure| EVENTS.query(u64::from(figure)));
    match EVENTS.output(&figures, 0) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_DROP,
    }
}

/// A record of so many words, which hold their index.
#[xdp]
fn variable(ctx: XdpContext) -> u32 {
    const MOST: u32 = 64;
    let Some(order) = order(&ctx) else {
        return xdp_action::XDP_ABORTED;
    };
    let mut slot = aya_ebpf::maps::ring_buf::DynptrSlot::new();
    let room = EVENTS.reserve_dynptr(order.words * 8, &mut slot);
    let Some(mut record) = room.count_lost(&LOST) else {
        return xdp_action::XDP_DROP;
    };
    for index in 0..MOST {
        // LLVM would make one bound of the two and compare with `!=`, which kernels before 6.8 follow
        // without end.
        if index >= core::hint::black_box(order.words) {
            break;
        }
        if record.write(index * 8, &u64::from(index)).is_err() {
            return xdp_action::XDP_ABORTED;
        }
    }
    // Nothing can be written behind the end.
    if record.write(order.words * 8 - 4, &0_u64).is_ok() {
        return xdp_action::XDP_ABORTED;
    }
    match order.flags {
        0 => record.submit(0),
        _ => record.discard(0),
    }
    xdp_action::XDP_PASS
}

/// A copy, which wakes the reader only when much is there.
#[xdp]
fn adaptive(ctx: XdpContext) -> u32 {
    let Some(order) = order(&ctx) else {
        return xdp_action::XDP_ABORTED;
    };
    let flags = EVENTS.wakeup_at(THRESHOLD.load());
    let sent = EVENTS.output(&u64::from(order.number), flags);
    match sent.count_lost(&LOST) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_DROP,
    }
}

aya_ebpf::panic_handler!();
