//! [`PerfEventArray`]: records from programs, in one buffer per CPU.
//!
//! # The memory that reader and kernel share
//!
//! Page 0 is the kernel's `struct perf_event_mmap_page`; of it, `data_head` is where the kernel
//! will write next and `data_tail` is where this reader has read to. Both only grow; modulo the
//! size of the data they are offsets into the pages that follow. Records start with a header of 8
//! bytes (`u32` type, `u16` flags, `u16` size) at multiples of 8, so a header is never split by
//! the end of the data, while what follows it may be.
//!
//! # Ordering
//!
//! The facts about the kernel's side are from the comments in `include/uapi/linux/perf_event.h`
//! and `perf_event_open(2)`. Each buffer has one writer, its CPU, and one reader.
//!
//! 1. The kernel writes the records, then `data_head`, with a write barrier between. This reader
//!    loads `data_head` with acquire ordering, so everything before it can be read.
//! 2. This reader stores `data_tail` with release ordering after it has read a record; the kernel
//!    reads `data_tail` before it overwrites what lies before it. A release store keeps earlier
//!    loads in front of it, which is what the header file asks for.
//! 3. With `wakeup_events = 1` the kernel wakes after every record, wherever the reader stands,
//!    so no fence is needed between reading everything and going to sleep.

use std::{
    borrow::{Borrow, BorrowMut},
    error::Error,
    fmt, io,
    ops::ControlFlow,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aya_sys::perf;

use super::{Map, MapData, MapError, Pod, handle::from_map, pod, shared::Shared};
use crate::{pin::PinError, sys::SyscallError};

/// Offsets in `struct perf_event_mmap_page`, in which the kernel reserves the first KiB.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// Types of records, from `enum perf_event_type`.
const PERF_RECORD_LOST: u32 = 2;
const PERF_RECORD_SAMPLE: u32 = 9;

/// The size of a record's header.
const HEADER: u64 = 8;

/// Why a buffer could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum PerfBufferError {
    /// The number of pages is no power of two.
    InvalidPageCount {
        /// The number as given.
        page_count: usize,
    },
    /// The perf event could not be opened.
    OpenError {
        /// The kernel's reason.
        io_error: io::Error,
    },
    /// The buffer could not be mapped.
    MMapError {
        /// The kernel's reason.
        io_error: io::Error,
    },
    /// The perf event could not be switched on.
    PerfEventEnableError {
        /// The kernel's reason.
        io_error: io::Error,
    },
    /// The perf event could not be put into the map.
    MapError(MapError),
    /// Another system call failed.
    IOError(io::Error),
}

impl fmt::Display for PerfBufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidPageCount { page_count } => write!(
                f,
                "a perf buffer cannot have {page_count} pages: use a power of two"
            ),
            Self::OpenError { .. } => f.write_str(
                "the perf event could not be opened: it needs CAP_PERFMON (CAP_SYS_ADMIN before \
                 5.8) and a CPU that is online",
            ),
            Self::MMapError { .. } => f.write_str(
                "the perf buffer could not be mapped: use fewer pages, or raise RLIMIT_MEMLOCK or \
                 kernel.perf_event_mlock_kb",
            ),
            Self::PerfEventEnableError { .. } => {
                f.write_str("the perf event could not be switched on")
            }
            Self::MapError(_) => f.write_str("the perf event could not be put into the map"),
            Self::IOError(_) => f.write_str("a system call on the perf buffer failed"),
        }
    }
}

impl Error for PerfBufferError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InvalidPageCount { .. } => None,
            Self::OpenError { io_error }
            | Self::MMapError { io_error }
            | Self::PerfEventEnableError { io_error }
            | Self::IOError(io_error) => Some(io_error),
            Self::MapError(error) => Some(error),
        }
    }
}

/// What a program sent, or could not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerfEvent<'a> {
    /// A record. Where it crosses the end of the buffer it comes in two parts, else `tail` is
    /// empty. The kernel pads records so that their length plus 4 is a multiple of 8.
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

/// What [`PerfEventArrayBuffer::read_events`] read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Events {
    /// The number of buffers that were filled.
    pub read: usize,
    /// The number of records that were lost.
    pub lost: usize,
}

/// A map through which programs send records to user space, with one buffer per CPU, of type
/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY` (since kernel 4.3). Where the kernel has ring buffers (5.8),
/// [`RingBuf`](super::RingBuf) is the better choice: one buffer, in order.
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
        perf::enable(fd.as_fd()).map_err(|error| PerfBufferError::PerfEventEnableError {
            io_error: SyscallError::from(error).io_error,
        })?;
        let map: &MapData = (*self.map).borrow();
        map.set_fd(&index, fd.as_fd(), 0)
            .map_err(PerfBufferError::MapError)?;
        Ok(PerfEventArrayBuffer {
            _map: Arc::clone(&self.map),
            buffer: Buffer {
                memory,
                data: page,
                size,
            },
            fd,
        })
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
        while tail != head {
            let (event, size) = buffer.record(tail, head);
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

    /// Copies records into `buffers`, one each, replacing what they held; stops when all are full.
    /// Works with `Vec<u8>` and with `BytesMut` of the `bytes` crate.
    /// [`for_each`](Self::for_each) does without the copies.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn read_events<B>(&mut self, buffers: &mut [B]) -> Result<Events, PerfBufferError>
    where
        B: Default + for<'a> Extend<&'a u8>,
    {
        let mut events = Events::default();
        let mut free = buffers.iter_mut();
        while free.len() > 0 && self.readable() {
            let step = self.try_fold((), |(), event| match event {
                PerfEvent::Sample { head, tail } => {
                    if let Some(buffer) = free.next() {
                        *buffer = B::default();
                        buffer.extend(head);
                        buffer.extend(tail);
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

/// The mapping of one perf event.
#[derive(Debug)]
struct Buffer {
    memory: Shared,
    /// Where the records start.
    data: usize,
    size: usize,
}

impl Buffer {
    fn head(&self) -> u64 {
        let cell = self.memory.cell::<AtomicU64>(DATA_HEAD);
        cell.map_or(0, |cell| cell.load(Ordering::Acquire))
    }

    /// Only this side writes it, so there is nothing to synchronise with.
    fn tail(&self) -> u64 {
        let cell = self.memory.cell::<AtomicU64>(DATA_TAIL);
        cell.map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    fn free(&mut self, tail: u64) {
        if let Some(cell) = self.memory.cell::<AtomicU64>(DATA_TAIL) {
            cell.store(tail, Ordering::Release);
        }
    }

    /// The record at `tail` and the room it takes. Records of other types are passed over, and
    /// what makes no sense is passed over up to `head`.
    fn record(&self, tail: u64, head: u64) -> (Option<PerfEvent<'_>>, u64) {
        let rest = head.wrapping_sub(tail);
        if !(HEADER..=self.size as u64).contains(&rest) {
            return (None, rest);
        }
        let (Some(kind), Some(size)) = (
            self.read::<u32>(tail),
            self.read::<u16>(tail.wrapping_add(6)),
        ) else {
            return (None, rest);
        };
        let room = u64::from(size);
        if !(HEADER..=rest).contains(&room) {
            return (None, rest);
        }
        let event = match kind {
            PERF_RECORD_SAMPLE => self.sample(tail, room),
            // An id, then the number.
            PERF_RECORD_LOST if room >= HEADER + 16 => self
                .read(tail.wrapping_add(HEADER + 8))
                .map(|count| PerfEvent::Lost { count }),
            _ => None,
        };
        (event, room)
    }

    /// A `u32` length, then the record that the program sent.
    fn sample(&self, tail: u64, room: u64) -> Option<PerfEvent<'_>> {
        let body = tail.wrapping_add(HEADER);
        let most = room.checked_sub(HEADER + 4)?;
        let len = self.read::<u32>(body)?;
        if u64::from(len) > most {
            return None;
        }
        let (head, tail) = self.part(body.wrapping_add(4), len as usize)?;
        Some(PerfEvent::Sample { head, tail })
    }

    /// A value that is not split by the end of the data, as those at multiples of their size.
    fn read<V: Pod>(&self, position: u64) -> Option<V> {
        pod::from_prefix(self.part(position, size_of::<V>())?.0)
    }

    /// `len` bytes from `position`, in two parts where they cross the end of the data.
    #[allow(unsafe_code)]
    fn part(&self, position: u64, len: usize) -> Option<(&[u8], &[u8])> {
        // The size is a power of two, and the offset is below it.
        let offset = (position & (self.size as u64 - 1)) as usize;
        let first = len.min(self.size - offset);
        // SAFETY: callers ask for what lies between `data_tail` and `data_head`. The kernel has
        // written it before it moved the head there, and writes there again only after the tail
        // has moved on, which takes a `&mut self` that waits for the end of this borrow.
        let bytes = |offset, len| unsafe { self.memory.bytes(self.data + offset, len) };
        Some((bytes(offset, first)?, bytes(0, len - first)?))
    }
}
