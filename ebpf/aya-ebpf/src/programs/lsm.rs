//! The context of security modules.

use crate::programs::{ProgramReturn, tracing::arguments_context};

arguments_context! {
    /// The arguments of a security hook.
    ///
    /// They are those of the `LSM_HOOK` in the kernel's `include/linux/lsm_hook_defs.h`, and behind them
    /// what the programs before this one returned: who denied already should stay denied. Pointers can be
    /// followed as in a [`FEntryContext`](crate::programs::FEntryContext).
    ///
    /// ```
    /// use aya_ebpf::{macros::lsm, programs::LsmContext};
    ///
    /// const EPERM: i32 = 1;
    ///
    /// #[lsm(hook = "task_setnice")]
    /// fn nice(ctx: LsmContext) -> i32 {
    ///     let (nice, before): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    ///     if before == 0 && nice < 0 { -EPERM } else { before }
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 5.7.
    LsmContext
}

/// The largest error number.
const MAX_ERRNO: i32 = 4095;
const EPERM: i32 = 1;

/// 0 allows; a negative error number denies with it, as does -1 (`EPERM`) in place of a positive number.
impl ProgramReturn<LsmContext> for i32 {
    /// Since Linux 6.12 the verifier wants to see that nothing else is returned, which it cannot of what
    /// came from an argument. Nor does it follow each operation by which the compiler knows, and so
    /// would leave the comparisons out: it must not look.
    #[inline(always)]
    fn for_kernel(self) -> Self {
        // SAFETY: a value of this function's own.
        let value = unsafe { core::ptr::read_volatile(&raw const self) };
        if value > 0 {
            -EPERM
        } else {
            value.max(-MAX_ERRNO)
        }
    }
}

/// For the few hooks that answer a question.
impl ProgramReturn<LsmContext> for bool {}
