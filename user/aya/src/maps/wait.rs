//! Waiting for a channel on a thread of one's own.

use std::{
    io,
    os::fd::BorrowedFd,
    thread,
    time::{Duration, Instant},
};

use aya_sys::{
    Errno,
    poll::{self, Ready},
};

use super::MapError;

/// Waits until `ready` says that there is something, and returns true; false when `timeout` is over or a
/// signal came, and there is still nothing. `fd`, which belongs to the map called `name`, is readable when
/// it may be worth asking again.
pub(super) fn until(
    name: &str,
    fd: BorrowedFd<'_>,
    timeout: Option<Duration>,
    mut ready: impl FnMut() -> Result<bool, MapError>,
) -> Result<bool, MapError> {
    // A time so far off that it cannot be told is never.
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        if ready()? {
            return Ok(true);
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if !readable(name, fd, left)? || left == Some(Duration::ZERO) {
            return ready();
        }
        // Readable is also a record that is not complete: it will be, in a moment.
        thread::yield_now();
    }
}

/// False when the time is over or a signal came.
fn readable(name: &str, fd: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<bool, MapError> {
    match poll::readable(fd, timeout) {
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// How long a test that waits in vain may take.
    const MOMENT: Option<Duration> = Some(Duration::from_millis(1));

    #[test]
    fn a_closed_channel_is_an_error_that_names_the_map() {
        let (channel, other_end) = io::pipe().unwrap();
        assert!(!until("EVENTS", channel.as_fd(), MOMENT, || Ok(false)).unwrap());
        drop(other_end);
        let error = until("EVENTS", channel.as_fd(), None, || Ok(false)).unwrap_err();
        assert!(
            matches!(&error, MapError::Closed { name, .. } if name == "EVENTS"),
            "{error:?}"
        );
        assert!(error.to_string().contains("`EVENTS`"), "{error}");
        // What came before can still be read.
        assert!(until("EVENTS", channel.as_fd(), None, || Ok(true)).unwrap());
    }
}
