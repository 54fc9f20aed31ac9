//! [`AsyncPerfEventArray`]: perf buffers that tasks wait for.
//!
//! # No wake-up is lost
//!
//! To poll a perf event tells whether a record has come *since the last poll*, by whomever (the kernel
//! clears the flag as it hands it out), and registering a descriptor with epoll(7) polls it. So readiness
//! is no more than a hint, and a record that came before the registration may not give any. Each wait
//! therefore looks into the buffer after its interest is registered: what came before is seen there, and
//! what comes after wakes.

use std::{
    borrow::{Borrow, BorrowMut},
    future::poll_fn,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    task::{Context, Poll},
};

use super::{Events, PerfBufferError, PerfEventArray, PerfEventArrayBuffer, RecordBuffer};
use crate::{
    maps::{Map, MapData, MapError, handle::from_map},
    pin::PinError,
};

/// A [`PerfEventArray`] whose buffers are read by asynchronous tasks. With the cargo feature
/// `async_tokio` under tokio, with `async_std` under async-std, smol and other executors; with both, the
/// runtime in which a buffer is opened decides.
///
/// ```no_run
/// # #[cfg(feature = "async_tokio")]
/// # async fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::{maps::perf::AsyncPerfEventArray, util::online_cpus};
/// use bytes::BytesMut;
///
/// let mut events = AsyncPerfEventArray::try_from(map)?;
/// for cpu in online_cpus().map_err(|(_, error)| error)? {
///     let mut buffer = events.open(cpu, None)?;
///     tokio::spawn(async move {
///         let mut records = vec![BytesMut::with_capacity(1024); 10];
///         loop {
///             let events = buffer.read_events(&mut records).await?;
///             for record in records.iter().take(events.read) {
///                 println!("CPU {cpu}: {record:x?}");
///             }
///         }
/// #       #[allow(unreachable_code, reason = "gives the task its type")]
/// #       Ok::<(), aya::maps::perf::PerfBufferError>(())
///     });
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncPerfEventArray<T> {
    array: PerfEventArray<T>,
}

from_map!(AsyncPerfEventArray<> from PerfEventArray);

impl<T: Borrow<MapData>> AsyncPerfEventArray<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let array = PerfEventArray::new(map)?;
        Ok(Self { array })
    }

    /// As [`PerfEventArray::pin`].
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        self.array.pin(path)
    }
}

impl<T: BorrowMut<MapData>> AsyncPerfEventArray<T> {
    /// Opens the buffer of CPU `index`, as [`PerfEventArray::open`].
    ///
    /// # Errors
    ///
    /// [`PerfBufferError`] says which step failed; [`PerfBufferError::IOError`] where the runtime cannot
    /// wait for the buffer, as outside of tokio when only the feature `async_tokio` is on.
    ///
    /// # Panics
    ///
    /// In a tokio runtime that was built without `enable_io` or `enable_all`.
    pub fn open(
        &mut self,
        index: u32,
        page_count: Option<usize>,
    ) -> Result<AsyncPerfEventArrayBuffer<T>, PerfBufferError> {
        let buffer = self.array.open(index, page_count)?;
        let fd = buffer.as_fd().try_clone_to_owned();
        let readiness = fd.and_then(Readiness::new);
        Ok(AsyncPerfEventArrayBuffer {
            readiness: readiness.map_err(PerfBufferError::IOError)?,
            buffer,
            at_once: 0,
        })
    }
}

/// The buffer of one CPU, for one task. It lives on when the array is dropped.
#[derive(Debug)]
pub struct AsyncPerfEventArrayBuffer<T> {
    /// Dropped before the buffer whose descriptor it watches.
    readiness: Readiness,
    buffer: PerfEventArrayBuffer<T>,
    /// How many times in a row there was something to read without waiting.
    at_once: u8,
}

impl<T> AsyncPerfEventArrayBuffer<T> {
    /// Waits until there is something to read, then copies records into `buffers` as
    /// [`PerfEventArrayBuffer::read_events`] does. At least one record was read or lost then, unless
    /// `buffers` is empty.
    ///
    /// The future may be dropped at any time, as `select!` and time limits do: it takes records out of
    /// the buffer only in the moment in which it completes.
    ///
    /// # Errors
    ///
    /// [`PerfBufferError::IOError`] when the runtime cannot wait, as when it is shutting down.
    pub async fn read_events<B: RecordBuffer>(
        &mut self,
        buffers: &mut [B],
    ) -> Result<Events, PerfBufferError> {
        if buffers.is_empty() {
            return Ok(Events::default());
        }
        if self.at_once == IN_A_ROW {
            self.at_once = 0;
            others_first().await;
        }
        let events = self.buffer.read_events(buffers)?;
        if events != Events::default() {
            self.at_once += 1;
            return Ok(events);
        }
        self.at_once = 0;
        poll_fn(|context| {
            loop {
                let ready = self.readiness.poll(context);
                let events = self.buffer.read_events(buffers)?;
                if events != Events::default() {
                    return Poll::Ready(Ok(events));
                }
                match ready {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(result) => result.map_err(PerfBufferError::IOError)?,
                }
            }
        })
        .await
    }
}

/// How often a task may read on before the others of its thread have a turn.
const IN_A_ROW: u8 = 32;

/// Waits until the executor comes round to this task again.
async fn others_first() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
            "no tokio runtime here: open the buffer in a task of one, or turn on the feature \
             `async_std`",
        ))
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
