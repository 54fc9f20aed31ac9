//! A value for each task.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global,
    bindings::task_struct,
    macros::{btf_tracepoint, map},
    maps::TaskStorage,
    programs::BtfTracePointContext,
};

/// What is known of a task.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Task {
    /// The thread that made it.
    parent: u64,
    /// How often it was renamed.
    renamed: u64,
}

#[map]
static TASKS: TaskStorage<Task> = TaskStorage::new();

/// The process that is looked at.
#[unsafe(no_mangle)]
static PROCESS: Global<u32> = Global::new(0);

/// `task_newtask(task, clone_flags)`: a task of ours makes another one.
#[btf_tracepoint(function = "task_newtask")]
fn made(ctx: BtfTracePointContext) -> i32 {
    if ctx.tgid() == PROCESS.load() {
        let child: *mut task_struct = ctx.arg(0);
        let mut first = Task {
            parent: ctx.pid().into(),
            renamed: 0,
        };
        // Nothing can be done about it here; the test sees that there is none.
        let _ = TASKS.get_or_insert_ptr_mut(child, Some(&mut first));
    }
    0
}

/// `task_rename(task, comm)`: a task of ours renames one.
#[btf_tracepoint(function = "task_rename")]
fn renamed(ctx: BtfTracePointContext) -> i32 {
    if ctx.tgid() == PROCESS.load() {
        let task: *mut task_struct = ctx.arg(0);
        // SAFETY: valid while the program runs; the test waits meanwhile.
        match unsafe { TASKS.get_or_insert_ptr_mut(task, None).as_mut() } {
            Some(known) if known.renamed < 2 => known.renamed += 1,
            _ => {
                // The third time it is forgotten.
                let _ = TASKS.delete(task);
            }
        }
    }
    0
}

aya_ebpf::panic_handler!();
