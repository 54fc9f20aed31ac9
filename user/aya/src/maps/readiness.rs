//! Waiting in asynchronous tasks, for all channels.
//!
//! # No wake-up is lost
//!
//! Readiness is no more than a hint. To poll a perf event tells whether a record has come *since the last
//! poll*, by whomever (the kernel clears the flag as it hands it out), and registering a descriptor with
//! epoll(7) polls it; a ring buffer is readable while its next record is still being written, and a user
//! ring buffer wakes whenever anything was consumed. Each wait therefore looks into the channel after its
//! interest is registered: what came before is seen there, and what comes after wakes.
//!
//! # No wake-up is needed
//!
//! A task that always finds something would keep the others of its thread waiting. After a number of
//! times in a row it lets them have a turn. So it does when it always finds nothing although there should
//! be something, and asks whether the descriptor is one of which nothing comes any more.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    task::{Context, Poll},
    time::Duration,
};

use aya_sys::poll::{self, Ready};

/// How often a task may go on before the others of its thread have a turn.
const IN_A_ROW: u8 = 32;

/// What one task waits with.
#[derive(Debug)]
pub(super) struct Waiter {
    readiness: Readiness,
    /// How many times in a row there was something without waiting.
    at_once: u8,
}

impl Waiter {
    /// Waits for `fd`, in the runtime that this is called in.
    pub(super) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self {
            readiness: Readiness::new(fd.try_clone_to_owned()?)?,
            at_once: 0,
        })
    }

    /// What `look` finds, now or when it is worth looking again. An error means that the runtime cannot
    /// wait, as when it is shutting down, or that nothing comes any more (`BrokenPipe`).
    ///
    /// `look` is called until it finds something and not again: what it finds may be gone then.
    pub(super) fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        mut look: impl FnMut() -> Option<R>,
    ) -> Poll<io::Result<R>> {
        if self.at_once == IN_A_ROW {
            self.at_once = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(found) = look() {
            self.at_once += 1;
            return Poll::Ready(Ok(found));
        }
        self.at_once = 0;
        for _ in 0..IN_A_ROW {
            let ready = self.readiness.poll(context);
            if let Some(found) = look() {
                return Poll::Ready(Ok(found));
            }
            match ready {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => result?,
            }
        }
        if let Ok(Ready::Closed) = poll::readable(self.readiness.fd(), Some(Duration::ZERO)) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A descriptor that a runtime watches.
#[derive(Debug)]
enum Readiness {
    #[cfg(feature = "async_tokio")]
    Tokio(tokio::io::unix::AsyncFd<OwnedFd>),
    #[cfg(feature = "async_std")]
    AsyncIo(async_io::Async<OwnedFd>),
}

impl Readiness {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        #[cfg(feature = "async_tokio")]
        if tokio::runtime::Handle::try_current().is_ok() {
            use tokio::io::{Interest, unix::AsyncFd};

            #[allow(
                deprecated,
                reason = "its successor is unsafe, for types that do not keep their descriptor open; \
                          this one does, and works with older versions of tokio"
            )]
            let fd = AsyncFd::with_interest(fd, Interest::READABLE);
            return fd.map(Self::Tokio);
        }
        Self::without_tokio(fd)
    }

    #[cfg(feature = "async_std")]
    fn without_tokio(fd: OwnedFd) -> io::Result<Self> {
        async_io::Async::new(fd).map(Self::AsyncIo)
    }

    #[cfg(not(feature = "async_std"))]
    fn without_tokio(_: OwnedFd) -> io::Result<Self> {
        Err(io::Error::other(
            "no tokio runtime here: make this in a task of one, or turn on the feature \
             `async_std`",
        ))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            #[cfg(feature = "async_tokio")]
            Self::Tokio(fd) => fd.get_ref().as_fd(),
            #[cfg(feature = "async_std")]
            Self::AsyncIo(fd) => fd.as_fd(),
        }
    }

    /// Whether there was something to read since the last call; if not, `context` will be woken.
    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(feature = "async_tokio")]
            Self::Tokio(fd) => fd
                .poll_read_ready(context)
                .map_ok(|mut ready| ready.clear_ready()),
            #[cfg(feature = "async_std")]
            Self::AsyncIo(fd) => fd.poll_readable(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io::pipe};

    use super::*;

    #[cfg(feature = "async_tokio")]
    #[test]
    fn what_has_ended_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let (channel, other_end) = pipe().unwrap();
            let mut waiter = Waiter::new(channel.as_fd()).unwrap();
            drop(other_end);
            let nothing = || None::<()>;
            let ended = poll_fn(|context| waiter.poll(context, nothing)).await;
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        });
    }
}
