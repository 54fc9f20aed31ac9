//! epoll(7): one descriptor that stands for several.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use crate::{Result, call};

/// A descriptor that is readable when one of those added to it is.
///
/// It keeps none of them open: one that is closed drops out.
///
/// ```
/// use std::{io::pipe, os::fd::AsFd as _};
///
/// let (reader, _writer) = pipe()?;
/// let epoll = aya_sys::epoll::Epoll::new()?;
/// epoll.add_readable(reader.as_fd())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// One without descriptors, closed on exec.
    ///
    /// # Errors
    ///
    /// When the process or the machine has no descriptor left.
    pub fn new() -> Result<Self> {
        // SAFETY: takes a number only.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let fd = call::check("epoll_create1", fd)?;
        // SAFETY: the call has just made it, and nobody else knows it.
        Ok(Self(unsafe { call::owned(fd) }))
    }

    /// Adds a descriptor.
    ///
    /// # Errors
    ///
    /// When it was added before, or cannot be waited for.
    pub fn add_readable(&self, fd: BorrowedFd<'_>) -> Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 0,
        };
        // SAFETY: the event is read during the call only.
        let result = unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &raw mut event,
            )
        };
        call::check("epoll_ctl(EPOLL_CTL_ADD)", result).map(drop)
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write as _, pipe};

    use super::*;
    use crate::Errno;

    fn readable(epoll: &Epoll) -> bool {
        let mut poll = libc::pollfd {
            fd: epoll.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one element, which lives during the call.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[test]
    fn readable_when_one_is() {
        let epoll = Epoll::new().unwrap();
        let (first, _quiet) = pipe().unwrap();
        let (second, mut writer) = pipe().unwrap();
        for reader in [&first, &second] {
            epoll.add_readable(reader.as_fd()).unwrap();
        }
        assert_eq!(
            epoll.add_readable(first.as_fd()).unwrap_err().errno,
            Errno::EEXIST
        );
        assert!(!readable(&epoll));
        writer.write_all(b"x").unwrap();
        assert!(readable(&epoll));
    }
}
