//! [`AsyncUserRingBuf`]: a task that waits for room.

use std::{borrow::Borrow, future::poll_fn, os::fd::AsFd as _};

use super::{UserRingBuf, UserRingBufEntry};
use crate::maps::{Map, MapData, MapError, Pod, handle::from_map, pod, readiness::Waiter, wait};

/// A [`UserRingBuf`] that an asynchronous task writes, with tokio and others as
/// [`AsyncRingBuf`](crate::maps::AsyncRingBuf).
///
/// ```no_run
/// # async fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::AsyncUserRingBuf;
///
/// let mut orders = AsyncUserRingBuf::try_from(map)?;
/// for order in 0..1_000_000_u64 {
///     orders.send(&order).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncUserRingBuf<T> {
    /// Dropped before the ring buffer whose descriptor it watches.
    waiter: Waiter,
    ring: UserRingBuf<T>,
}

from_map!(AsyncUserRingBuf<> from UserRingBuf);

impl<T: Borrow<MapData>> AsyncUserRingBuf<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let ring = UserRingBuf::new(map)?;
        let waiter = Waiter::new(ring.as_fd());
        Ok(Self {
            waiter: waiter.map_err(|error| wait::closed(ring.name(), error))?,
            ring,
        })
    }
}

impl<T> AsyncUserRingBuf<T> {
    /// Waits until there is room for a record of `size` bytes. The future may be dropped at any time.
    ///
    /// # Errors
    ///
    /// [`MapError::RecordTooLarge`] when there never will be; [`MapError::Closed`] when the runtime cannot
    /// wait, as when it is shutting down.
    pub async fn reserve(&mut self, size: usize) -> Result<UserRingBufEntry<'_>, MapError> {
        let Self { waiter, ring } = self;
        ring.check(size)?;
        let look = || match ring.has_room(size) {
            Ok(has_room) => has_room.then_some(Ok(())),
            Err(error) => Some(Err(error)),
        };
        poll_fn(|context| waiter.poll(context, look))
            .await
            .map_err(|error| wait::closed(ring.name(), error))??;
        ring.reserve(size)
    }

    /// Submits a copy of `value` as one record, once there is room.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    pub async fn send<V: Pod>(&mut self, value: &V) -> Result<(), MapError> {
        let mut entry = self.reserve(size_of::<V>()).await?;
        entry.copy_from_slice(pod::bytes_of(value));
        entry.submit();
        Ok(())
    }

    /// The ring buffer, for what needs no waiting.
    pub const fn ring_buf(&mut self) -> &mut UserRingBuf<T> {
        &mut self.ring
    }
}
