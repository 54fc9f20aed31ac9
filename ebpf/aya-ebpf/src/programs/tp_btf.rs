//! The context of programs at tracepoints, with typed arguments.

use crate::programs::tracing::{arguments_context, returns_nothing};

arguments_context! {
    /// The arguments of the tracepoint.
    ///
    /// They are those of the `TP_PROTO` in the kernel's `include/trace/events`. Pointers can be followed
    /// as in a [`FEntryContext`](crate::programs::FEntryContext).
    ///
    /// ```
    /// use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
    ///
    /// #[btf_tracepoint(function = "sched_switch")]
    /// fn switched(ctx: BtfTracePointContext) -> i32 {
    ///     let preempted: bool = ctx.arg(0);
    ///     // …
    ///     # let _ = preempted;
    ///     0
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 5.5.
    BtfTracePointContext
}
returns_nothing!(BtfTracePointContext);
