#![no_std]
#![no_main]
use core::ffi::c_void;

use aya_ebpf::{
    Argument, EbpfContext,
    cty::{c_int, c_ulong},
    macros::{btf_tracepoint, fentry, fexit, lsm, raw_tracepoint},
    programs::{
        BtfTracePointContext, FEntryContext, FExitContext, LsmContext, RawTracePointContext,
        fentry, fexit, lsm as lsm_contexts, raw_tracepoint as raw, tp_btf,
    },
};

#[repr(C)]
struct Task {
    pid: c_int,
}

#[fentry]
fn plain(ctx: fentry::FEntryContext) -> u32 {
    ctx.pid()
}

#[fentry(function = "vfs_fallocate", name = "renamed")]
pub fn entered(ctx: FEntryContext) -> i32 {
    let mode: i32 = ctx.arg(1);
    mode + ctx.arg::<i32>(2)
}

#[fentry(function = "bpf_fentry_test1", sleepable)]
fn sleeping(ctx: FEntryContext) -> u32 {
    FEntryContext::new(ctx.as_ptr()).tgid()
}

#[fexit(function = "vfs_fallocate", sleepable)]
fn left(ctx: fexit::FExitContext) -> u32 {
    let arguments: (*const Task, *mut c_void, u8, bool, usize) =
        (ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4));
    unsafe { (*arguments.0).pid as u32 + ctx.ret::<u32>().unwrap_or(0) }
}

#[fexit]
unsafe fn left_unsafe(_: FExitContext) -> i32 {
    0
}

#[btf_tracepoint(function = "sched_switch")]
fn switched(ctx: tp_btf::BtfTracePointContext) -> i32 {
    ctx.arg::<u8>(0).into()
}

#[btf_tracepoint]
fn any(ctx: BtfTracePointContext) -> u32 {
    helper::<u32>(ctx.arg(0))
}

#[raw_tracepoint(tracepoint = "sys_enter")]
fn call(ctx: raw::RawTracePointContext) -> i32 {
    ctx.arg::<i64>(1) as i32
}

#[raw_tracepoint]
fn other(ctx: RawTracePointContext) -> u32 {
    helper::<u8>(ctx.arg(1))
}

fn helper<T: Argument>(_: T) -> u32
where
    T: Into<u64>,
{
    0
}

#[lsm(hook = "task_setnice")]
fn nice(ctx: lsm_contexts::LsmContext) -> i32 {
    let (pid, nice, _flags, before): (c_int, c_int, c_ulong, c_int) = unsafe {
        let task: *const Task = ctx.arg(0);
        ((*task).pid, ctx.arg(1), ctx.arg(2), ctx.arg(3))
    };
    if pid == 0 { nice } else { before }
}

#[lsm(hook = "file_open", sleepable)]
fn open(_: LsmContext) -> i32 {
    0
}

#[raw_tracepoint]
fn nothing(_: RawTracePointContext) {}

aya_ebpf::panic_handler!();
