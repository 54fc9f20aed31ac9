//! Refuses negative nice values for one process, and logs every attempt to change any.
#![no_std]
#![no_main]

use aya_ebpf::{Global, cty::c_int, macros::lsm, programs::LsmContext};
use aya_log_ebpf::info;

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

const EPERM: i32 = 1;

/// The process that is watched, set by the loader.
#[unsafe(no_mangle)]
static PID: Global<i32> = Global::new(0);

#[lsm(hook = "task_setnice")]
fn task_setnice(ctx: LsmContext) -> i32 {
    // What the hook passes: the task, its new nice value, and what the programs before this one decided.
    let (task, nice, decided): (*const task_struct, c_int, c_int) =
        (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    // SAFETY: the verifier knows that this is a task, and checks the access.
    let pid = unsafe { (*task).pid };
    let watched = PID.load();
    info!(
        &ctx,
        "The PID supplied to this program is: {}, with nice value {} and return value {}. \
         Monitoring for changes in PID: {}",
        pid,
        nice,
        decided,
        watched
    );
    if decided != 0 {
        decided
    } else if pid == watched && nice < 0 {
        -EPERM
    } else {
        0
    }
}

aya_ebpf::panic_handler!();
