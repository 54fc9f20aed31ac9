//~ the trait bound `bool:
#![no_std]
#![no_main]
use core::ops::ControlFlow;

use aya_ebpf::{macros::map, maps::UserRingBuf};

#[map]
static ORDERS: UserRingBuf = UserRingBuf::with_byte_size(4096, 0);

pub fn obey() {
    let _ = ORDERS.drain(
        |order| match order.read::<bool>(0) {
            Ok(true) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        },
        0,
    );
}

aya_ebpf::panic_handler!();
