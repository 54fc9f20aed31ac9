//! The context of programs at the entry of kernel functions.

use crate::programs::tracing::{arguments_context, returns_nothing};

arguments_context! {
    /// The arguments of the function that was entered.
    ///
    /// Pointers to the kernel's structures can be followed as they are, without a helper: the verifier
    /// knows their types, and what cannot be read reads as zeros.
    ///
    /// ```
    /// use aya_ebpf::{macros::fentry, programs::FEntryContext};
    ///
    /// #[fentry(function = "do_unlinkat")]
    /// fn unlink(ctx: FEntryContext) -> u32 {
    ///     let directory: i32 = ctx.arg(0);
    ///     // …
    ///     # let _ = directory;
    ///     0
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 5.5.
    FEntryContext
}
returns_nothing!(FEntryContext);
