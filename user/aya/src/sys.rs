//! Errors of the system calls, and questions about the running kernel.
//!
//! The calls themselves are in `aya-sys`; this module turns their errors into the types that the
//! rest of the crate carries.

use std::{error::Error, fmt, io, os::fd::OwnedFd};

use aya_sys::{Errno, bpf, netlink::Refusal};

mod supported;

pub use supported::*;

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

impl SyscallError {
    /// The kernel's error number.
    pub(crate) fn errno(&self) -> Errno {
        Errno(self.io_error.raw_os_error().unwrap_or_default())
    }
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

impl From<aya_sys::Error> for SyscallError {
    fn from(error: aya_sys::Error) -> Self {
        Self {
            call: error.call,
            io_error: io::Error::from_raw_os_error(error.errno.0),
        }
    }
}

/// Netlink refused.
///
/// The message names the request and has the kernel's own words, where it explains itself (since 4.12);
/// the error number is the error's [source](Error::source).
#[derive(Debug)]
pub struct NetlinkError(Refusal);

impl NetlinkError {
    /// The kernel's own words, if it has any.
    pub fn words(&self) -> Option<&str> {
        self.0.words.as_deref()
    }

    pub(crate) fn errno(&self) -> Errno {
        self.0.error.errno
    }

    /// The kernel's error number.
    pub fn raw_os_error(&self) -> Option<i32> {
        Some(self.errno().0)
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for NetlinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<Refusal> for NetlinkError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<aya_sys::Error> for NetlinkError {
    fn from(error: aya_sys::Error) -> Self {
        Self(error.into())
    }
}

/// Figures that the kernel keeps on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stats {
    /// How often programs run, and for how long.
    RunTime,
}

/// Makes the kernel keep figures of all programs until the descriptor is closed; see
/// [`ProgramInfo::run_time`](crate::programs::ProgramInfo::run_time). Needs `CAP_SYS_ADMIN`.
/// Since kernel 5.8.
///
/// # Errors
///
/// When the kernel refuses.
pub fn enable_stats(stats: Stats) -> Result<OwnedFd, SyscallError> {
    match stats {
        Stats::RunTime => Ok(bpf::enable_stats()?),
    }
}
