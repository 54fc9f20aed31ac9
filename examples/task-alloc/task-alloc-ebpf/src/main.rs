//! Records who creates processes: the kernel asks when it has copied the creator's task.
#![no_std]
#![no_main]

use aya_ebpf::{
    cty::{c_int, c_ulong},
    macros::{lsm, map},
    maps::HashMap,
    programs::LsmContext,
};
use task_alloc_common::Pid;

/// The kernel's types, by `build.rs`.
#[allow(
    clippy::all,
    dead_code,
    improper_ctypes_definitions,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    reason = "the names are the kernel's"
)]
mod vmlinux {
    include!(concat!(env!("OUT_DIR"), "/vmlinux.rs"));
}

use vmlinux::task_struct;

#[map]
static PROCESSES: HashMap<Pid, Pid> = HashMap::with_max_entries(32768, 0);

#[lsm(hook = "task_alloc")]
fn task_alloc(ctx: LsmContext) -> i32 {
    // What the hook passes: the new task, how it is made, and what the programs before this one decided.
    let (task, _clone_flags, decided): (*const task_struct, c_ulong, c_int) =
        (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    // SAFETY: the verifier knows that this is a task, and checks the access.
    let pid = unsafe { (*task).pid };
    // A full map is no reason to refuse the process.
    let _full = PROCESSES.insert(pid, pid, 0);
    decided
}

aya_ebpf::panic_handler!();
