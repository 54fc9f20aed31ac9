//! The context of programs that run when a function has returned.

use crate::{
    Argument,
    programs::registers::{Registers, context},
};

context! {
    /// A function of the kernel (`#[kretprobe]`) or of user space (`#[uretprobe]`) that has returned.
    ///
    /// Its arguments are gone: where they are needed, a program at the entry keeps them in a map by
    /// [`bpf_get_current_pid_tgid`](crate::helpers::bpf_get_current_pid_tgid).
    ///
    /// Since Linux 4.1.
    RetProbeContext
}

impl RetProbeContext {
    /// What the function has returned.
    #[inline(always)]
    pub fn ret<T: Argument>(&self) -> T {
        // SAFETY: the kernel's context lives as long as the program runs.
        T::from_register(unsafe { Registers::result(self.regs) })
    }
}
