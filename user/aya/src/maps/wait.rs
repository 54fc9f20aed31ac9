//! Waiting for a channel on a thread of one's own.

use std::{
    io,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use aya_sys::{
    Errno,
    poll::{self, Ready},
};

use super::MapError;

/// When a wait is over; `None` never.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// A time so far off that it cannot be told is never.
    pub(super) fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    pub(super) fn is_over(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    fn left(self) -> Option<Duration> {
        let end = self.0?;
        Some(end.saturating_duration_since(Instant::now()))
    }
}

/// Waits until `fd`, which belongs to the map called `name`, is readable; false when the time is over or
/// a signal came.
pub(super) fn readable(
    name: &str,
    fd: BorrowedFd<'_>,
    deadline: Deadline,
) -> Result<bool, MapError> {
    match poll::readable(fd, deadline.left()) {
        Ok(Ready::Yes) => Ok(true),
        Ok(Ready::No) => Ok(false),
        Ok(Ready::Closed) => Err(closed(name, io::ErrorKind::BrokenPipe.into())),
        Err(error) if error.errno == Errno::EINTR => Ok(false),
        Err(error) => Err(closed(name, error.into())),
    }
}

/// Why nothing comes any more.
pub(super) fn closed(name: &str, io_error: io::Error) -> MapError {
    MapError::Closed {
        name: name.to_owned(),
        io_error,
    }
}
