//! What the contexts at functions and tracepoints of the kernel have in common: an array of arguments,
//! and the stack that led there.

use crate::{
    cty::c_long,
    maps::Map,
    programs::{
        BtfTracePointContext, FEntryContext, FExitContext, PerfEventContext, ProbeContext,
        ProgramContext, RawTracePointContext, RetProbeContext, TracePointContext,
    },
};

/// A context whose programs may store the running stack.
pub trait StackIdContext: ProgramContext {
    /// Stores the running stack in `map` and returns its number there (`bpf_get_stackid`, Linux 4.6).
    ///
    /// `flags` are `BPF_F_USER_STACK`, `BPF_F_REUSE_STACKID`, `BPF_F_FAST_STACK_CMP`, and how many
    /// frames to skip.
    ///
    /// # Errors
    ///
    /// `-EEXIST` when another stack has the place, `-EFAULT` when there is no such stack.
    #[inline(always)]
    fn get_stackid<M: StackTraceMap>(&self, map: &M, flags: u64) -> Result<c_long, i32> {
        map.store(self, flags)
    }
}

macro_rules! stacks {
    ($($context:ident)*) => {
        $(impl StackIdContext for $context {})*
    };
}
stacks! {
    BtfTracePointContext FEntryContext FExitContext PerfEventContext ProbeContext RawTracePointContext
    RetProbeContext TracePointContext
}

/// A map of call stacks.
pub trait StackTraceMap: Map {
    /// Stores the running stack.
    #[doc(hidden)]
    fn store<C: StackIdContext>(&self, ctx: &C, flags: u64) -> Result<c_long, i32>;
}

/// Defines a context that is an array of 64-bit arguments, and what its programs return.
macro_rules! arguments_context {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name {
            /// The arguments, one after the other.
            ctx: *mut core::ffi::c_void,
        }

        impl $name {
            /// A context from the program's argument.
            #[inline(always)]
            pub const fn new(ctx: *mut core::ffi::c_void) -> Self {
                Self { ctx }
            }

            /// The argument with index `n`, counted from 0, as the type that it has in the kernel's
            /// source.
            ///
            /// `n` must be known when the program is compiled, and the verifier knows how many
            /// arguments there are.
            #[inline(always)]
            pub fn arg<T: $crate::Argument>(&self, n: usize) -> T {
                // SAFETY: the verifier refuses programs that read past the arguments. Volatile: it
                // also wants them whole, where the compiler would read the part that is needed.
                let value = unsafe { self.ctx.cast::<u64>().add(n).read_volatile() };
                T::from_register(value)
            }
        }

        impl $crate::EbpfContext for $name {
            #[inline(always)]
            fn as_ptr(&self) -> *mut core::ffi::c_void {
                self.ctx
            }
        }

        // SAFETY: programs of this kind are given an array of their arguments.
        unsafe impl $crate::programs::ProgramContext for $name {
            #[inline(always)]
            unsafe fn from_raw(ctx: *mut core::ffi::c_void) -> Self {
                Self::new(ctx)
            }
        }
    };
}

/// Lets programs return what they like: the kernel takes 0, or does not look.
macro_rules! returns_nothing {
    ($context:ident) => {
        impl $crate::programs::NeedsNoVerdict for $context {}

        returns_nothing!($context: u32 i32 u64 i64);
    };
    ($context:ident: $($ty:ty)*) => {$(
        /// Of no consequence: the kernel gets 0.
        impl $crate::programs::ProgramReturn<$context> for $ty {
            #[inline(always)]
            fn for_kernel(self) -> Self {
                0
            }
        }
    )*};
}

pub(crate) use {arguments_context, returns_nothing};
