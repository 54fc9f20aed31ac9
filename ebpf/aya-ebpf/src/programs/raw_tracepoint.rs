//! The context of programs at tracepoints, on arguments without types.

use crate::programs::tracing::{arguments_context, returns_nothing};

arguments_context! {
    /// The arguments of the tracepoint.
    ///
    /// They are those of the `TP_PROTO` in the kernel's `include/trace/events`. Pointers are numbers to
    /// the verifier: what is behind them is read with
    /// [`bpf_probe_read_kernel`](crate::helpers::bpf_probe_read_kernel).
    ///
    /// ```
    /// use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
    ///
    /// #[raw_tracepoint(tracepoint = "sys_enter")]
    /// fn entered(ctx: RawTracePointContext) -> i32 {
    ///     let syscall: i64 = ctx.arg(1);
    ///     // …
    ///     # let _ = syscall;
    ///     0
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.17.
    RawTracePointContext
}
returns_nothing!(RawTracePointContext);
