//! The context of perf event programs.

use core::ffi::c_void;

use crate::bindings::where_registers_are_known;
use crate::{
    EbpfContext,
    bindings::{bpf_perf_event_data, bpf_perf_event_value},
    helpers::generated,
    programs::{NeedsNoVerdict, ProgramContext, ProgramReturn},
};

/// An overflow of a counter: what the CPU was doing then.
///
/// Since Linux 4.9.
pub struct PerfEventContext {
    /// The kernel's structure.
    pub ctx: *mut bpf_perf_event_data,
}

impl PerfEventContext {
    /// A context from the program's argument.
    #[inline(always)]
    pub const fn new(ctx: *mut bpf_perf_event_data) -> Self {
        Self { ctx }
    }

    /// The event's counter, and how long it has been enabled and has counted, in nanoseconds: where several
    /// events share a hardware counter, `counter` stands for `running` out of `enabled`. Since Linux 4.15.
    ///
    /// # Errors
    ///
    /// A negative error number.
    #[inline(always)]
    pub fn read_value(&self) -> Result<bpf_perf_event_value, i32> {
        let mut value = bpf_perf_event_value::ZEROED;
        // SAFETY: the context is the program's own, and the helper writes one value.
        let ret = unsafe {
            let size = size_of::<bpf_perf_event_value>() as u32;
            generated::bpf_perf_prog_read_value(self.ctx, &raw mut value, size)
        };
        if ret < 0 { Err(ret as i32) } else { Ok(value) }
    }
}

where_registers_are_known! {
    impl PerfEventContext {
        /// The registers at that moment, of the kernel or of the process: whichever ran.
        ///
        /// The verifier allows reading members, one at a time: `ctx.regs().rip`.
        #[inline(always)]
        pub fn regs(&self) -> &crate::bindings::pt_regs {
            // SAFETY: the kernel's context lives as long as the program runs.
            unsafe { &(*self.ctx).regs }
        }

        /// How many occurrences this overflow stands for.
        #[inline(always)]
        pub fn sample_period(&self) -> u64 {
            // SAFETY: as in `regs`.
            unsafe { (*self.ctx).sample_period }
        }

        /// The address that the event is about: that of a page fault or breakpoint; 0 for most others.
        /// Since Linux 4.16.
        #[inline(always)]
        pub fn addr(&self) -> u64 {
            // SAFETY: as in `regs`.
            unsafe { (*self.ctx).addr }
        }
    }
}

impl EbpfContext for PerfEventContext {
    #[inline(always)]
    fn as_ptr(&self) -> *mut c_void {
        self.ctx.cast()
    }
}

// SAFETY: perf event programs are given a `struct bpf_perf_event_data`.
unsafe impl ProgramContext for PerfEventContext {
    #[inline(always)]
    unsafe fn from_raw(ctx: *mut c_void) -> Self {
        Self::new(ctx.cast())
    }
}

impl NeedsNoVerdict for PerfEventContext {}

/// 0, or 1 to let perf record the sample too.
impl ProgramReturn<PerfEventContext> for u32 {}
/// As `u32`; negative numbers count as 1.
impl ProgramReturn<PerfEventContext> for i32 {}
/// As `i32`.
impl ProgramReturn<PerfEventContext> for i64 {}
