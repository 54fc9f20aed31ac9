//! Errors of the system calls, and questions about the running kernel.
//!
//! The calls themselves are in `aya-sys`; this module turns their errors into the types that the
//! rest of the crate carries.

use std::{error::Error, fmt, io};

/// A system call that the kernel refused.
///
/// The message names the call; the reason is the error's [source](Error::source).
#[derive(Debug)]
pub struct SyscallError {
    /// The call, with the command for calls that have one: `"bpf(BPF_MAP_CREATE)"`.
    pub call: &'static str,
    /// The kernel's reason.
    pub io_error: io::Error,
}

impl fmt::Display for SyscallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed", self.call)
    }
}

impl Error for SyscallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.io_error)
    }
}
