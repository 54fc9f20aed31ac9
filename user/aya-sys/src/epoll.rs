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
        self.add(fd, libc::EPOLLIN)
    }

    /// Adds a descriptor that counts as ready when it can be written to *anew*: once when it is added,
    /// and then each time the kernel says so, until that was [taken](Self::take).
    ///
    /// # Errors
    ///
    /// As those of [`add_readable`](Self::add_readable).
    pub fn add_writable_edges(&self, fd: BorrowedFd<'_>) -> Result<()> {
        self.add(fd, libc::EPOLLOUT | libc::EPOLLET)
    }

    fn add(&self, fd: BorrowedFd<'_>, events: libc::c_int) -> Result<()> {
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: 0,
        };
        self.control(
            "epoll_ctl(EPOLL_CTL_ADD)",
            libc::EPOLL_CTL_ADD,
            fd,
            &raw mut event,
        )
    }

    /// Takes a descriptor out.
    ///
    /// # Errors
    ///
    /// When it was not added.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> Result<()> {
        let none = std::ptr::null_mut();
        self.control("epoll_ctl(EPOLL_CTL_DEL)", libc::EPOLL_CTL_DEL, fd, none)
    }

    fn control(
        &self,
        call: &'static str,
        operation: libc::c_int,
        fd: BorrowedFd<'_>,
        event: *mut libc::epoll_event,
    ) -> Result<()> {
        // SAFETY: the event is read during the call only, and may be null where none is needed.
        let result =
            unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd.as_raw_fd(), event) };
        call::check(call, result).map(drop)
    }

    /// Whether there was something to take: one descriptor that is ready. What was added as
    /// [edges](Self::add_writable_edges) is not ready any more then.
    ///
    /// # Errors
    ///
    /// `EINTR` when a signal came first.
    pub fn take(&self) -> Result<bool> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for one event, which lives during the call.
        let result = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, 0) };
        call::check("epoll_wait", result).map(|ready| ready > 0)
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _, pipe},
        os::unix::net::UnixStream,
    };

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
        assert!(!epoll.take().unwrap());
        writer.write_all(b"x").unwrap();
        assert!(readable(&epoll));
        assert!(epoll.take().unwrap() && epoll.take().unwrap());
        epoll.remove(second.as_fd()).unwrap();
        assert!(!readable(&epoll));
        let error = epoll.remove(second.as_fd()).unwrap_err();
        assert_eq!(error.errno, Errno::ENOENT);
    }

    #[test]
    fn edges_come_once() {
        let epoll = Epoll::new().unwrap();
        // A pipe would say so only after it was full.
        let (mut reader, mut writer) = UnixStream::pair().unwrap();
        epoll.add_writable_edges(writer.as_fd()).unwrap();
        assert!(readable(&epoll) && epoll.take().unwrap());
        assert!(!readable(&epoll), "it can be written to, but that is known");
        writer.write_all(b"x").unwrap();
        reader.read_exact(&mut [0]).unwrap();
        assert!(readable(&epoll) && epoll.take().unwrap());
        assert!(!epoll.take().unwrap());
    }
}
