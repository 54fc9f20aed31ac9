//! Stack traces: call stacks, stored once each.

use core::ops::Deref;

use crate::{
    EbpfContext,
    bindings::{BPF_F_STACK_BUILD_ID, bpf_stack_build_id},
    cty::c_long,
    helpers::generated as raw,
    maps::{Map, def::map_type},
    programs::tracing::{StackIdContext, StackTraceMap},
};

/// Return addresses of a stack, zeros after the last.
type Frames = [u64; 127];

map_type! {
    /// A store of call stacks, up to 127 calls deep. Since Linux 4.6.
    StackTrace: u32 => Frames, STACK_TRACE,
    /// Room for `max_entries` stacks; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl StackTrace {
    /// Stores up to `frames` calls of each stack, not 127. The sysctl `kernel.perf_event_max_stack` is the
    /// most that the kernel takes.
    ///
    /// A map with the flag `BPF_F_STACK_BUILD_ID` (Linux 4.17) needs this: it has more to store of each
    /// call, the build id of the file that is executed and the place in it, so that user space can find
    /// the function even when the process is gone.
    ///
    /// ```
    /// use aya_ebpf::{bindings::BPF_F_STACK_BUILD_ID, macros::map, maps::StackTrace};
    ///
    /// #[map]
    /// static STACKS: StackTrace = StackTrace::with_max_entries(1024, BPF_F_STACK_BUILD_ID).depth(64);
    /// # fn main() {}
    /// ```
    pub const fn depth(mut self, frames: u32) -> Self {
        assert!(frames > 0, "a stack has at least one frame");
        let frame = match self.definition().flags() & BPF_F_STACK_BUILD_ID {
            0 => size_of::<u64>(),
            _ => size_of::<bpf_stack_build_id>(),
        };
        self.definition().set_value_size(frames * frame as u32);
        self
    }

    /// Stores the running stack and returns its number. `flags` as for `bpf_get_stackid`:
    /// `BPF_F_USER_STACK`, `BPF_F_REUSE_STACKID`, `BPF_F_FAST_STACK_CMP`, frames to skip.
    ///
    /// # Errors
    ///
    /// A negative error number: `-EEXIST` when another stack has the place.
    ///
    /// # Safety
    ///
    /// `ctx` must be the context of the running program.
    #[inline(always)]
    pub unsafe fn get_stackid<C: EbpfContext>(&self, ctx: &C, flags: u64) -> Result<i64, i64> {
        // SAFETY: the caller's promise.
        let id = unsafe { raw::bpf_get_stackid(ctx.as_ptr(), self.as_ptr(), flags) };
        if id < 0 { Err(id) } else { Ok(id) }
    }
}

impl StackTraceMap for StackTrace {
    #[inline(always)]
    fn store<C: StackIdContext>(&self, ctx: &C, flags: u64) -> Result<c_long, i32> {
        // SAFETY: the context is the kernel's.
        unsafe { self.get_stackid(ctx, flags) }.map_err(|error| error as i32)
    }
}

impl<M: Map + Deref<Target = StackTrace>> StackTraceMap for M {
    #[inline(always)]
    fn store<C: StackIdContext>(&self, ctx: &C, flags: u64) -> Result<c_long, i32> {
        (**self).store(ctx, flags)
    }
}
