//! Reports each process that executes a file whose name ends in `runc`.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, field,
    macros::{map, tracepoint},
    maps::PerfEventArray,
    programs::TracePointContext,
};
use runc_watch_common::RuncEvent;

#[map]
static RUNC_EVENTS: PerfEventArray<RuncEvent> = PerfEventArray::new(0);

/// Room for a path. The end of a longer one is not seen.
const PATH: usize = 256;

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn runc_watch(ctx: TracePointContext) -> u32 {
    let mut path = [0; PATH];
    if let Ok(path) = ctx.str(field!("filename"), &mut path)
        && path.ends_with(b"runc")
    {
        RUNC_EVENTS.output(&ctx, RuncEvent { pid: ctx.tgid() }, 0);
    }
    0
}

aya_ebpf::panic_handler!();
