#![no_std]
#![no_main]
use aya_ebpf::{
    EbpfContext, bindings,
    cty::c_void,
    field,
    macros::{perf_event, tracepoint},
    programs::{PerfEventContext, TracePointContext, perf_event, tracepoint},
};

#[tracepoint]
pub fn plain(ctx: TracePointContext) -> u32 {
    match try_plain(ctx) {
        Ok(ret) => ret,
        Err(ret) => ret,
    }
}

fn try_plain(ctx: TracePointContext) -> Result<u32, u32> {
    let value: Result<u64, i32> = unsafe { ctx.read_at::<u64>(16) };
    let bytes: [u8; 16] = unsafe { ctx.read_at(24) }.map_err(|_| 1u32)?;
    let at: *mut c_void = ctx.as_ptr();
    Ok(u32::from(bytes[0]) + value.unwrap_or(0) as u32 + u32::from(at.is_null()) + ctx.pid())
}

#[tracepoint(name = "another")]
fn named(ctx: tracepoint::TracePointContext) -> i32 {
    match try_plain(TracePointContext::new(ctx.as_ptr())) {
        Ok(_) => 0,
        Err(_) => -1,
    }
}

#[tracepoint(name = "sys_enter_openat", category = "syscalls")]
fn fields(ctx: TracePointContext) -> i64 {
    let directory: i64 = ctx.field(field!("dfd"));
    let name = ctx.field::<*const u8>(field!("filename"));
    let shared = field!("syscalls/sys_enter_openat", "flags");
    let flags = [ctx.field::<u64>(shared), ctx.field(shared)];
    let small = (
        ctx.field::<bool>(field!("a")),
        ctx.field::<i8>(field!("a")),
        ctx.field::<u16>(field!("b")),
    );
    let mut buffer = [0; 32];
    let text: Result<&[u8], i32> = ctx.str(field!("text"), &mut buffer);
    let len = text.map_or(0, <[u8]>::len);
    let bytes: Result<&[u8], i32> = ctx.bytes(field!("bytes"), &mut buffer);
    directory
        + flags[0] as i64
        + i64::from(name.is_null() || small.0)
        + i64::from(small.1)
        + i64::from(small.2)
        + (len + bytes.map_or(0, <[u8]>::len)) as i64
}

#[perf_event]
pub fn sample(ctx: PerfEventContext) -> u32 {
    let data: *mut bindings::bpf_perf_event_data = ctx.ctx;
    let value: Result<bindings::bpf_perf_event_value, i32> = ctx.read_value();
    let registers: &bindings::pt_regs = ctx.regs();
    let numbers: [u64; 3] = [ctx.sample_period(), ctx.addr(), registers.rip];
    u32::from(numbers[0] == value.map_or(0, |value| value.counter) || data.is_null())
}

#[perf_event(name = "profile")]
fn renamed(ctx: perf_event::PerfEventContext) -> i64 {
    i64::from(ctx.tgid() + sample(PerfEventContext::new(ctx.ctx)))
}

#[perf_event]
fn nothing(_ctx: PerfEventContext) {}

aya_ebpf::panic_handler!();
