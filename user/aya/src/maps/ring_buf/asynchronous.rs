//! [`AsyncRingBuf`]: records that a task waits for.

use std::{
    borrow::Borrow,
    future::poll_fn,
    marker::PhantomData,
    os::fd::AsFd as _,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{RingBuf, RingBufItem};
use crate::maps::{Map, MapData, MapError, Pod, handle::from_map, readiness::Waiter, wait};

/// A [`RingBuf`] that is read by an asynchronous task. With the cargo feature `async_tokio` under tokio,
/// with `async_std` under async-std, smol and other executors; with both, the runtime in which it is made
/// decides.
///
/// The buffer itself is the back-pressure: a task that reads too slowly finds it full of what it has not
/// read, programs lose what comes then, and count it where they are made to (`CountLost` of `aya-ebpf`).
/// A task that always finds something lets the others of its thread have a turn from time to time.
///
/// ```no_run
/// # async fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::AsyncRingBuf;
///
/// let mut events = AsyncRingBuf::try_from(map)?;
/// while let Some(event) = events.next().await {
///     println!("{:x?}", event?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// As values of one type, a stream that can be moved elsewhere:
///
/// ```no_run
/// # async fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::AsyncRingBuf;
///
/// let mut pids = AsyncRingBuf::try_from(map)?.decode::<u32>();
/// while let Some(pid) = pids.next().await {
///     println!("{}", pid?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncRingBuf<T> {
    /// Dropped before the ring buffer whose descriptor it watches.
    waiter: Waiter,
    ring: RingBuf<T>,
    ended: bool,
}

from_map!(AsyncRingBuf<> from RingBuf);

impl<T: Borrow<MapData>> AsyncRingBuf<T> {
    /// Has tasks wait for a ring buffer that is open already.
    ///
    /// # Errors
    ///
    /// [`MapError::Closed`] where the runtime cannot wait for it, as outside of tokio when only the
    /// feature `async_tokio` is on.
    ///
    /// # Panics
    ///
    /// In a tokio runtime that was built without `enable_io` or `enable_all`. `try_from` does, too.
    pub fn from_ring_buf(ring: RingBuf<T>) -> Result<Self, MapError> {
        let waiter = Waiter::new(ring.as_fd());
        Ok(Self {
            waiter: waiter.map_err(|error| wait::closed(ring.name(), error))?,
            ring,
            ended: false,
        })
    }

    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        Self::from_ring_buf(RingBuf::new(map)?)
    }
}

impl<T> AsyncRingBuf<T> {
    /// Waits for the next record, which is read where the program wrote it. The future may be dropped at
    /// any time, as `select!` and time limits do: no record goes with it.
    ///
    /// Gives an error when the runtime cannot wait, as when it is shutting down, and `None` from then on.
    pub async fn next(&mut self) -> Option<Result<RingBufItem<'_>, MapError>> {
        match poll_fn(|context| self.poll_ready(context)).await? {
            Ok(()) => self.ring.next().map(Ok),
            Err(error) => Some(Err(error)),
        }
    }

    /// The ring buffer, for what needs no waiting.
    pub const fn ring_buf(&mut self) -> &mut RingBuf<T> {
        &mut self.ring
    }

    /// The records as `V`s.
    pub const fn decode<V: Pod>(self) -> RingBufStream<T, V> {
        RingBufStream {
            source: self,
            values: PhantomData,
        }
    }

    /// Ready when there is a record, or never will be one.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), MapError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Self { waiter, ring, .. } = self;
        let look = || ring.reader.ready().then_some(());
        let ready = std::task::ready!(waiter.poll(context, look));
        let ready = ready.map_err(|error| wait::closed(self.ring.name(), error));
        self.ended = ready.is_err();
        Poll::Ready(Some(ready))
    }
}

/// The records of a ring buffer as values, made by [`AsyncRingBuf::decode`].
#[derive(Debug)]
pub struct RingBufStream<T, V> {
    source: AsyncRingBuf<T>,
    values: PhantomData<fn() -> V>,
}

impl<T, V: Pod> RingBufStream<T, V> {
    /// Waits for the next value. As [`AsyncRingBuf::next`], and an error also when a record has not the
    /// size of a `V`; the next one comes all the same.
    pub async fn next(&mut self) -> Option<Result<V, MapError>> {
        poll_fn(|context| self.poll_value(context)).await
    }

    /// The ring buffer, for what needs no waiting.
    pub const fn ring_buf(&mut self) -> &mut RingBuf<T> {
        &mut self.source.ring
    }

    fn poll_value(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<V, MapError>>> {
        let ready = std::task::ready!(self.source.poll_ready(context));
        Poll::Ready(match ready {
            Some(Ok(())) => self.source.ring.next().map(|item| item.read()),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }
}

impl<T: Unpin, V: Pod> Stream for RingBufStream<T, V> {
    type Item = Result<V, MapError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_value(context)
    }
}
