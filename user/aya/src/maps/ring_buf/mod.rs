//! [`RingBuf`]: records from programs, in the order in which they were reserved.
//!
//! `protocol` reads the memory that the kernel writes; `set` waits for several ring buffers,
//! `asynchronous` in a task.

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
mod asynchronous;
mod protocol;
mod set;
#[cfg(test)]
mod simulation;

use std::{
    borrow::Borrow,
    fmt,
    ops::{ControlFlow, Deref},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use aya_uapi::{MapType, bindings::BPF_F_RB_OVERWRITE};

use self::protocol::{Claimed, Reader};
use super::{
    Map, MapData, MapError, Pod, Record,
    exclusive::Exclusive,
    handle::{create, from_map},
    of_maps::sealed::InnerMap,
    shared::Shared,
    wait,
};

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use self::asynchronous::{AsyncRingBuf, RingBufStream};
pub use self::set::RingBufs;

/// The reading end of a ring buffer, of type `BPF_MAP_TYPE_RINGBUF` (since kernel 5.8).
///
/// A ring buffer has one reader: make one `RingBuf` of a map, in one process. A second one in the same
/// process is refused.
///
/// # Reading
///
/// | | gives | the record's room is free again |
/// | --- | --- | --- |
/// | [`next`](Self::next) | one record | when the item is dropped |
/// | [`for_each`](Self::for_each) | all there are, fastest | at the latest when the call returns |
///
/// Both read records where the program wrote them, and none of them waits or allocates.
///
/// # Waiting
///
/// [`wait`](Self::wait) waits for a record, up to a time limit. For other ways the descriptor ([`AsFd`])
/// polls as readable when there are records, so it can be given to `poll(2)`, `epoll(7)` or tokio's
/// `AsyncFd`. Read until there is nothing left before waiting again: programs wake the reader only when
/// it has read everything before the new record. A record that is reserved and not yet submitted makes
/// the descriptor readable too, while `next` still gives `None`.
///
/// ```no_run
/// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::RingBuf;
///
/// let mut events = RingBuf::try_from(&mut map)?;
/// while events.wait(None)? {
///     events.for_each(|event| println!("{} bytes: {event:x?}", event.len()));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RingBuf<T> {
    map: T,
    reader: Reader,
    exclusive: Exclusive,
}

from_map!(RingBuf<> from RingBuf);
create!(
    RingBuf<>, key: (), value: (), RingBuf,
    max_entries: "a number of bytes, rounded up to a power of two and to whole pages"
);

impl<T: Borrow<MapData>> InnerMap for RingBuf<T> {
    fn map_data(&self) -> &MapData {
        self.map.borrow()
    }
}

impl<T: Borrow<MapData>> RingBuf<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let data = map.borrow();
        data.check_type(MapType::RINGBUF)?;
        let flags = data.shape().flags;
        if flags & BPF_F_RB_OVERWRITE != 0 {
            return Err(MapError::UnsupportedMapFlags {
                name: data.name().to_owned(),
                flags,
                reason: "records that are overwritten before they are read cannot be read yet, \
                         create the map without BPF_F_RB_OVERWRITE",
            });
        }
        let exclusive = Exclusive::new(data)?;
        let page = aya_sys::page_size();
        let size = data.max_entries() as usize;
        let fd = data.fd().as_fd();
        let consumer = Shared::map(fd, 0, page, true)?;
        let producer = Shared::map(fd, page, page + 2 * size, false)?;
        let reader = Reader::new(consumer, producer, page, size);
        let reader = reader.ok_or_else(|| MapError::InvalidValueSize {
            name: data.name().to_owned(),
            size,
            expected: size.next_power_of_two(),
        })?;
        Ok(Self {
            reader,
            exclusive,
            map,
        })
    }

    /// Waits until there is a record to read, for `timeout` at most, or for ever. False when the time is
    /// over, or when a signal came before.
    ///
    /// Records that a program submits with `BPF_RB_NO_WAKEUP` do not end the wait by themselves.
    ///
    /// # Errors
    ///
    /// [`MapError::Closed`] when nothing can come any more.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, MapError> {
        let Self {
            map,
            reader,
            exclusive,
        } = self;
        let map: &MapData = (*map).borrow();
        wait::until(exclusive.name(), map.fd().as_fd(), timeout, || {
            Ok(reader.ready())
        })
    }
}

impl<T> RingBuf<T> {
    /// The next record, if there is one. Its room in the buffer is free again when the item is
    /// dropped; an item that is [forgotten](std::mem::forget) comes again.
    #[allow(
        clippy::should_implement_trait,
        reason = "the item borrows the reader, which `Iterator` cannot express"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<RingBufItem<'_>> {
        Some(RingBufItem {
            claimed: self.reader.next()?,
            map: self.exclusive.name(),
        })
    }

    /// Calls `f` with each record until there is none, and returns how many there were.
    ///
    /// As long as programs send faster than `f` reads, this does not return:
    /// [`try_for_each`](Self::try_for_each) can stop before. Up to an eighth of the buffer, 16 KiB at
    /// most, may be read and not yet be free for new records while `f` is at work.
    ///
    /// ```no_run
    /// # fn example(mut events: aya::maps::RingBuf<aya::maps::MapData>) {
    /// let mut bytes = 0;
    /// let records = events.for_each(|event| bytes += event.len());
    /// println!("{records} records of {bytes} bytes");
    /// # }
    /// ```
    #[inline]
    pub fn for_each<F>(&mut self, mut f: F) -> usize
    where
        F: FnMut(Record<'_>),
    {
        let mut count = 0;
        let result = self.try_for_each(|record| {
            f(record);
            count += 1;
            ControlFlow::<std::convert::Infallible>::Continue(())
        });
        match result {
            ControlFlow::Continue(()) => count,
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Like [`for_each`](Self::for_each), but stops when `f` breaks. The record at which it did counts
    /// as read; one at which it panicked comes again.
    ///
    /// ```no_run
    /// # fn example(mut events: aya::maps::RingBuf<aya::maps::MapData>) {
    /// use std::ops::ControlFlow;
    ///
    /// // No more than a thousand records, then something else has its turn.
    /// let mut left = 1000;
    /// let stopped = events.try_for_each(|event| {
    ///     println!("{event:x?}");
    ///     left -= 1;
    ///     if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    /// });
    /// # }
    /// ```
    #[inline]
    pub fn try_for_each<B, F>(&mut self, mut f: F) -> ControlFlow<B>
    where
        F: FnMut(Record<'_>) -> ControlFlow<B>,
    {
        let map = self.exclusive.name();
        self.reader.try_for_each(|data| f(Record::new(map, data)))
    }

    /// How many bytes the buffer holds.
    pub const fn capacity(&self) -> usize {
        self.reader.size()
    }

    /// How many bytes are in use at the moment, by records that were not read yet, complete or not. Each
    /// takes 8 bytes and is a multiple of 8 long.
    pub fn available_bytes(&self) -> usize {
        self.reader.end().wrapping_sub(self.reader.position())
    }

    /// How many bytes were read since the buffer was created, in the same units. Wraps around.
    pub const fn consumer_position(&self) -> usize {
        self.reader.position()
    }

    /// How many bytes programs have reserved since the buffer was created. Wraps around.
    pub fn producer_position(&self) -> usize {
        self.reader.end()
    }

    /// The map's name.
    pub(super) fn name(&self) -> &str {
        self.exclusive.name()
    }
}

impl<T: Borrow<MapData>> AsFd for RingBuf<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.borrow().fd().as_fd()
    }
}

impl<T: Borrow<MapData>> AsRawFd for RingBuf<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// A record of a [`RingBuf`], read where the program wrote it. It starts at a multiple of 8 bytes.
pub struct RingBufItem<'a> {
    claimed: Claimed<'a>,
    map: &'a str,
}

impl RingBufItem<'_> {
    /// The record as a `T`, as [`Record::read`].
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidRecordSize`] when it has not exactly the size of a `T`.
    #[inline]
    pub fn read<T: Pod>(&self) -> Result<T, MapError> {
        self.record().read()
    }

    /// A `T` at the beginning of the record, and the bytes that follow it, as [`Record::split`].
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidRecordSize`] when the record is shorter than a `T`.
    #[inline]
    pub fn split<T: Pod>(&self) -> Result<(T, &[u8]), MapError> {
        self.record().split()
    }

    /// The record as [`RingBuf::for_each`] gives it.
    #[inline]
    pub fn record(&self) -> Record<'_> {
        Record::new(self.map, self.claimed.data)
    }
}

impl Deref for RingBufItem<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.claimed.data
    }
}

impl fmt::Debug for RingBufItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claimed.data.fmt(f)
    }
}
