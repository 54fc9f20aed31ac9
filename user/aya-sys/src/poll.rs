//! poll(2): waiting for one descriptor.

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    time::Duration,
};

use crate::{Result, call};

/// What a wait for a descriptor ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It is ready.
    Yes,
    /// The time is over.
    No,
    /// It is not ready and never will be: the other end is gone, or there is an error.
    Closed,
}

/// Waits until `fd` can be read from, for `timeout` at most; `None` is for ever.
///
/// ```
/// use std::{io::pipe, os::fd::AsFd as _, time::Duration};
/// use aya_sys::poll::{Ready, readable};
///
/// let (reader, writer) = pipe()?;
/// assert_eq!(readable(reader.as_fd(), Some(Duration::ZERO))?, Ready::No);
/// drop(writer);
/// assert_eq!(readable(reader.as_fd(), None)?, Ready::Closed);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// `EINTR` when a signal came first.
pub fn readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<Ready> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        // Below a milliard.
        tv_nsec: timeout.subsec_nanos() as libc::c_long,
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: one element and a time, which live during the call.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, timeout, std::ptr::null()) };
    let ready = call::check("ppoll", ready)?;
    Ok(match poll.revents {
        _ if ready == 0 => Ready::No,
        events if events & libc::POLLIN != 0 => Ready::Yes,
        _ => Ready::Closed,
    })
}
