//! Call stacks: of a page fault in user space, by address and by file, and of a system call in the kernel.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext, Global,
    bindings::{BPF_F_STACK_BUILD_ID, BPF_F_USER_STACK},
    macros::{map, perf_event, raw_tracepoint},
    maps::{Array, StackTrace},
    programs::{PerfEventContext, RawTracePointContext, tracing::StackIdContext as _},
};

/// The thread whose system calls count.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);
/// The addresses whose page faults count, and those behind them.
#[unsafe(no_mangle)]
static FIRST: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static BEHIND: Global<u64> = Global::new(0);

#[map]
static ADDRESSES: StackTrace = StackTrace::with_max_entries(64, 0);
#[map]
static FILES: StackTrace = StackTrace::with_max_entries(64, BPF_F_STACK_BUILD_ID).depth(32);

/// The ids of the last stacks: in `ADDRESSES` of user space and of the kernel, in `FILES` of user space.
/// What is negative is an error.
#[map]
static LAST: Array<i64> = Array::with_max_entries(3, 0);

fn put(index: u32, id: Result<i64, i32>) {
    if let Some(last) = LAST.get_ptr_mut(index) {
        // SAFETY: the map's value is valid while the program runs.
        unsafe { *last = id.unwrap_or_else(i64::from) };
    }
}

#[perf_event]
fn fault(ctx: PerfEventContext) -> u32 {
    if (FIRST.load()..BEHIND.load()).contains(&ctx.addr()) {
        let flags = u64::from(BPF_F_USER_STACK);
        put(0, ctx.get_stackid(&ADDRESSES, flags));
        put(2, ctx.get_stackid(&FILES, flags));
    }
    0
}

#[raw_tracepoint(tracepoint = "sys_enter")]
fn enter(ctx: RawTracePointContext) -> i32 {
    if ctx.pid() == THREAD.load() {
        put(1, ctx.get_stackid(&ADDRESSES, 0));
    }
    0
}

aya_ebpf::panic_handler!();
