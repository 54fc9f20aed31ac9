//! The contexts that programs are given: what the kernel tells a program about its event.
//!
//! Each kind of program has one context type, which [the program table](aya_uapi::programs) names and
//! the attribute macros check. All implement [`EbpfContext`].

use core::ffi::c_void;

mod context;
pub mod device;
pub mod fentry;
pub mod fexit;
pub mod lsm;
pub mod perf_event;
pub mod probe;
pub mod raw_tracepoint;
pub(crate) mod registers;
pub mod retprobe;
pub mod sk_buff;
pub mod sk_msg;
pub mod sk_reuseport;
pub mod sock;
pub mod sock_addr;
pub mod sock_ops;
pub mod sockopt;
pub mod sysctl;
pub mod tc;
pub mod tp_btf;
pub mod tracepoint;
pub mod tracing;
pub mod xdp;

pub use device::DeviceContext;
pub use fentry::FEntryContext;
pub use fexit::FExitContext;
pub use lsm::LsmContext;
pub use perf_event::PerfEventContext;
pub use probe::ProbeContext;
pub use raw_tracepoint::RawTracePointContext;
pub use retprobe::RetProbeContext;
pub use sk_buff::SkBuffContext;
pub use sk_msg::SkMsgContext;
pub use sk_reuseport::SkReuseportContext;
pub use sock::SockContext;
pub use sock_addr::SockAddrContext;
pub use sock_ops::SockOpsContext;
pub use sockopt::SockoptContext;
pub use sysctl::SysctlContext;
pub use tc::TcContext;
pub use tp_btf::BtfTracePointContext;
pub use tracepoint::TracePointContext;
pub use xdp::XdpContext;

use crate::helpers;

/// What every context offers.
pub trait EbpfContext {
    /// The context as helpers take it.
    fn as_ptr(&self) -> *mut c_void;

    /// The name of the running task, zero-padded ([`helpers::bpf_get_current_comm`]).
    ///
    /// # Errors
    ///
    /// A negative error number.
    #[inline(always)]
    fn command(&self) -> Result<[u8; helpers::TASK_COMM_LEN], i32> {
        helpers::bpf_get_current_comm()
    }

    /// The id of the running thread, which user space calls TID.
    #[inline(always)]
    fn pid(&self) -> u32 {
        helpers::bpf_get_current_pid_tgid() as u32
    }

    /// The id of the running process, which user space calls PID.
    #[inline(always)]
    fn tgid(&self) -> u32 {
        (helpers::bpf_get_current_pid_tgid() >> 32) as u32
    }

    /// The user id of the running process.
    #[inline(always)]
    fn uid(&self) -> u32 {
        helpers::bpf_get_current_uid_gid() as u32
    }

    /// The group id of the running process.
    #[inline(always)]
    fn gid(&self) -> u32 {
        (helpers::bpf_get_current_uid_gid() >> 32) as u32
    }
}

/// A context that the kernel hands to programs of its kind.
///
/// # Safety
///
/// The type must be the one that [the program table](aya_uapi::programs) names for the structure
/// behind the pointer.
pub unsafe trait ProgramContext: EbpfContext + Sized {
    /// Takes what the kernel passed to the program.
    ///
    /// # Safety
    ///
    /// `ctx` must be the argument of a program of this kind.
    unsafe fn from_raw(ctx: *mut c_void) -> Self;
}

/// A context type that the programs may take whose row of [the program table](aya_uapi::programs)
/// names `C`: that one, or another for the same structure.
///
/// # Safety
///
/// The structure behind a `C` must be the one behind this type.
#[diagnostic::on_unimplemented(
    message = "this program takes a `{C}`, not a `{Self}`",
    label = "the kernel hands it a `{C}`"
)]
pub unsafe trait ContextOf<C>: ProgramContext {}

// SAFETY: the same type.
unsafe impl<C: ProgramContext> ContextOf<C> for C {}

/// The argument of a program whose row names `C`, as the author wrote its type. In the code that the
/// attribute macros emit.
///
/// # Safety
///
/// `ctx` must be the argument of such a program.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn context<C, Given: ContextOf<C>>(ctx: *mut c_void) -> Given {
    // SAFETY: the caller's promise.
    unsafe { Given::from_raw(ctx) }
}

/// A type that programs with context `C` return.
#[diagnostic::on_unimplemented(
    message = "a program with a `{C}` cannot return `{Self}`",
    label = "the kernel expects another type here"
)]
pub trait ProgramReturn<C>: Sized {
    /// What the kernel gets: the value, unless the kernel takes one alone.
    #[inline(always)]
    fn for_kernel(self) -> Self {
        self
    }
}

/// A context whose programs may return nothing: the kernel does not look, or takes 0.
#[diagnostic::on_unimplemented(
    message = "a program with a `{Self}` returns its verdict: add `-> u32` or `-> i32`",
    label = "the kernel acts on what it returns"
)]
pub trait NeedsNoVerdict: ProgramContext {}

/// What a program hands to the kernel whose function returns nothing. In the code that the attribute
/// macros emit.
#[doc(hidden)]
#[inline(always)]
pub fn nothing<C: NeedsNoVerdict>() -> u32 {
    0
}

/// What a program hands to the kernel of what the author's function returned. In the code that the
/// attribute macros emit.
#[doc(hidden)]
#[inline(always)]
pub fn returned<C: ProgramContext, R: ProgramReturn<C>>(value: R) -> R {
    value.for_kernel()
}
