//! Programs at tracepoints and perf events.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext, Global, field,
    helpers::{bpf_copy_from_user, bpf_get_attach_cookie, bpf_probe_read_user_str_bytes},
    macros::{map, perf_event, tracepoint},
    maps::{Array, RingBuf},
    programs::{PerfEventContext, TracePointContext},
};
use aya_log_ebpf::info;

/// The thread whose events count.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);
/// The addresses whose page faults count, and those behind them.
#[unsafe(no_mangle)]
static FIRST: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static BEHIND: Global<u64> = Global::new(0);

/// How often programs ran.
#[map]
static RUNS: Array<u64> = Array::with_max_entries(1, 0);

/// What a program saw last: numbers.
#[map]
static LAST: Array<u64> = Array::with_max_entries(4, 0);

/// What programs saw: texts.
#[map]
static TEXTS: RingBuf = RingBuf::with_byte_size(1 << 16, 0);

/// A text, and numbers that came with it.
#[repr(C)]
struct Text {
    numbers: [u32; 3],
    len: u32,
    bytes: [u8; 256],
}

/// Writes down a text that `read` finds.
#[inline(always)]
fn write_down(numbers: [u32; 3], read: impl FnOnce(&mut [u8]) -> Result<usize, i32>) {
    let Some(mut entry) = TEXTS.reserve::<Text>(0) else {
        return;
    };
    let text = entry.as_mut_ptr();
    // SAFETY: the entry has room for a text, and all of it is written.
    unsafe {
        (*text).numbers = numbers;
        (*text).bytes = [0; 256];
        (*text).len = read(&mut (*text).bytes).map_or(0, |len| len as u32);
    }
    entry.submit(0);
}

fn ran() {
    if let Some(runs) = RUNS.get_ptr_mut(0) {
        // SAFETY: the map's value is valid while the program runs.
        unsafe { aya_ebpf::atomic_add_u64(runs, 1) };
    }
}

fn put(index: u32, value: u64) {
    if let Some(last) = LAST.get_ptr_mut(index) {
        // SAFETY: as in `ran`.
        unsafe { *last = value };
    }
}

/// Numbers by name and by offset, and a string behind the fixed fields.
#[tracepoint(category = "sched", name = "sched_process_exec")]
fn exec(ctx: TracePointContext) -> u32 {
    // SAFETY: an integer.
    let by_offset = unsafe { ctx.read_at(12) };
    let numbers = [
        ctx.field(field!("pid")),
        ctx.field(field!("sched/sched_process_exec", "pid")),
        by_offset.unwrap_or(0),
    ];
    write_down(numbers, |bytes| {
        Ok(ctx.str(field!("filename"), bytes)?.len())
    });
    0
}

/// The same string as bytes, of a length that only the event knows; from a function of its own.
#[tracepoint(category = "sched", name = "sched_process_exec")]
fn exec_bytes(ctx: TracePointContext) -> u32 {
    write_down([number(&ctx); 3], |bytes| {
        Ok(ctx.bytes(field!("filename"), bytes)?.len())
    });
    0
}

#[inline(never)]
fn number(ctx: &TracePointContext) -> u32 {
    ctx.field(field!("sched/sched_process_exec", "pid"))
}

/// A pointer to memory of the process.
#[tracepoint(category = "syscalls", name = "sys_enter_execve")]
fn execve(ctx: TracePointContext) -> u32 {
    let path: *const u8 = ctx.field(field!("filename"));
    write_down([ctx.pid(), 0, 0], |bytes| {
        // SAFETY: the kernel checks the address.
        let path = unsafe { bpf_probe_read_user_str_bytes(path, bytes) };
        Ok(path?.len())
    });
    0
}

/// Memory of the process that may have to be fetched first.
#[tracepoint(sleepable, category = "syscalls", name = "sys_enter_execve")]
fn execve_sleepable(ctx: TracePointContext) -> u32 {
    let path: *const u8 = ctx.field(field!("filename"));
    let mut letters = [0; 4];
    // SAFETY: the buffer has as many bytes, and the kernel checks the address.
    let ret = unsafe { bpf_copy_from_user(letters.as_mut_ptr().cast(), 4, path.cast()) };
    write_down([ctx.pid(), u32::from(ret == 0), 0], |bytes| {
        bytes[..4].copy_from_slice(&letters);
        Ok(4)
    });
    0
}

/// Arrays of fixed size.
#[tracepoint(category = "sched", name = "sched_switch")]
fn switch(ctx: TracePointContext) -> i32 {
    let next: u32 = ctx.field(field!("next_pid"));
    if next == THREAD.load() {
        let state: i64 = ctx.field(field!("prev_state"));
        write_down([next, (state >= 0).into(), 0], |bytes| {
            Ok(ctx.bytes(field!("next_comm"), bytes)?.len())
        });
    }
    0
}

/// Any tracepoint.
#[tracepoint]
fn count(ctx: TracePointContext) -> u32 {
    if ctx.pid() == THREAD.load() {
        ran();
    }
    0
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn log(ctx: TracePointContext) -> u32 {
    let pid: u32 = ctx.field(field!("pid"));
    info!(&ctx, "thread {} executes a program", pid);
    0
}

#[tracepoint]
fn cookie(ctx: TracePointContext) -> u32 {
    if ctx.pid() == THREAD.load() {
        // SAFETY: the context is the program's own.
        put(0, unsafe { bpf_get_attach_cookie(ctx.as_ptr()) });
        ran();
    }
    0
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn unknown_field(ctx: TracePointContext) -> u32 {
    ctx.field(field!("pidd"))
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn hidden_field(ctx: TracePointContext) -> u32 {
    ctx.field(field!("common_pid"))
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn wrong_size(ctx: TracePointContext) -> u32 {
    ctx.field::<u64>(field!("pid")) as u32
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn not_a_string(ctx: TracePointContext) -> u32 {
    ctx.str(field!("pid"), &mut [0; 8]).is_ok().into()
}

#[tracepoint(category = "sched", name = "sched_process_exec")]
fn not_a_number(ctx: TracePointContext) -> u32 {
    ctx.field(field!("filename"))
}

#[tracepoint]
fn no_event(ctx: TracePointContext) -> u32 {
    ctx.field(field!("pid"))
}

#[tracepoint(category = "sched", name = "sched_proces_exec")]
fn unknown_event(ctx: TracePointContext) -> u32 {
    ctx.field(field!("pid"))
}

/// Any perf event.
#[perf_event]
fn overflow(ctx: PerfEventContext) -> u32 {
    put(0, ctx.sample_period());
    if let Ok(value) = ctx.read_value() {
        put(1, value.counter);
        put(2, value.running);
    }
    #[cfg(bpf_target_arch = "x86_64")]
    put(3, ctx.regs().rip);
    #[cfg(bpf_target_arch = "aarch64")]
    put(3, ctx.regs().pc);
    ran();
    0
}

/// Page faults of certain addresses.
#[perf_event]
fn faults(ctx: PerfEventContext) -> u32 {
    if (FIRST.load()..BEHIND.load()).contains(&ctx.addr()) {
        ran();
    }
    0
}

#[perf_event]
fn log_overflow(ctx: PerfEventContext) -> u32 {
    if ctx.pid() == THREAD.load() {
        info!(&ctx, "every {}", ctx.sample_period());
    }
    0
}

#[perf_event]
fn event_cookie(ctx: PerfEventContext) -> u32 {
    // SAFETY: the context is the program's own.
    put(0, unsafe { bpf_get_attach_cookie(ctx.as_ptr()) });
    ran();
    0
}

aya_ebpf::panic_handler!();
