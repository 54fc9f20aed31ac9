//! The context of programs at the return of kernel functions.

use crate::{
    Argument, EbpfContext as _,
    helpers::generated::bpf_get_func_ret,
    programs::tracing::{arguments_context, returns_nothing},
};

arguments_context! {
    /// The arguments and the result of the function that returned.
    ///
    /// The result stands behind the arguments: `ctx.arg(2)` of a function with two. (Since Linux 5.17
    /// [`ret`](Self::ret) finds it without counting.) Pointers can be followed as in a
    /// [`FEntryContext`](crate::programs::FEntryContext).
    ///
    /// ```
    /// use aya_ebpf::{macros::fexit, programs::FExitContext};
    ///
    /// #[fexit(function = "do_unlinkat")]
    /// fn unlinked(ctx: FExitContext) -> u32 {
    ///     let error: i32 = ctx.arg(2);
    ///     // …
    ///     # let _ = error;
    ///     0
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 5.5.
    FExitContext
}
returns_nothing!(FExitContext);

impl FExitContext {
    /// The function's result (`bpf_get_func_ret`, Linux 5.17).
    ///
    /// The verifier takes a pointer from here for a number: follow it through helpers.
    ///
    /// # Errors
    ///
    /// A negative error number, if the function returns nothing.
    #[inline(always)]
    pub fn ret<T: Argument>(&self) -> Result<T, i32> {
        let mut value = 0u64;
        // SAFETY: the context is the kernel's, and `value` has room for the result.
        let error = unsafe { bpf_get_func_ret(self.as_ptr(), &raw mut value) };
        if error == 0 {
            Ok(T::from_register(value))
        } else {
            Err(error as i32)
        }
    }
}
