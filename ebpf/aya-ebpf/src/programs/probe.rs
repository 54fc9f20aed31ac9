//! The context of programs that run when a function is entered, or an instruction reached.

use crate::{
    Argument,
    programs::registers::{Registers, context},
};

context! {
    /// A function of the kernel (`#[kprobe]`) or of user space (`#[uprobe]`) that is entered.
    ///
    /// ```
    /// use aya_ebpf::programs::ProbeContext;
    ///
    /// /// `vfs_read(file, buffer, count, position)`: how much somebody wants to read.
    /// fn count(ctx: &ProbeContext) -> u64 {
    ///     ctx.arg(2).unwrap_or(0)
    /// }
    /// ```
    ///
    /// Since Linux 4.1.
    ProbeContext
}

impl ProbeContext {
    /// Argument `n` of the function, counted from 0, if it is in a register.
    ///
    /// That is so for the first 6 on x86_64, 5 on s390x and 8 elsewhere; the others are on the stack,
    /// and `None` here. What an instruction behind the function's first one finds in the registers
    /// depends on the code before it.
    ///
    /// Only integers and pointers are counted: floating-point numbers have registers of their own, and
    /// a structure of two words takes two places.
    #[inline(always)]
    pub fn arg<T: Argument>(&self, n: usize) -> Option<T> {
        // SAFETY: the kernel's context lives as long as the program runs.
        unsafe { Registers::argument(self.regs, n) }.map(T::from_register)
    }
}
