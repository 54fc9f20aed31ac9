//! The contexts at functions, tracepoints and security hooks.

use core::ffi::c_void;

use aya_ebpf::{
    Argument, EbpfContext,
    cty::c_long,
    maps::StackTrace,
    programs::{
        BtfTracePointContext, FEntryContext, FExitContext, LsmContext, PerfEventContext,
        ProbeContext, RawTracePointContext, RetProbeContext, TracePointContext,
        tracing::{StackIdContext, StackTraceMap},
    },
};

fn argument<T: Argument>() {}

fn arguments() {
    argument::<u8>();
    argument::<i16>();
    argument::<u32>();
    argument::<i64>();
    argument::<usize>();
    argument::<*const c_void>();
    argument::<*mut c_void>();
}

macro_rules! context {
    ($name:ident: $context:ident = $path:path) => {
        fn $name(raw: *mut c_void, given: $path) {
            const NEW: fn(*mut c_void) -> $context = $context::new;
            const FIRST: fn(&$context, usize) -> u64 = $context::arg::<u64>;
            const fn made(raw: *mut c_void) -> $context {
                $context::new(raw)
            }
            let ctx: $context = given;
            let (_, _): (i32, *const u8) = (ctx.arg(0), ctx.arg(1));
            let _: *mut c_void = ctx.as_ptr();
            let _: Result<[u8; 16], i32> = ctx.command();
            let _: [u32; 4] = [ctx.pid(), ctx.tgid(), ctx.uid(), ctx.gid()];
            made(raw);
        }
    };
}

context!(fentry: FEntryContext = aya_ebpf::programs::fentry::FEntryContext);
context!(fexit: FExitContext = aya_ebpf::programs::fexit::FExitContext);
context!(lsm: LsmContext = aya_ebpf::programs::lsm::LsmContext);
context!(tp_btf: BtfTracePointContext = aya_ebpf::programs::tp_btf::BtfTracePointContext);
context!(raw: RawTracePointContext = aya_ebpf::programs::raw_tracepoint::RawTracePointContext);

fn result(ctx: &FExitContext) -> Result<i32, i32> {
    let _: u64 = ctx.ret()?;
    ctx.ret::<i32>()
}

static STACKS: StackTrace = StackTrace::with_max_entries(16, 0);

fn stack<C: StackIdContext, M: StackTraceMap>(ctx: &C, map: &M) -> Result<c_long, i32> {
    ctx.get_stackid(map, 0)
}

fn stacks(
    entered: &ProbeContext,
    left: &RetProbeContext,
    sample: &PerfEventContext,
    event: &TracePointContext,
    raw: &RawTracePointContext,
    typed: &BtfTracePointContext,
    functions: (&FEntryContext, &FExitContext),
) -> Result<c_long, i32> {
    stack(entered, &STACKS)?;
    stack(left, &STACKS)?;
    stack(sample, &STACKS)?;
    stack(event, &STACKS)?;
    stack(raw, &STACKS)?;
    stack(typed, &STACKS)?;
    stack(functions.0, &STACKS)?;
    functions.1.get_stackid(&STACKS, 0)
}
