//! Sends every packet that arrives at an interface to user space, all of its bytes.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_PIPE,
    macros::{classifier, map},
    maps::PerfEventArray,
    programs::TcContext,
};
use packet_payload_common::Head;

#[map]
static PACKETS: PerfEventArray<Head> = PerfEventArray::new(0);

#[classifier]
fn packet_payload(ctx: TcContext) -> i32 {
    let head = Head {
        length: ctx.len(),
        interface: ctx.ifindex(),
    };
    // The kernel itself appends the packet's bytes: nothing is copied on the stack, and it does not
    // matter how the packet lies in memory.
    PACKETS.output(&ctx, head, head.length);
    TC_ACT_PIPE
}

aya_ebpf::panic_handler!();
