//! [`PerfEventArray`]: records from programs, in one buffer per CPU.
//!
//! `memory` reads one buffer and `set` those of all CPUs; `asynchronous` and `stream` wait for them in
//! tasks.

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
mod asynchronous;
mod error;
mod memory;
mod set;
#[cfg(test)]
mod simulation;
#[cfg(any(feature = "async_tokio", feature = "async_std"))]
mod stream;

use std::{
    borrow::{Borrow, BorrowMut},
    ops::ControlFlow,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::Path,
    sync::Arc,
};

use aya_sys::perf;
use bytes::BytesMut;

use self::memory::Buffer;
use super::{
    Map, MapData, MapError,
    handle::{create, from_map},
    shared::Shared,
};
use crate::{pin::PinError, sys::SyscallError};

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use self::asynchronous::{AsyncPerfEventArray, AsyncPerfEventArrayBuffer};
#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use self::stream::{AsyncPerfEventArrayBuffers, PerfEventArrayStream};
pub use self::{error::PerfBufferError, set::PerfEventArrayBuffers};

/// What a program sent, or could not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerfEvent<'a> {
    /// A record: what the program sent, then the packet bytes that it asked for, then padding. Where
    /// it crosses the end of the buffer it comes in two parts, else `tail` is empty.
    ///
    /// The kernel pads records so that their length plus 4 is a multiple of 8, and keeps no other
    /// length: of a record whose length varies, the program sends the length along. What the padding
    /// holds is undefined. With padding a record has at most 65 516 bytes.
    Sample {
        /// The first part.
        head: &'a [u8],
        /// The rest.
        tail: &'a [u8],
    },
    /// Records that found the buffer full since the last one that did not.
    Lost {
        /// How many.
        count: u64,
    },
}

/// What a record can be copied into: `Vec<u8>`, or `BytesMut` of the `bytes` crate.
pub trait RecordBuffer {
    /// Holds these two parts from now on, one behind the other, and nothing of what it held before.
    fn replace(&mut self, head: &[u8], tail: &[u8]);
}

impl RecordBuffer for Vec<u8> {
    fn replace(&mut self, head: &[u8], tail: &[u8]) {
        self.clear();
        self.extend_from_slice(head);
        self.extend_from_slice(tail);
    }
}

impl RecordBuffer for BytesMut {
    fn replace(&mut self, head: &[u8], tail: &[u8]) {
        self.clear();
        self.extend_from_slice(head);
        self.extend_from_slice(tail);
    }
}

/// What [`PerfEventArrayBuffer::read_events`] read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Events {
    /// The number of buffers that were filled.
    pub read: usize,
    /// The number of records that were lost.
    pub lost: usize,
}

/// A map through which programs send records to user space, with one buffer per CPU, of type
/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`: since kernel 4.3, through which programs can send since 4.4. Where the
/// kernel has ring buffers (5.8), [`RingBuf`](super::RingBuf) is the better choice: one buffer, in order.
///
/// ```no_run
/// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::{maps::perf::{PerfEvent, PerfEventArray}, util::online_cpus};
///
/// let mut events = PerfEventArray::try_from(map)?;
/// let mut buffers = Vec::new();
/// for cpu in online_cpus().map_err(|(_, error)| error)? {
///     buffers.push(events.open(cpu, None)?);
/// }
/// // After poll(2) says that one is readable:
/// for buffer in &mut buffers {
///     buffer.for_each(|event| match event {
///         PerfEvent::Sample { head, tail } => println!("{head:x?} {tail:x?}"),
///         PerfEvent::Lost { count } => println!("{count} records lost"),
///     });
/// }
/// // Or, all of them as one, `events.open_all(None)?`.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PerfEventArray<T> {
    /// Shared with the buffers: the kernel empties the array when the descriptor through which
    /// it was filled is closed.
    map: Arc<T>,
}

from_map!(PerfEventArray<> from PerfEventArray);
create!(
    PerfEventArray<>, key: u32, value: u32, PerfEventArray,
    max_entries: "the number of CPUs whose programs may send: [`nr_cpus`](crate::util::nr_cpus) for all"
);

impl<T: Borrow<MapData>> PerfEventArray<T> {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the conversions of all handles call a `new` that may fail"
    )]
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        Ok(Self { map: Arc::new(map) })
    }

    /// Pins the map: it outlives the process under `path`, a name in a BPF file system. The
    /// buffers do not.
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        (*self.map).borrow().pin(path)
    }
}

impl<T: BorrowMut<MapData>> PerfEventArray<T> {
    /// Opens the buffer for what programs send from CPU `index`, with room for `page_count` pages
    /// of records (2 if `None`), a power of two.
    ///
    /// # Errors
    ///
    /// [`PerfBufferError`] says which step failed. `CAP_PERFMON` is needed (`CAP_SYS_ADMIN`
    /// before kernel 5.8), or `kernel.perf_event_paranoid` below 1.
    pub fn open(
        &mut self,
        index: u32,
        page_count: Option<usize>,
    ) -> Result<PerfEventArrayBuffer<T>, PerfBufferError> {
        const DEFAULT_PAGES: usize = 2;
        let map: &MapData = (*self.map).borrow();
        map.check_bounds(index).map_err(PerfBufferError::MapError)?;
        let page_count = page_count.unwrap_or(DEFAULT_PAGES);
        let page = aya_sys::page_size();
        let size = page
            .checked_mul(page_count)
            .filter(|_| page_count.is_power_of_two())
            .ok_or(PerfBufferError::InvalidPageCount { page_count })?;
        let fd = perf::open_bpf_output(index).map_err(|error| PerfBufferError::OpenError {
            io_error: SyscallError::from(error).io_error,
        })?;
        let memory = Shared::map(fd.as_fd(), 0, page + size, true).map_err(|error| {
            PerfBufferError::MMapError {
                io_error: error.io_error,
            }
        })?;
        let buffer = Buffer::new(memory, page, size);
        perf::enable(fd.as_fd()).map_err(|error| PerfBufferError::PerfEventEnableError {
            io_error: SyscallError::from(error).io_error,
        })?;
        map.set_fd(&index, fd.as_fd().as_raw_fd(), 0)
            .map_err(PerfBufferError::MapError)?;
        Ok(PerfEventArrayBuffer {
            _map: Arc::clone(&self.map),
            buffer,
            fd,
        })
    }
}

impl<T: BorrowMut<MapData>> PerfEventArray<T> {
    /// Opens the buffers of all CPUs that are online, each with room for `page_count` pages of records
    /// (2 if `None`), a power of two.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_all(
        &mut self,
        page_count: Option<usize>,
    ) -> Result<PerfEventArrayBuffers<T>, PerfBufferError> {
        let array = Self {
            map: Arc::clone(&self.map),
        };
        PerfEventArrayBuffers::open(array, page_count)
    }
}

/// The buffer of one CPU.
///
/// The descriptor ([`AsFd`]) polls as readable when there is something new to read, for `poll(2)`,
/// `epoll(7)` or tokio's `AsyncFd`. Read everything before waiting again.
#[derive(Debug)]
pub struct PerfEventArrayBuffer<T> {
    _map: Arc<T>,
    buffer: Buffer,
    fd: OwnedFd,
}

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
impl<T: Borrow<MapData>> PerfEventArrayBuffer<T> {
    /// The map's name.
    fn name(&self) -> &str {
        let map: &MapData = (*self._map).borrow();
        map.name()
    }
}

impl<T> PerfEventArrayBuffer<T> {
    /// Whether there is something to read.
    pub fn readable(&self) -> bool {
        self.buffer.head() != self.buffer.tail()
    }

    /// Calls `f` with each record that is there at the time of the call, in order. Records are
    /// read in place, and their room is free again when `f` returns.
    pub fn for_each<F>(&mut self, mut f: F)
    where
        F: FnMut(PerfEvent<'_>),
    {
        self.fold((), |(), event| f(event));
    }

    /// Combines the records that are there at the time of the call into one value.
    pub fn fold<C, F>(&mut self, init: C, mut f: F) -> C
    where
        F: FnMut(C, PerfEvent<'_>) -> C,
    {
        let result = self.try_fold(init, |state, event| {
            ControlFlow::<std::convert::Infallible, C>::Continue(f(state, event))
        });
        match result {
            ControlFlow::Continue(state) => state,
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Like [`fold`](Self::fold), but stops when `f` breaks. The record at which it did counts as
    /// read.
    pub fn try_fold<B, C, F>(&mut self, init: C, mut f: F) -> ControlFlow<B, C>
    where
        F: FnMut(C, PerfEvent<'_>) -> ControlFlow<B, C>,
    {
        let buffer = &mut self.buffer;
        let head = buffer.head();
        let mut tail = buffer.tail();
        let mut state = init;
        let mut guess = Buffer::guess();
        while tail != head {
            let (event, size) = buffer.record(tail, head, &mut guess);
            let next = match event {
                Some(event) => f(state, event),
                None => ControlFlow::Continue(state),
            };
            tail = tail.wrapping_add(size);
            buffer.free(tail);
            state = next?;
        }
        ControlFlow::Continue(state)
    }

    /// Copies records into `buffers`, one each, replacing what they held and keeping their memory;
    /// stops when all are used, or there is no more to read. [`for_each`](Self::for_each) does without
    /// the copies.
    ///
    /// What a buffer holds then is a [`PerfEvent::Sample`] in one part, padding included.
    ///
    /// ```no_run
    /// # fn example(buffer: &mut aya::maps::perf::PerfEventArrayBuffer<aya::maps::MapData>)
    /// #     -> Result<(), aya::maps::perf::PerfBufferError> {
    /// let mut records = vec![bytes::BytesMut::with_capacity(1024); 10];
    /// let events = buffer.read_events(&mut records)?;
    /// for record in records.iter().take(events.read) {
    ///     println!("{record:x?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn read_events<B: RecordBuffer>(
        &mut self,
        buffers: &mut [B],
    ) -> Result<Events, PerfBufferError> {
        let mut events = Events::default();
        let mut free = buffers.iter_mut();
        while free.len() > 0 && self.readable() {
            let step = self.try_fold((), |(), event| match event {
                PerfEvent::Sample { head, tail } => {
                    if let Some(buffer) = free.next() {
                        buffer.replace(head, tail);
                        events.read += 1;
                    }
                    match free.len() {
                        0 => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                }
                PerfEvent::Lost { count } => {
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    events.lost = events.lost.saturating_add(count);
                    ControlFlow::Continue(())
                }
            });
            if step.is_break() {
                break;
            }
        }
        Ok(events)
    }
}

impl<T> AsFd for PerfEventArrayBuffer<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<T> AsRawFd for PerfEventArrayBuffer<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
