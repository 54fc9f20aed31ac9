//~ a category needs the event's name
#![no_std]
#![no_main]
use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

#[tracepoint(category = "sched")]
fn program(_ctx: TracePointContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
