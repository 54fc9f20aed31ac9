//! [`UserRingBuf`]: records to programs, in the order in which they were submitted.
//!
//! `protocol` writes the memory that the kernel reads.

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
mod asynchronous;
mod protocol;
#[cfg(test)]
mod simulation;

use std::{
    borrow::Borrow,
    ops::{Deref, DerefMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use aya_sys::epoll::Epoll;
use aya_uapi::MapType;

use self::protocol::{Reserved, Writer};
use super::{
    Map, MapData, MapError, Pod,
    exclusive::Exclusive,
    handle::{create, from_map},
    pod,
    shared::Shared,
    wait,
};
use crate::sys::SyscallError;

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use self::asynchronous::AsyncUserRingBuf;

/// The writing end of a user ring buffer, of type `BPF_MAP_TYPE_USER_RINGBUF` (since kernel 6.1).
///
/// A program reads what was submitted when it calls `UserRingBuf::drain`; nothing of this side makes it
/// run. A user ring buffer has one writer: make one `UserRingBuf` of a map, in one process. A second one
/// in the same process is refused.
///
/// ```no_run
/// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::UserRingBuf;
///
/// let mut orders = UserRingBuf::try_from(&mut map)?;
/// orders.send(&7_u32)?;
/// // Or filled in place:
/// let mut order = orders.reserve(16)?;
/// order.fill(1);
/// order.submit();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UserRingBuf<T> {
    _map: T,
    writer: Writer,
    /// Readable each time programs have consumed something.
    drained: Epoll,
    exclusive: Exclusive,
}

from_map!(UserRingBuf<> from UserRingBuf);
create!(
    UserRingBuf<>, key: (), value: (), UserRingBuf,
    max_entries: "a number of bytes, rounded up to a power of two and to whole pages"
);

impl<T: Borrow<MapData>> UserRingBuf<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let data = map.borrow();
        data.check_type(MapType::USER_RINGBUF)?;
        let exclusive = Exclusive::new(data)?;
        let page = aya_sys::page_size();
        let size = data.max_entries() as usize;
        let fd = data.fd().as_fd();
        let consumer = Shared::map(fd, 0, page, false)?;
        let producer = Shared::map(fd, page, page + 2 * size, true)?;
        let writer = Writer::new(consumer, producer, page, size);
        let writer = writer.ok_or_else(|| MapError::InvalidValueSize {
            name: data.name().to_owned(),
            size,
            expected: size.next_power_of_two(),
        })?;
        let drained = Epoll::new().map_err(SyscallError::from)?;
        drained.add_writable_edges(fd).map_err(SyscallError::from)?;
        Ok(Self {
            writer,
            drained,
            exclusive,
            _map: map,
        })
    }
}

impl<T> UserRingBuf<T> {
    /// Room for a record of `size` bytes, to be filled and [submitted](UserRingBufEntry::submit). It
    /// holds what an older record left there.
    ///
    /// # Errors
    ///
    /// [`MapError::NoRoom`] when programs have to consume something first, [`MapError::RecordTooLarge`]
    /// when that would not help.
    pub fn reserve(&mut self, size: usize) -> Result<UserRingBufEntry<'_>, MapError> {
        self.check(size)?;
        let name = self.exclusive.name();
        match self.writer.reserve(size) {
            Some(reserved) => Ok(UserRingBufEntry(reserved)),
            None => Err(no_room(name, size)),
        }
    }

    /// Like [`reserve`](Self::reserve), and where there is no room, waits until programs have made some,
    /// for `timeout` at most, or for ever.
    ///
    /// A program that drains the buffer with `BPF_RB_NO_WAKEUP` does not end the wait by itself.
    ///
    /// # Errors
    ///
    /// [`MapError::NoRoom`] when the time is over, or when a signal came before; the other errors of
    /// `reserve`; [`MapError::Closed`] when it cannot be waited for.
    pub fn reserve_within(
        &mut self,
        size: usize,
        timeout: Option<Duration>,
    ) -> Result<UserRingBufEntry<'_>, MapError> {
        self.check(size)?;
        wait::until(self.name(), self.drained.as_fd(), timeout, || {
            self.has_room(size)
        })?;
        self.reserve(size)
    }

    /// Submits a copy of `value` as one record.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    pub fn send<V: Pod>(&mut self, value: &V) -> Result<(), MapError> {
        self.send_bytes(pod::bytes_of(value))
    }

    /// Submits a copy of `bytes` as one record.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), MapError> {
        let mut entry = self.reserve(bytes.len())?;
        entry.copy_from_slice(bytes);
        entry.submit();
        Ok(())
    }

    /// How many bytes the buffer holds.
    pub const fn capacity(&self) -> usize {
        self.writer.size()
    }

    /// How many bytes are submitted and not consumed yet. Each record takes 8 bytes and is a multiple of 8
    /// long.
    pub fn pending_bytes(&self) -> usize {
        self.writer.pending()
    }

    /// Whether there is room now. What was consumed before is known then: only what comes after makes
    /// `drained` readable.
    pub(super) fn has_room(&self, size: usize) -> Result<bool, MapError> {
        let taken = self.drained.take();
        taken.map_err(|error| wait::closed(self.name(), error.into()))?;
        Ok(self.writer.has_room(size))
    }

    /// Refuses records that never have room.
    pub(super) fn check(&self, size: usize) -> Result<(), MapError> {
        match self.writer.can_hold(size) {
            true => Ok(()),
            false => Err(MapError::RecordTooLarge {
                name: self.name().to_owned(),
                size,
                capacity: self.capacity(),
            }),
        }
    }

    /// The map's name.
    pub(super) fn name(&self) -> &str {
        self.exclusive.name()
    }
}

#[cold]
fn no_room(name: &str, size: usize) -> MapError {
    MapError::NoRoom {
        name: name.to_owned(),
        size,
    }
}

/// Readable, for `poll(2)`, `epoll(7)` or tokio's `AsyncFd`, when programs have consumed something since
/// it was last found that there is no room. Ask for room before waiting.
impl<T> AsFd for UserRingBuf<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.drained.as_fd()
    }
}

impl<T> AsRawFd for UserRingBuf<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Room for a record in a [`UserRingBuf`]: bytes that nobody else sees before they are submitted. They
/// start at a multiple of 8 bytes.
///
/// Dropping it discards the record.
#[must_use = "dropping the entry discards it; call `submit`"]
#[derive(Debug)]
pub struct UserRingBufEntry<'a>(Reserved<'a>);

impl UserRingBufEntry<'_> {
    /// Hands the record to programs.
    pub fn submit(self) {
        self.0.submit();
    }

    /// Gives the room back; programs see nothing.
    pub fn discard(self) {}
}

impl Deref for UserRingBufEntry<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.data
    }
}

impl DerefMut for UserRingBufEntry<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.data
    }
}
