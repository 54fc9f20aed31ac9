//! The kernel's constants and structures, under their own names.
//!
//! They are generated from the kernel's headers, once for eBPF programs and user space
//! ([`aya_uapi::bindings`]). Registers are those of the machine that the program will run on.

pub use aya_uapi::bindings::*;

/// Selects the registers of one architecture: the one that `aya-build` states, else the compiler's.
macro_rules! registers {
    ($($arch:ident $name:literal,)*) => {
        $(
            #[cfg(any(bpf_target_arch = $name, all(not(aya_ebpf), target_arch = $name)))]
            pub use aya_uapi::arch::$arch::{bpf_perf_event_data, pt_regs};
        )*

        /// Keeps an item that needs the layout of the registers.
        #[cfg(any($(bpf_target_arch = $name, all(not(aya_ebpf), target_arch = $name)),*))]
        macro_rules! where_registers_are_known {
            ($item:item) => { $item };
        }
        #[cfg(not(any($(bpf_target_arch = $name, all(not(aya_ebpf), target_arch = $name)),*)))]
        macro_rules! where_registers_are_known {
            ($item:item) => {};
        }

        /// Registers of an architecture whose layout this crate does not know.
        #[cfg(not(any($(bpf_target_arch = $name, all(not(aya_ebpf), target_arch = $name)),*)))]
        #[expect(non_camel_case_types, reason = "the kernel's name")]
        #[derive(Debug)]
        #[repr(C)]
        pub struct pt_regs {
            unknown: [u8; 0],
        }

        #[cfg(not(any($(bpf_target_arch = $name, all(not(aya_ebpf), target_arch = $name)),*)))]
        impl crate::programs::registers::Registers for pt_regs {
            unsafe fn argument(_: *const Self, _: usize) -> Option<u64> {
                None
            }

            unsafe fn result(_: *const Self) -> u64 {
                crate::abort()
            }
        }
    };
}

registers! {
    aarch64 "aarch64",
    loongarch64 "loongarch64",
    powerpc64 "powerpc64",
    riscv64 "riscv64",
    s390x "s390x",
    x86_64 "x86_64",
}

pub(crate) use where_registers_are_known;
