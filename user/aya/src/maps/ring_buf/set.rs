//! [`RingBufs`]: several ring buffers that are read as one.

use std::{
    borrow::Borrow,
    ops::ControlFlow,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use aya_sys::epoll::Epoll;

use super::RingBuf;
use crate::{
    maps::{MapData, MapError, Record, wait},
    sys::SyscallError,
};

/// Several ring buffers behind one descriptor, read by turns.
///
/// Records of one ring buffer come in order; towards those of others there is none.
///
/// ```no_run
/// # fn example(mut ebpf: aya::Ebpf) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::{RingBuf, ring_buf::RingBufs};
///
/// let opens = RingBuf::try_from(ebpf.take_map("OPENS").ok_or("no map OPENS")?)?;
/// let closes = RingBuf::try_from(ebpf.take_map("CLOSES").ok_or("no map CLOSES")?)?;
/// let mut events = RingBufs::new([opens, closes])?;
/// while events.wait(None)? {
///     events.for_each(|index, event| println!("{}: {event:x?}", ["open", "close"][index]));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RingBufs<T> {
    rings: Vec<RingBuf<T>>,
    /// Readable when one of them is.
    epoll: Epoll,
}

impl<T: Borrow<MapData>> RingBufs<T> {
    /// A set of these, numbered from 0 in this order.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the process has no descriptor left.
    pub fn new(rings: impl IntoIterator<Item = RingBuf<T>>) -> Result<Self, MapError> {
        let mut set = Self {
            rings: Vec::new(),
            epoll: Epoll::new().map_err(SyscallError::from)?,
        };
        for ring in rings {
            set.push(ring)?;
        }
        Ok(set)
    }

    /// Adds one more, and returns its number.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn push(&mut self, ring: RingBuf<T>) -> Result<usize, MapError> {
        let added = self.epoll.add_readable(ring.as_fd());
        added.map_err(SyscallError::from)?;
        self.rings.push(ring);
        Ok(self.rings.len() - 1)
    }

    /// As [`RingBuf::wait`], for a record in any of them.
    ///
    /// # Errors
    ///
    /// [`MapError::Closed`] when nothing can come any more.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, MapError> {
        let Self { rings, epoll } = self;
        let names: Vec<_> = rings.iter().map(RingBuf::name).collect();
        let names = names.join(", ");
        wait::until(&names, epoll.as_fd(), timeout, || {
            Ok(rings.iter_mut().any(|ring| ring.reader.ready()))
        })
    }
}

impl<T> RingBufs<T> {
    /// Calls `f` with a ring buffer's number and each of its records, until there is none in any of
    /// them, and returns how many there were. No ring buffer has a second turn before each had its
    /// first.
    pub fn for_each<F>(&mut self, mut f: F) -> usize
    where
        F: FnMut(usize, Record<'_>),
    {
        let mut count = 0;
        let result = self.try_for_each(|index, record| {
            f(index, record);
            count += 1;
            ControlFlow::<std::convert::Infallible>::Continue(())
        });
        match result {
            ControlFlow::Continue(()) => count,
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Like [`for_each`](Self::for_each), but stops when `f` breaks. The record at which it did counts
    /// as read.
    pub fn try_for_each<B, F>(&mut self, mut f: F) -> ControlFlow<B>
    where
        F: FnMut(usize, Record<'_>) -> ControlFlow<B>,
    {
        let mut fenced = false;
        loop {
            let mut any = false;
            for (index, ring) in self.rings.iter_mut().enumerate() {
                let RingBuf {
                    reader, exclusive, ..
                } = ring;
                any |= reader.burst(|data| f(index, Record::new(exclusive.name(), data)))?;
            }
            if any {
                fenced = false;
            } else if fenced {
                return ControlFlow::Continue(());
            } else {
                // See "Waking" in `protocol`.
                fence(Ordering::SeqCst);
                fenced = true;
            }
        }
    }

    /// The ring buffers, by number.
    pub fn rings(&self) -> &[RingBuf<T>] {
        &self.rings
    }
}

impl<T> AsFd for RingBufs<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl<T> AsRawFd for RingBufs<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
