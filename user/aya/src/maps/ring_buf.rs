//! [`RingBuf`]: records from programs, in the order in which they were reserved.
//!
//! # The memory that reader and kernel share
//!
//! | mapping | access | holds |
//! | --- | --- | --- |
//! | page 0 | read, write | the consumer's position |
//! | page 1 | read | the producers' position |
//! | from page 2 | read | the data, mapped twice in a row, so that no record is ever split |
//!
//! Positions are `unsigned long`s that only grow; modulo the size of the data they are offsets.
//! A record is a header of 8 bytes, whose first `u32` is the length with two flags, then the
//! payload, then padding to a multiple of 8.
//!
//! # Ordering
//!
//! The facts about the kernel's side are from `Documentation/bpf/ringbuf.rst`. There may be many
//! producers, serialised by a spin lock, and one consumer: this reader.
//!
//! 1. *Reserving.* A producer writes the header, with the busy flag set, and then stores the
//!    producers' position with release ordering. This reader loads that position with acquire
//!    ordering, so behind every position it sees is a header it can read.
//! 2. *Committing.* A producer fills the payload, then exchanges the header's length for one
//!    without the busy flag, a full barrier. This reader loads the length with acquire ordering,
//!    so a payload whose busy flag is gone is complete. Records are consumed in the order of
//!    their reservation: a busy one holds up those behind it.
//! 3. *Freeing.* This reader stores its position with release ordering when the item is dropped,
//!    after all reads of the payload. Producers load it with acquire ordering before they write,
//!    so no payload is overwritten while it is borrowed.
//! 4. *Waking.* After committing (2) the producer loads the consumer's position and wakes waiters
//!    only if it stands at the record just committed, which means that the reader has read
//!    everything before. Reader and producer each store one word and then load the other's; with
//!    nothing but acquire and release both could miss each other's store: the reader would find
//!    the record busy and go to sleep, the producer would find the reader behind and not wake it.
//!    The producer's exchange is a full barrier on its side. On this side a sequentially
//!    consistent fence stands between the last store of the position and the look that decides
//!    that there is nothing to read. It is executed once per burst, not once per record.
//!
//! The position of the producers is read again only when all records up to the last known one are
//! consumed, so that a burst costs one transfer of that cache line, not one per record.

use std::{
    borrow::Borrow,
    fmt,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence},
};

use aya_uapi::bindings::{
    BPF_F_RB_OVERWRITE, BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ,
};

use super::{Map, MapData, MapError, handle::from_map, shared::Shared};

/// The reading end of a ring buffer, of type `BPF_MAP_TYPE_RINGBUF` (since kernel 5.8).
///
/// A ring buffer has one reader: make one `RingBuf` of a map, in one process.
///
/// # Waiting
///
/// [`next`](Self::next) never waits. The descriptor ([`AsFd`]) polls as readable when there are
/// records, so it can be given to `poll(2)`, `epoll(7)` or tokio's `AsyncFd`. Read until `next`
/// gives `None` before waiting again: programs wake the reader only when it has read everything
/// before the new record. A record that is reserved and not yet submitted makes the descriptor
/// readable too, while `next` still gives `None`.
///
/// ```no_run
/// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::RingBuf;
///
/// let mut events = RingBuf::try_from(&mut map)?;
/// while let Some(event) = events.next() {
///     println!("{} bytes: {event:x?}", event.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RingBuf<T> {
    map: T,
    consumer: Consumer,
    producer: Producer,
}

from_map!(RingBuf<> from RingBuf);

impl<T: Borrow<MapData>> RingBuf<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let data = map.borrow();
        let flags = data.shape().flags;
        if flags & BPF_F_RB_OVERWRITE != 0 {
            return Err(MapError::UnsupportedMapFlags {
                flags,
                reason: "records that are overwritten before they are read cannot be read yet, \
                         create the map without BPF_F_RB_OVERWRITE",
            });
        }
        let page = aya_sys::page_size();
        let size = data.max_entries() as usize;
        let consumer = Consumer::new(Shared::map(data.fd().as_fd(), 0, page, true)?);
        let producer = Shared::map(data.fd().as_fd(), page, page + 2 * size, false)?;
        Ok(Self {
            producer: Producer {
                memory: producer,
                data: page,
                mask: size.wrapping_sub(1),
                known: consumer.position,
            },
            consumer,
            map,
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
    pub fn next(&mut self) -> Option<RingBufItem<'_>> {
        let Self {
            consumer, producer, ..
        } = self;
        let mut fenced = false;
        loop {
            match producer.look(consumer.position) {
                Some(Record { len, discarded }) => {
                    let room = (HEADER + len).next_multiple_of(8);
                    if discarded {
                        consumer.advance(room);
                        fenced = false;
                        continue;
                    }
                    let data = producer.payload(consumer.position, len)?;
                    return Some(RingBufItem {
                        data,
                        room,
                        consumer,
                    });
                }
                None if fenced => return None,
                // See "Waking" above.
                None => {
                    fence(Ordering::SeqCst);
                    fenced = true;
                }
            }
        }
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
    data: &'a [u8],
    room: usize,
    consumer: &'a mut Consumer,
}

impl Deref for RingBufItem<'_> {
    type Target = [u8];

    fn deref(&self) -> &Self::Target {
        self.data
    }
}

impl fmt::Debug for RingBufItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.data.fmt(f)
    }
}

impl Drop for RingBufItem<'_> {
    fn drop(&mut self) {
        self.consumer.advance(self.room);
    }
}

const HEADER: usize = BPF_RINGBUF_HDR_SZ as usize;

/// The page that this side writes.
#[derive(Debug)]
struct Consumer {
    memory: Shared,
    position: usize,
}

impl Consumer {
    fn new(memory: Shared) -> Self {
        // Only this side writes it, so there is nothing to synchronise with.
        let position = memory
            .cell::<AtomicUsize>(0)
            .map_or(0, |cell| cell.load(Ordering::Relaxed));
        Self { memory, position }
    }

    fn advance(&mut self, bytes: usize) {
        self.position = self.position.wrapping_add(bytes);
        if let Some(cell) = self.memory.cell::<AtomicUsize>(0) {
            cell.store(self.position, Ordering::Release);
        }
    }
}

/// The pages that the kernel writes.
#[derive(Debug)]
struct Producer {
    memory: Shared,
    /// Where in the memory the data starts.
    data: usize,
    mask: usize,
    /// The producers' position when it was last looked at.
    known: usize,
}

struct Record {
    len: usize,
    discarded: bool,
}

impl Producer {
    /// The record at `position`; `None` when there is none that is complete.
    fn look(&mut self, position: usize) -> Option<Record> {
        if position == self.known {
            self.known = self.memory.cell::<AtomicUsize>(0)?.load(Ordering::Acquire);
            if position == self.known {
                return None;
            }
        }
        let header = self.memory.cell::<AtomicU32>(self.offset(position))?;
        let header = header.load(Ordering::Acquire);
        if header & BPF_RINGBUF_BUSY_BIT != 0 {
            return None;
        }
        Some(Record {
            len: (header & !BPF_RINGBUF_DISCARD_BIT) as usize,
            discarded: header & BPF_RINGBUF_DISCARD_BIT != 0,
        })
    }

    /// The payload of the complete record at `position`.
    #[allow(unsafe_code)]
    fn payload(&self, position: usize, len: usize) -> Option<&[u8]> {
        // SAFETY: the record is complete, so no program writes it any more, and the kernel leaves
        // it alone until the consumer's position passes it, which the item that holds this borrow
        // sees to when dropped. That position is moved by nobody else as long as there is one
        // reader, which is what a ring buffer is made for.
        unsafe { self.memory.bytes(self.offset(position) + HEADER, len) }
    }

    fn offset(&self, position: usize) -> usize {
        self.data + (position & self.mask)
    }
}
