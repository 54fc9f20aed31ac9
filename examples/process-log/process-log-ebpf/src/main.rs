//! Logs each process that creates another, when the kernel is about to do it, and counts them.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, map},
    maps::HashMap,
    programs::FEntryContext,
};
use aya_log_ebpf::info;

/// How many processes each process has created.
#[map]
static CREATED: HashMap<u32, u64> = HashMap::with_max_entries(1024, 0);

#[fentry(function = "kernel_clone")]
fn kernel_clone(ctx: FEntryContext) -> i32 {
    let pid = ctx.tgid();
    // SAFETY: a value that is removed meanwhile is old, not gone: the kernel keeps its memory until
    // the program has ended.
    let before = unsafe { CREATED.get(&pid) }.copied().unwrap_or(0);
    let _full = CREATED.insert(pid, before + 1, 0);
    info!(&ctx, "new process: pid: {}", pid);
    0
}

aya_ebpf::panic_handler!();
