//! Leaving a program that cannot go on.

/// Leaves the program at once, with the value of its type that does no harm: `XDP_ABORTED`,
/// `TC_ACT_SHOT`, 0 and so on, as [the program table](aya_uapi::programs::ProgramDef::safe) says.
///
/// Every panic ends here. Works on all kernels: the linker makes a return of it.
#[inline(always)]
pub fn abort() -> ! {
    #[cfg(any(aya_ebpf, target_arch = "bpf"))]
    {
        unsafe extern "C" {
            fn __ebpf_abort() -> !;
        }
        // SAFETY: takes nothing and does not return.
        unsafe { __ebpf_abort() }
    }
    #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
    crate::only_in_the_kernel("abort")
}

/// Defines what an eBPF binary needs besides its programs: the `#[panic_handler]`.
///
/// A program that panics leaves with the value that does no harm; with `aya-log-ebpf` the panic's
/// file and line are logged. On the host the macro makes the crate an ordinary, empty program, so that
/// `cargo build` of a whole workspace works. A program may write its own handler instead; its body is
/// not used.
///
/// ```text
/// #![no_std]
/// #![no_main]
///
/// aya_ebpf::panic_handler!();
/// ```
#[macro_export]
macro_rules! panic_handler {
    () => {
        $crate::__panic_handler!();
    };
}

// Two definitions instead of a `cfg` in the expansion: that would be the caller's, not ours.

#[cfg(any(aya_ebpf, target_arch = "bpf"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __panic_handler {
    () => {
        #[panic_handler]
        fn panic(_info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::abort()
        }
    };
}

#[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __panic_handler {
    () => {
        extern crate std as _;

        // SAFETY: the only `main` of a `no_main` program.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ::core::ffi::c_int {
            $crate::__private::host_main()
        }
    };
}

/// What an eBPF program does when it is started as a process.
#[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
#[doc(hidden)]
pub fn host_main() -> core::ffi::c_int {
    crate::only_in_the_kernel("main")
}
