//! [`AsyncPerfEventArrayBuffers`]: the records of all CPUs, for one task.

use std::{
    borrow::Borrow,
    future::poll_fn,
    marker::PhantomData,
    os::fd::AsFd as _,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{Events, PerfBufferError, PerfEventArrayBuffers, RecordBuffer};
use crate::maps::{MapData, Pod, Record, readiness::Waiter};

/// The buffers of all CPUs, read by one task. Made by
/// [`AsyncPerfEventArray::open_all`](super::AsyncPerfEventArray::open_all).
///
/// ```no_run
/// # async fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::perf::AsyncPerfEventArray;
///
/// let mut events = AsyncPerfEventArray::try_from(map)?.open_all(None)?;
/// while let Some(event) = events.next().await {
///     println!("{:x?}", event?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncPerfEventArrayBuffers<T> {
    /// Dropped before the buffers whose descriptor it watches.
    waiter: Waiter,
    buffers: PerfEventArrayBuffers<T>,
    record: [Vec<u8>; 1],
    ended: bool,
}

impl<T> AsyncPerfEventArrayBuffers<T> {
    pub(super) fn new(buffers: PerfEventArrayBuffers<T>) -> Result<Self, PerfBufferError> {
        Ok(Self {
            waiter: Waiter::new(buffers.as_fd()).map_err(PerfBufferError::IOError)?,
            buffers,
            record: [Vec::new()],
            ended: false,
        })
    }

    /// The buffers, to ask how many records were lost, or to [refresh](PerfEventArrayBuffers::refresh)
    /// them.
    pub fn buffers(&mut self) -> &mut PerfEventArrayBuffers<T> {
        &mut self.buffers
    }
}

impl<T: Borrow<MapData>> AsyncPerfEventArrayBuffers<T> {
    /// Waits until there is something to read, then copies records into `buffers` as
    /// [`PerfEventArrayBuffers::read_events`] does. It may be dropped at any time, as
    /// [`AsyncPerfEventArrayBuffer::read_events`](super::AsyncPerfEventArrayBuffer::read_events).
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
        let Self {
            waiter,
            buffers: set,
            ..
        } = self;
        poll_fn(|context| waiter.poll(context, || set.some_events(buffers)))
            .await
            .map_err(PerfBufferError::IOError)?
    }

    /// Has the next record in `self.record`, if it is ready with a value. After an error nothing comes.
    fn poll_record(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<(), PerfBufferError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Self {
            waiter,
            buffers,
            record,
            ..
        } = self;
        let look = || loop {
            match buffers.some_events(record)? {
                // Only losses: a record comes behind them.
                Ok(Events { read: 0, .. }) => {}
                Ok(_) => return Some(Ok(())),
                Err(error) => return Some(Err(error)),
            }
        };
        let read = std::task::ready!(waiter.poll(context, look));
        let read = read.unwrap_or_else(|error| Err(PerfBufferError::IOError(error)));
        self.ended = read.is_err();
        Poll::Ready(Some(read))
    }

    /// Waits for the next record, of any CPU. It is a copy, with the padding that
    /// [`PerfEvent::Sample`](super::PerfEvent::Sample) tells of. The future may be dropped at any time:
    /// it takes a record in the moment in which it completes.
    ///
    /// Gives an error when the runtime cannot wait, and `None` from then on.
    pub async fn next(&mut self) -> Option<Result<Record<'_>, PerfBufferError>> {
        let read = poll_fn(|context| self.poll_record(context)).await?;
        let [record] = &self.record;
        Some(read.map(|()| Record::new(self.buffers.name(), record)))
    }

    /// The records as `V`s, with which each of them begins: what follows is passed over.
    pub fn decode<V: Pod>(self) -> PerfEventArrayStream<T, V> {
        PerfEventArrayStream {
            source: self,
            values: PhantomData,
        }
    }
}

/// The records of all CPUs as values, made by [`AsyncPerfEventArrayBuffers::decode`].
#[derive(Debug)]
pub struct PerfEventArrayStream<T, V> {
    source: AsyncPerfEventArrayBuffers<T>,
    values: PhantomData<fn() -> V>,
}

impl<T: Borrow<MapData>, V: Pod> PerfEventArrayStream<T, V> {
    /// Waits for the next value. As [`AsyncPerfEventArrayBuffers::next`], and an error also when a
    /// record is too short; the next one comes all the same.
    pub async fn next(&mut self) -> Option<Result<V, PerfBufferError>> {
        poll_fn(|context| self.poll_value(context)).await
    }

    /// The buffers, as [`AsyncPerfEventArrayBuffers::buffers`].
    pub fn buffers(&mut self) -> &mut PerfEventArrayBuffers<T> {
        &mut self.source.buffers
    }

    fn poll_value(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<V, PerfBufferError>>> {
        let read = std::task::ready!(self.source.poll_record(context));
        let [record] = &self.source.record;
        Poll::Ready(read.map(|read| {
            read?;
            let value = Record::new(self.source.buffers.name(), record).split();
            value
                .map(|(value, _)| value)
                .map_err(PerfBufferError::MapError)
        }))
    }
}

impl<T: Borrow<MapData> + Unpin, V: Pod> Stream for PerfEventArrayStream<T, V> {
    type Item = Result<V, PerfBufferError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_value(context)
    }
}
