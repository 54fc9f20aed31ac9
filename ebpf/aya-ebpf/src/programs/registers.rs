//! Which registers hold arguments and the return value: the calling conventions of the kernel and of
//! user space, which agree on integers and pointers.

use aya_uapi::arch;

/// The registers of an architecture, as a probe's context holds them.
pub(crate) trait Registers {
    /// Argument `n`, counted from 0, when a function is entered; none where it is on the stack.
    ///
    /// # Safety
    ///
    /// `this` must be valid for reading.
    unsafe fn argument(this: *const Self, n: usize) -> Option<u64>;

    /// The return value when a function has returned.
    ///
    /// # Safety
    ///
    /// As [`argument`](Self::argument).
    unsafe fn result(this: *const Self) -> u64;
}

macro_rules! conventions {
    ($($arch:ident { $($n:literal: ($($argument:tt)+))* } -> ($($result:tt)+);)*) => {$(
        impl Registers for arch::$arch::pt_regs {
            #[inline(always)]
            unsafe fn argument(this: *const Self, n: usize) -> Option<u64> {
                // SAFETY: the caller's promise. Each register is read for itself: programs may read
                // their context at constant offsets only.
                unsafe {
                    match n {
                        $($n => Some((*this).$($argument)+),)*
                        _ => None,
                    }
                }
            }

            #[inline(always)]
            unsafe fn result(this: *const Self) -> u64 {
                // SAFETY: the caller's promise.
                unsafe { (*this).$($result)+ }
            }
        }
    )*};
}

conventions! {
    x86_64 { 0: (rdi) 1: (rsi) 2: (rdx) 3: (rcx) 4: (r8) 5: (r9) } -> (rax);
    aarch64 { 0: (regs[0]) 1: (regs[1]) 2: (regs[2]) 3: (regs[3]) 4: (regs[4]) 5: (regs[5]) 6: (regs[6]) 7: (regs[7]) } -> (regs[0]);
    riscv64 { 0: (a0) 1: (a1) 2: (a2) 3: (a3) 4: (a4) 5: (a5) 6: (a6) 7: (a7) } -> (a0);
    s390x { 0: (gprs[2]) 1: (gprs[3]) 2: (gprs[4]) 3: (gprs[5]) 4: (gprs[6]) } -> (gprs[2]);
    powerpc64 { 0: (gpr[3]) 1: (gpr[4]) 2: (gpr[5]) 3: (gpr[6]) 4: (gpr[7]) 5: (gpr[8]) 6: (gpr[9]) 7: (gpr[10]) } -> (gpr[3]);
    loongarch64 { 0: (regs[4]) 1: (regs[5]) 2: (regs[6]) 3: (regs[7]) 4: (regs[8]) 5: (regs[9]) 6: (regs[10]) 7: (regs[11]) } -> (regs[4]);
}

/// Defines the context of programs that are given registers.
macro_rules! context {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name {
            /// The registers as they are at this moment.
            pub regs: *mut $crate::bindings::pt_regs,
        }

        impl $name {
            /// A context from the program's argument.
            #[inline(always)]
            pub const fn new(ctx: *mut ::core::ffi::c_void) -> Self {
                Self { regs: ctx.cast() }
            }
        }

        impl $crate::EbpfContext for $name {
            #[inline(always)]
            fn as_ptr(&self) -> *mut ::core::ffi::c_void {
                self.regs.cast()
            }
        }

        // SAFETY: probes of all kinds are given a `struct pt_regs`.
        unsafe impl $crate::programs::ProgramContext for $name {
            #[inline(always)]
            unsafe fn from_raw(ctx: *mut ::core::ffi::c_void) -> Self {
                Self::new(ctx)
            }
        }

        impl $crate::programs::NeedsNoVerdict for $name {}

        /// Nobody looks at it.
        impl $crate::programs::ProgramReturn<$name> for u32 {}
        /// Nobody looks at it.
        impl $crate::programs::ProgramReturn<$name> for i32 {}
        /// Nobody looks at it.
        impl $crate::programs::ProgramReturn<$name> for u64 {}
        /// Nobody looks at it.
        impl $crate::programs::ProgramReturn<$name> for i64 {}
    };
}
pub(super) use context;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<R: Registers>(registers: &R) -> (Option<u64>, Option<u64>, u64) {
        // SAFETY: it is a reference.
        unsafe {
            (
                R::argument(registers, 0),
                R::argument(registers, 4),
                R::result(registers),
            )
        }
    }

    #[test]
    fn are_those_of_the_architectures() {
        use arch::{aarch64, loongarch64, powerpc64, riscv64, s390x, x86_64};
        let mut x86 = x86_64::pt_regs::ZEROED;
        (x86.rdi, x86.r8, x86.rax) = (1, 5, 9);
        assert_eq!(read(&x86), (Some(1), Some(5), 9));
        let mut arm = aarch64::pt_regs::ZEROED;
        (arm.regs[0], arm.regs[4]) = (1, 5);
        assert_eq!(read(&arm), (Some(1), Some(5), 1));
        let mut riscv = riscv64::pt_regs::ZEROED;
        (riscv.a0, riscv.a4) = (1, 5);
        assert_eq!(read(&riscv), (Some(1), Some(5), 1));
        let mut s390 = s390x::pt_regs::ZEROED;
        (s390.gprs[2], s390.gprs[6]) = (1, 5);
        assert_eq!(read(&s390), (Some(1), Some(5), 1));
        let mut power = powerpc64::pt_regs::ZEROED;
        (power.gpr[3], power.gpr[7]) = (1, 5);
        assert_eq!(read(&power), (Some(1), Some(5), 1));
        let mut loong = loongarch64::pt_regs::ZEROED;
        (loong.regs[4], loong.regs[8]) = (1, 5);
        assert_eq!(read(&loong), (Some(1), Some(5), 1));
    }

    #[test]
    fn end_where_the_stack_begins() {
        let in_registers = |n| {
            let (x86, s390) = (arch::x86_64::pt_regs::ZEROED, arch::s390x::pt_regs::ZEROED);
            // SAFETY: both are references.
            unsafe {
                [
                    Registers::argument(&raw const x86, n),
                    Registers::argument(&raw const s390, n),
                ]
            }
        };
        assert_eq!(in_registers(4), [Some(0), Some(0)]);
        assert_eq!(in_registers(5), [Some(0), None]);
        assert_eq!(in_registers(6), [None, None]);
    }
}
