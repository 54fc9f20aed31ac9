//! What probes see: each program keeps the registers that it was given, per thread.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext, Global,
    helpers::{
        bpf_get_attach_cookie, bpf_probe_read_kernel, bpf_probe_read_user_str_bytes,
        generated::bpf_copy_from_user,
    },
    macros::{kprobe, kretprobe, map, uprobe, uretprobe},
    maps::HashMap,
    programs::{ProbeContext, RetProbeContext},
};
use aya_log_ebpf::info;

/// The process to watch; 0 for all.
#[unsafe(no_mangle)]
static PROCESS: Global<u32> = Global::new(0);

/// What a thread's calls have shown.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Seen {
    calls: u64,
    values: [u64; 6],
    /// Whether something was found behind the last register.
    more: u64,
    cookie: u64,
    text: [u8; 16],
}

/// By thread.
#[map]
static SEEN: HashMap<u32, Seen> = HashMap::with_max_entries(64, 0);

impl Seen {
    const NOTHING: Self = Self {
        calls: 0,
        values: [0; 6],
        more: 0,
        cookie: 0,
        text: [0; 16],
    };

    fn arguments(ctx: &ProbeContext) -> Self {
        let value = |n| ctx.arg::<u64>(n).unwrap_or(u64::MAX);
        Self {
            values: [value(0), value(1), value(2), value(3), value(4), value(5)],
            more: u64::from(ctx.arg::<u64>(6).is_some()),
            ..Self::NOTHING
        }
    }
}

#[inline(always)]
fn watched(ctx: &impl EbpfContext) -> bool {
    let process = PROCESS.load();
    process == 0 || process == ctx.tgid()
}

#[inline(always)]
fn keep(ctx: &impl EbpfContext, seen: Seen) -> u32 {
    let thread = ctx.pid();
    // SAFETY: this thread alone has the entry, and no other program is running on its behalf.
    let calls = unsafe { SEEN.get(&thread) }.map_or(0, |seen| seen.calls);
    let seen = Seen {
        calls: calls + 1,
        ..seen
    };
    // A full map shows in the test.
    u32::from(SEEN.insert(thread, seen, 0).is_err())
}

/// `vfs_read(file, buffer, count, position)`.
#[kprobe]
fn entry(ctx: ProbeContext) -> u32 {
    if !watched(&ctx) {
        return 0;
    }
    let mut seen = Seen::arguments(&ctx);
    let file = ctx.arg::<*const u64>(0).unwrap_or(core::ptr::null());
    // SAFETY: any integer will do.
    seen.more = u64::from(unsafe { bpf_probe_read_kernel(file) }.is_ok());
    info!(&ctx, "read of {}", seen.values[2]);
    keep(&ctx, seen)
}

#[kretprobe]
fn leave(ctx: RetProbeContext) -> u32 {
    if !watched(&ctx) {
        return 0;
    }
    let value = ctx.ret::<i64>();
    info!(&ctx, "returned {}", value);
    let mut seen = Seen::NOTHING;
    seen.values[0] = value as u64;
    keep(&ctx, seen)
}

/// The target stands in the section's name.
#[kprobe(function = "vfs_read", offset = "0x10")]
fn with_target(_ctx: ProbeContext) -> u32 {
    0
}

#[uprobe]
fn call(ctx: ProbeContext) -> u32 {
    if !watched(&ctx) {
        return 0;
    }
    let seen = Seen::arguments(&ctx);
    info!(
        &ctx,
        "called with {} and {}", seen.values[0], seen.values[1]
    );
    keep(&ctx, seen)
}

/// The first argument is a string.
#[uprobe(path = "/proc/self/exe", function = "named")]
fn text(ctx: ProbeContext) -> u32 {
    let mut seen = Seen::NOTHING;
    let address = ctx.arg::<*const u8>(0).unwrap_or(core::ptr::null());
    // SAFETY: it is a string of the process.
    let text = unsafe { bpf_probe_read_user_str_bytes(address, &mut seen.text) };
    seen.values[0] = text.map_or(u64::MAX, |text| text.len() as u64);
    keep(&ctx, seen)
}

#[uretprobe]
fn result(ctx: RetProbeContext) -> u32 {
    if !watched(&ctx) {
        return 0;
    }
    let value = ctx.ret::<u64>();
    info!(&ctx, "result {}", value);
    let mut seen = Seen::NOTHING;
    seen.values[0] = value;
    keep(&ctx, seen)
}

/// For kernels with cookies (5.15).
#[kprobe]
fn marked(ctx: ProbeContext) -> u32 {
    if !watched(&ctx) {
        return 0;
    }
    cookie(ctx)
}

/// For kernels with cookies (5.15).
#[uprobe]
fn cookie(ctx: ProbeContext) -> u32 {
    let mut seen = Seen::NOTHING;
    // SAFETY: the context is this program's own.
    seen.cookie = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) };
    keep(&ctx, seen)
}

/// Programs that may wait for memory of the process (6.0).
#[uprobe(sleepable)]
fn sleepy(ctx: ProbeContext) -> u32 {
    let mut seen = Seen::NOTHING;
    let address = ctx.arg::<*const u8>(0).unwrap_or(core::ptr::null());
    // SAFETY: eight bytes of a string of the process.
    let ret = unsafe { bpf_copy_from_user(seen.text.as_mut_ptr().cast(), 8, address.cast()) };
    seen.values[0] = ret as u64;
    keep(&ctx, seen)
}

aya_ebpf::panic_handler!();
