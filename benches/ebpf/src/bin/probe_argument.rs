//! Adds up the third argument of `vfs_read`. Beside `benches/c/probe_argument.bpf.c`.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{kprobe, map},
    maps::PerCpuArray,
    programs::ProbeContext,
};

#[map]
static WANTED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

#[kprobe]
fn probe_argument(ctx: ProbeContext) -> u32 {
    if let (Some(wanted), Some(count)) = (WANTED.get_ptr_mut(0), ctx.arg::<u64>(2)) {
        // SAFETY: the element is this CPU's own.
        unsafe { *wanted += count };
    }
    0
}

aya_ebpf::panic_handler!();
