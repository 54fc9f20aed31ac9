//! [`AsyncPerfEventArray`]: perf buffers that tasks wait for.

use std::{
    borrow::{Borrow, BorrowMut},
    future::poll_fn,
    io,
    os::fd::AsFd as _,
    path::Path,
};

use super::{
    AsyncPerfEventArrayBuffers, Events, PerfBufferError, PerfEventArray, PerfEventArrayBuffer,
    RecordBuffer,
};
use crate::{
    maps::{Map, MapData, MapError, handle::from_map, readiness::Waiter, wait},
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
        Ok(AsyncPerfEventArrayBuffer {
            waiter: Waiter::new(buffer.as_fd()).map_err(PerfBufferError::IOError)?,
            buffer,
        })
    }

    /// Opens the buffers of all CPUs that are online, as [`PerfEventArray::open_all`], for one task.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Panics
    ///
    /// As [`open`](Self::open).
    pub fn open_all(
        &mut self,
        page_count: Option<usize>,
    ) -> Result<AsyncPerfEventArrayBuffers<T>, PerfBufferError> {
        AsyncPerfEventArrayBuffers::new(self.array.open_all(page_count)?)
    }
}

/// The buffer of one CPU, for one task. It lives on when the array is dropped.
#[derive(Debug)]
pub struct AsyncPerfEventArrayBuffer<T> {
    /// Dropped before the buffer whose descriptor it watches.
    waiter: Waiter,
    buffer: PerfEventArrayBuffer<T>,
}

impl<T: Borrow<MapData>> AsyncPerfEventArrayBuffer<T> {
    /// Waits until there is something to read, then copies records into `buffers` as
    /// [`PerfEventArrayBuffer::read_events`] does. At least one record was read or lost then, unless
    /// `buffers` is empty.
    ///
    /// The future may be dropped at any time, as `select!` and time limits do: it takes records out of
    /// the buffer only in the moment in which it completes.
    ///
    /// # Errors
    ///
    /// [`PerfBufferError::IOError`] when the runtime cannot wait, as when it is shutting down;
    /// [`MapError::Closed`] when the kernel says that nothing comes any more. Of a CPU that goes offline it
    /// does not, and a task that waits for its records goes on to:
    /// [`open_all`](AsyncPerfEventArray::open_all) follows CPUs as they come and go.
    pub async fn read_events<B: RecordBuffer>(
        &mut self,
        buffers: &mut [B],
    ) -> Result<Events, PerfBufferError> {
        if buffers.is_empty() {
            return Ok(Events::default());
        }
        let Self { waiter, buffer } = self;
        let read =
            poll_fn(|context| waiter.poll(context, || some_events(buffer.read_events(buffers))))
                .await;
        read.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => {
                PerfBufferError::MapError(wait::closed(buffer.name(), error))
            }
            _ => PerfBufferError::IOError(error),
        })?
    }
}

/// What was read, if anything was.
pub(super) fn some_events(
    result: Result<Events, PerfBufferError>,
) -> Option<Result<Events, PerfBufferError>> {
    Some(result).filter(|result| !matches!(result, Ok(Events { read: 0, lost: 0 })))
}
