//! Programs at tracepoints and perf events.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global, field,
    helpers::bpf_probe_read_user_str_bytes,
    macros::{map, perf_event, tracepoint},
    maps::{Array, HashMap, RingBuf},
    programs::{PerfEventContext, TracePointContext},
};
use aya_log_ebpf::info;

/// The process whose events count.
#[unsafe(no_mangle)]
static PROCESS: Global<u32> = Global::new(0);

/// How often each program ran, by its number.
#[map]
static RUNS: Array<u64> = Array::with_max_entries(8, 0);

/// What programs saw.
#[map]
static SEEN: RingBuf = RingBuf::with_byte_size(1 << 16, 0);

/// A program's path.
#[repr(C)]
struct Path {
    pid: u32,
    old_pid: u32,
    by_offset: u32,
    len: u32,
    text: [u8; 64],
}

fn is_ours<C: aya_ebpf::EbpfContext>(ctx: &C) -> bool {
    ctx.tgid() == PROCESS.load()
}

fn ran(program: u32) {
    if let Some(runs) = RUNS.get_ptr_mut(program) {
        // SAFETY: the map's value is valid while the program runs.
        unsafe { aya_ebpf::atomic_add_u64(runs, 1) };
    }
}

/// Fields by name: numbers and a string.
#[tracepoint(category = "sched", name = "sched_process_exec")]
fn exec(ctx: TracePointContext) -> u32 {
    let Some(mut entry) = SEEN.reserve::<Path>(0) else {
        return 0;
    };
    let path = entry.as_mut_ptr();
    // SAFETY: the entry has room for one, and all of it is written.
    unsafe {
        (*path).pid = ctx.field(field!("pid"));
        (*path).old_pid = ctx.field(field!("old_pid"));
        (*path).by_offset = ctx.read_at(12).unwrap_or(0);
        (*path).text = [0; 64];
        (*path).len = match ctx.str(field!("filename"), &mut (*path).text) {
            Ok(text) => text.len() as u32,
            Err(_) => 0,
        };
    }
    entry.submit(0);
    0
}

aya_ebpf::panic_handler!();
