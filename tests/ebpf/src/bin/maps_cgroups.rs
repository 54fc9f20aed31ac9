//! A value for each cgroup.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global,
    bindings::cgroup,
    macros::{btf_tracepoint, map},
    maps::CgrpStorage,
    programs::BtfTracePointContext,
};

/// What is known of a cgroup.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Group {
    /// Who made it.
    maker: u64,
    /// How many tasks have moved there.
    moved: u64,
}

#[map]
static GROUPS: CgrpStorage<Group> = CgrpStorage::new();

/// The thread that is looked at.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);

/// `cgroup_mkdir(cgrp, path)`.
#[btf_tracepoint(function = "cgroup_mkdir")]
fn made(ctx: BtfTracePointContext) -> i32 {
    if ctx.pid() == THREAD.load() {
        let group: *mut cgroup = ctx.arg(0);
        let mut first = Group {
            maker: ctx.pid().into(),
            moved: 0,
        };
        // Nothing can be done about it here; the test sees that there is none.
        let _ = GROUPS.get_or_insert_ptr_mut(group, Some(&mut first));
    }
    0
}

/// `cgroup_attach_task(dst_cgrp, path, task, threadgroup)`.
#[btf_tracepoint(function = "cgroup_attach_task")]
fn moved(ctx: BtfTracePointContext) -> i32 {
    if ctx.pid() == THREAD.load() {
        let group: *mut cgroup = ctx.arg(0);
        // SAFETY: valid while the program runs; the test waits meanwhile.
        match unsafe { GROUPS.get_ptr_mut(group).as_mut() } {
            // The third task is one too many.
            Some(group_value) if group_value.moved == 2 => {
                let _ = GROUPS.delete(group);
            }
            Some(group_value) => group_value.moved += 1,
            None => {}
        }
    }
    0
}

aya_ebpf::panic_handler!();
