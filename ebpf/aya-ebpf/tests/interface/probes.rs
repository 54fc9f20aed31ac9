//! Kernel and user probes.

use aya_ebpf::{
    Argument, EbpfContext,
    bindings::pt_regs,
    cty::c_void,
    programs::{ProbeContext, RetProbeContext, probe, retprobe},
};

const NEW: [fn(*mut c_void) -> ProbeContext; 2] = [ProbeContext::new, probe::ProbeContext::new];
const NEW_RETURN: fn(*mut c_void) -> retprobe::RetProbeContext = RetProbeContext::new;

fn entered(ctx: ProbeContext) -> Result<u32, i64> {
    let pointer: *const u8 = ctx.arg(0).ok_or(1i64)?;
    let changed: *mut c_void = ctx.arg(1).ok_or(1i64)?;
    let count = ctx.arg::<usize>(2).ok_or(1i64)?;
    let _: Option<(u8, i16)> = ctx.arg(3).zip(ctx.arg(4));
    let _: Option<bool> = ctx.arg(5);
    let registers: *mut pt_regs = ctx.regs;
    let _ = (pointer, changed, registers);
    Ok(count as u32 + ctx.pid() + ctx.tgid() + ctx.uid() + ctx.gid())
}

fn left(ctx: &RetProbeContext) -> Result<i32, i32> {
    let _: *mut pt_regs = ctx.regs;
    let _: [u8; 16] = ctx.command()?;
    let _: *mut c_void = ctx.as_ptr();
    let result: i32 = ctx.ret();
    let _ = ctx.ret::<*const c_void>();
    Ok(result)
}

fn generic<T: Argument>(ctx: &ProbeContext) -> Option<T> {
    ctx.arg(0)
}
