//~ a field cannot be read as `[u8; 16]`
#![no_std]
#![no_main]
use aya_ebpf::{field, macros::tracepoint, programs::TracePointContext};

#[tracepoint(category = "sched", name = "sched_switch")]
fn program(ctx: TracePointContext) -> u32 {
    ctx.field::<[u8; 16]>(field!("prev_comm"))[0].into()
}

aya_ebpf::panic_handler!();
