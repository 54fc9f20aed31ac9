//! Processes and threads as descriptors.

use std::os::fd::OwnedFd;

use crate::{Result, call};

/// A descriptor of the process `pid`, which stands for it even when the number is used again
/// (pidfd_open(2)). Since kernel 5.3.
pub fn pidfd_open(pid: u32) -> Result<OwnedFd> {
    // SAFETY: takes two numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // A descriptor or -1: both are ints.
    let fd = call::check("pidfd_open", fd as libc::c_int)?;
    // SAFETY: the call has just made it, and nobody else knows it. The kernel sets close-on-exec.
    Ok(unsafe { call::owned(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;

    #[test]
    fn opens_the_living() {
        assert!(pidfd_open(std::process::id()).is_ok());
        // Numbers end below this one.
        assert_eq!(pidfd_open(1 << 30).unwrap_err().errno, Errno::ESRCH);
    }
}
