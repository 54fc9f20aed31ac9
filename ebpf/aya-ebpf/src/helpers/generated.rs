//! Every helper as the kernel declares it.
//!
//! A helper is called by its number, which the kernel never changes. The functions exist only inside
//! the kernel and panic elsewhere.
#![allow(clippy::too_many_arguments, reason = "the kernel's signatures")]

use core::ffi::{c_char, c_int, c_void};

use crate::bindings::*;

/// Makes a function of a row.
macro_rules! helper {
    ($(#[$doc:meta])* $number:literal $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty) => {
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The kernel's documentation of the helper (bpf-helpers(7)) says what the arguments must be.
        #[inline(always)]
        pub unsafe fn $name($($arg: $ty),*) -> $ret {
            #[cfg(any(aya_ebpf, target_arch = "bpf"))]
            {
                // SAFETY: in eBPF a call of a small number calls the helper of that number; the
                // arguments are the caller's promise.
                unsafe {
                    core::mem::transmute::<usize, unsafe extern "C" fn($($ty),*) -> $ret>($number)(
                        $($arg),*
                    )
                }
            }
            #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
            {
                let _ = ($($arg,)*);
                crate::only_in_the_kernel(stringify!($name))
            }
        }
    };
    // The kernel takes five arguments, however many C's declaration allows; Rust has to name them.
    ($(#[$doc:meta])* $number:literal $name:ident($a:ident: $a_ty:ty, $b:ident: $b_ty:ty, ...) -> $ret:ty) => {
        helper! {
            $(#[$doc])*
            $number $name($a: $a_ty, $b: $b_ty, arg1: u64, arg2: u64, arg3: u64) -> $ret
        }
    };
}

macro_rules! helpers {
    ($($(#[$doc:meta])* $number:literal $name:ident($($args:tt)*) -> $ret:ty;)*) => {
        $(helper! { $(#[$doc])* $number $name($($args)*) -> $ret })*
    };
}
aya_uapi::for_each_helper!(helpers);
