//! Programs at functions, tracepoints and security hooks of the kernel. They look at one thread, which
//! the test names, and report what they are given.
#![no_std]
#![no_main]

use aya_ebpf::{
    Argument, EbpfContext, Global,
    helpers::{bpf_probe_read_kernel_str, generated::bpf_copy_from_user},
    macros::{btf_tracepoint, fentry, fexit, lsm, map, raw_tracepoint},
    maps::{Array, RingBuf},
    programs::{
        BtfTracePointContext, FEntryContext, FExitContext, LsmContext, RawTracePointContext,
    },
};
use aya_log_ebpf::info;

const EPERM: i32 = 1;

/// What a program was given.
type Event = [u64; 4];

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
/// Element 0: whether the thread may not open files.
#[map]
static CLOSED: Array<u32> = Array::with_max_entries(1, 0);

/// The thread that the programs look at.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);
/// Where a `task_struct` has its `pid`, in bytes.
#[unsafe(no_mangle)]
static PID_OFFSET: Global<u32> = Global::new(0);
/// Where the process has eight bytes for programs that may sleep.
#[unsafe(no_mangle)]
static ADDRESS: Global<u64> = Global::new(0);
/// The system call that [`entered`] reports.
#[unsafe(no_mangle)]
static SYSCALL: Global<i64> = Global::new(-1);

#[inline(always)]
fn is_ours(ctx: &impl EbpfContext) -> bool {
    ctx.pid() == THREAD.load()
}

#[inline(always)]
fn report(event: Event) {
    // A full buffer shows in the test.
    let _ = EVENTS.output(&event, 0);
}

/// The thread that the kernel's structure is about, read without a helper.
#[inline(always)]
fn thread(task: *const u8) -> u32 {
    // SAFETY: the verifier knows the structure, and that this is its member.
    unsafe {
        task.add(PID_OFFSET.load() as usize)
            .cast::<u32>()
            .read_volatile()
    }
}

/// A string of the kernel, its first eight bytes.
#[inline(always)]
fn text(address: *const u8) -> u64 {
    let mut text = [0; 8];
    // SAFETY: the kernel gives a string.
    let _ = unsafe { bpf_probe_read_kernel_str(address, &mut text) };
    u64::from_ne_bytes(text)
}

/// `vfs_fallocate(file, mode, offset, len)`.
#[fentry(function = "vfs_fallocate")]
fn enter(ctx: FEntryContext) -> u32 {
    if is_ours(&ctx) {
        let (mode, offset, len): (i32, i64, i64) = (ctx.arg(1), ctx.arg(2), ctx.arg(3));
        report([mode as u64, offset as u64, len as u64, 0]);
        info!(&ctx, "enter {} {} {}", mode, offset, len);
    }
    // Of no consequence.
    1
}

#[fexit(function = "vfs_fallocate")]
fn exit(ctx: FExitContext) -> i32 {
    if is_ours(&ctx) {
        let (mode, offset, len, error): (i32, i64, i64, i32) =
            (ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4));
        report([mode as u64, offset as u64, len as u64, error as u64]);
        info!(&ctx, "exit {}", error);
    }
    -1
}

/// The result without counting arguments, since Linux 5.17.
#[fexit]
fn result(ctx: FExitContext) -> u32 {
    if is_ours(&ctx)
        && let Ok(error) = ctx.ret::<i32>()
    {
        report([error as u64, 0, 0, 0]);
    }
    0
}

/// Any function, called for any thread: reports the process.
#[fentry]
fn anywhere(ctx: FEntryContext) -> u32 {
    report([ctx.tgid().into(), 0, 0, 0]);
    0
}

/// `bpf_fentry_test4(void *a, char b, int c, u64 d)`, which the kernel calls for test runs.
#[fexit(function = "bpf_fentry_test4")]
fn sum(ctx: FExitContext) -> u32 {
    if is_ours(&ctx) {
        let (a, b, c, d): (*const u8, i8, i32, u64) =
            (ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3));
        report([a as u64, b as u64, c as u64, d]);
        report([ctx.arg(4), 0, 0, 0]);
    }
    0
}

/// Eight bytes of the process, for which the program sleeps until they are in memory.
#[inline(always)]
fn awaited() -> u64 {
    let mut bytes = [0u8; 8];
    let from = ADDRESS.load() as *const core::ffi::c_void;
    // SAFETY: the helper writes 8 bytes, and checks the address.
    let _ = unsafe { bpf_copy_from_user(bytes.as_mut_ptr().cast(), 8, from) };
    u64::from_ne_bytes(bytes)
}

/// `bpf_fentry_test1(int a)`, where programs may sleep.
#[fentry(function = "bpf_fentry_test1", sleepable)]
fn sleeper(ctx: FEntryContext) -> u32 {
    if is_ours(&ctx) {
        report([ctx.arg(0), awaited(), 0, 0]);
    }
    0
}

/// Panics for modes that the table lacks.
#[fentry]
fn enter_panics(ctx: FEntryContext) -> u32 {
    if is_ours(&ctx) {
        report([1, 0, 0, 0]);
        report([u64::from(table(ctx.arg::<i32>(1) as usize)), 0, 0, 0]);
    }
    0
}

static TABLE: [Global<u32>; 4] = [
    Global::new(10),
    Global::new(11),
    Global::new(12),
    Global::new(13),
];

#[inline(always)]
fn table(index: usize) -> u32 {
    TABLE[index].load()
}

/// `sched_process_fork(parent, child)`.
#[btf_tracepoint(function = "sched_process_fork")]
fn fork(ctx: BtfTracePointContext) -> i32 {
    if is_ours(&ctx) {
        let (parent, child) = (thread(ctx.arg(0)), thread(ctx.arg(1)));
        report([parent.into(), child.into(), 0, 0]);
        info!(&ctx, "fork {}", child);
    }
    1
}

/// Panics for every thread that is not its process's first.
#[btf_tracepoint(function = "sched_process_fork")]
fn fork_panics(ctx: BtfTracePointContext) -> i32 {
    if is_ours(&ctx) {
        report([1, 0, 0, 0]);
        report([u64::from(table(thread(ctx.arg(1)) as usize)), 0, 0, 0]);
    }
    0
}

/// What both contexts at `task_rename(task, comm)` report.
#[inline(always)]
fn rename(name: *const u8) {
    report([text(name), 0, 0, 0]);
}

#[btf_tracepoint(function = "task_rename")]
fn renamed(ctx: BtfTracePointContext) -> u32 {
    if is_ours(&ctx) {
        rename(ctx.arg(1));
    }
    0
}

#[raw_tracepoint(tracepoint = "task_rename")]
fn renamed_raw(ctx: RawTracePointContext) -> i32 {
    if is_ours(&ctx) {
        rename(ctx.arg(1));
        info!(&ctx, "renamed");
    }
    1
}

/// `sys_enter(regs, id)`.
#[raw_tracepoint(tracepoint = "sys_enter")]
fn entered(ctx: RawTracePointContext) -> i32 {
    let id: i64 = ctx.arg(1);
    if is_ours(&ctx) && id == SYSCALL.load() {
        report([id as u64, 0, 0, 0]);
    }
    0
}

/// Panics for system calls that the table lacks.
#[raw_tracepoint]
fn entered_panics(ctx: RawTracePointContext) -> i32 {
    let id: i64 = ctx.arg(1);
    if is_ours(&ctx) && id == SYSCALL.load() {
        report([1, 0, 0, 0]);
        report([u64::from(table(id as usize)), 0, 0, 0]);
    }
    0
}

/// More arguments than any tracepoint of the tests has.
#[raw_tracepoint]
fn greedy(ctx: RawTracePointContext) -> i32 {
    ctx.arg(11)
}

/// Sums its arguments, for test runs.
#[raw_tracepoint]
fn given(ctx: RawTracePointContext) -> i32 {
    report([first(&ctx, 0), first(&ctx, 1), first(&ctx, 11), 0]);
    0
}

#[inline(always)]
fn first<T: Argument>(ctx: &RawTracePointContext, n: usize) -> T {
    ctx.arg(n)
}

/// `task_setnice(task, nice)`: 7 is denied.
#[lsm(hook = "task_setnice")]
fn nice(ctx: LsmContext) -> i32 {
    let (nice, before): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if !is_ours(&ctx) {
        return before;
    }
    report([thread(ctx.arg(0)).into(), nice as u64, before as u64, 0]);
    info!(&ctx, "nice {}", nice);
    if before == 0 && nice == 7 {
        -EPERM
    } else {
        before
    }
}

/// Denies 5, to be seen by those after it.
#[lsm(hook = "task_setnice")]
fn nice_first(ctx: LsmContext) -> i32 {
    if is_ours(&ctx) && ctx.arg::<i32>(1) == 5 {
        -13
    } else {
        ctx.arg(2)
    }
}

/// Panics for values that the table lacks.
#[lsm]
fn nice_panics(ctx: LsmContext) -> i32 {
    if is_ours(&ctx) {
        report([u64::from(table(ctx.arg::<i32>(1) as usize)), 0, 0, 0]);
    }
    0
}

/// `file_open(file)`, where programs may sleep.
#[lsm(hook = "file_open", sleepable)]
fn open(ctx: LsmContext) -> i32 {
    let before: i32 = ctx.arg(1);
    if is_ours(&ctx) && CLOSED.get(0).is_some_and(|closed| *closed != 0) {
        report([awaited(), 0, 0, 0]);
        return -EPERM;
    }
    before
}

aya_ebpf::panic_handler!();
