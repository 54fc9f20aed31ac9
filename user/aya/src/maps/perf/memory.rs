//! The reading side of one perf buffer.
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

use super::PerfEvent;
use crate::maps::{
    guess::{AHEAD, Guess},
    shared::{AtomicU64, Ordering, Shared},
};

/// Offsets in `struct perf_event_mmap_page`, in which the kernel reserves the first KiB.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// Types of records, from `enum perf_event_type`.
const PERF_RECORD_LOST: u32 = 2;
const PERF_RECORD_SAMPLE: u32 = 9;

/// The size of a record's header.
const HEADER: u64 = 8;

/// The mapping of one perf event.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Shared,
    /// Where the records start.
    data: usize,
    size: usize,
}

impl Buffer {
    /// In the memory of a perf event: a page of size `page`, then `size` bytes of records, a power of
    /// two.
    pub(super) const fn new(memory: Shared, page: usize, size: usize) -> Self {
        Self {
            memory,
            data: page,
            size,
        }
    }

    /// To begin with: any header will do.
    pub(super) const fn guess() -> Guess<u64, Header> {
        let header = Header {
            kind: u32::MAX,
            size: u16::MAX,
        };
        Guess::new(u64::MAX, header)
    }

    #[inline]
    pub(super) fn head(&self) -> u64 {
        let cell = self.memory.cell::<AtomicU64>(DATA_HEAD);
        cell.map_or(0, |cell| cell.load(Ordering::Acquire))
    }

    /// Only this side writes it, so there is nothing to synchronise with.
    #[inline]
    pub(super) fn tail(&self) -> u64 {
        let cell = self.memory.cell::<AtomicU64>(DATA_TAIL);
        cell.map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn free(&mut self, tail: u64) {
        if let Some(cell) = self.memory.cell::<AtomicU64>(DATA_TAIL) {
            cell.store(tail, Ordering::Release);
        }
    }

    /// The record at `tail` and the room it takes. Records of other types are passed over, and
    /// what makes no sense is passed over up to `head`.
    #[inline]
    pub(super) fn record(
        &self,
        tail: u64,
        head: u64,
        guess: &mut Guess<u64, Header>,
    ) -> (Option<PerfEvent<'_>>, u64) {
        let rest = head.wrapping_sub(tail);
        // Not what the kernel is about to write.
        if rest > AHEAD as u64 {
            self.memory
                .prefetch(self.offset(tail.wrapping_add(AHEAD as u64)));
        }
        let word = self
            .word(tail)
            .filter(|_| (HEADER..=self.size as u64).contains(&rest));
        let Some(Header { kind, size }) = word.and_then(|word| guess.meaning(word, Header::read))
        else {
            return (None, rest);
        };
        if u64::from(size) > rest {
            return (None, rest);
        }
        let event = match kind {
            PERF_RECORD_SAMPLE => self.sample(tail, size),
            // An id, then the number.
            PERF_RECORD_LOST if u64::from(size) >= HEADER + 16 => {
                let count = self.word(tail.wrapping_add(HEADER + 8));
                count.map(|count| PerfEvent::Lost { count })
            }
            _ => None,
        };
        (event, size.into())
    }

    /// A `u32` length, then the record that the program sent.
    #[inline]
    fn sample(&self, tail: u64, size: u16) -> Option<PerfEvent<'_>> {
        let body = tail.wrapping_add(HEADER);
        let most = usize::from(size).checked_sub(HEADER as usize + 4)?;
        let [l0, l1, l2, l3, ..] = self.word(body)?.to_ne_bytes();
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        if len > most {
            return None;
        }
        let (head, tail) = self.part(body.wrapping_add(4), len)?;
        Some(PerfEvent::Sample { head, tail })
    }

    /// The 8 bytes at `position`, a multiple of 8, so that the end of the data does not split them.
    #[inline]
    fn word(&self, position: u64) -> Option<u64> {
        let cell = self.memory.cell::<AtomicU64>(self.offset(position))?;
        // What came before `data_head` is there since that was loaded.
        Some(cell.load(Ordering::Relaxed))
    }

    /// Where in the memory the word at `position` is. The size is a power of two.
    #[inline]
    fn offset(&self, position: u64) -> usize {
        self.data + (position as usize & (self.size - 8))
    }

    /// `len` bytes from `position`, in two parts where they cross the end of the data.
    #[inline]
    #[allow(unsafe_code)]
    fn part(&self, position: u64, len: usize) -> Option<(&[u8], &[u8])> {
        // The size is a power of two, and the offset is below it.
        let offset = position as usize & (self.size - 1);
        let first = len.min(self.size - offset);
        // SAFETY: callers ask for what lies between `data_tail` and `data_head`. The kernel has
        // written it before it moved the head there, and writes there again only after the tail
        // has moved on, which takes a `&mut self` that waits for the end of this borrow.
        let bytes = |offset, len| unsafe { self.memory.bytes(self.data + offset, len) };
        let tail = match len - first {
            0 => &[],
            rest => bytes(0, rest)?,
        };
        Some((bytes(offset, first)?, tail))
    }
}

/// What a record's header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    kind: u32,
    /// What the record takes, header included.
    size: u16,
}

impl Header {
    /// `None` for what is shorter than itself.
    fn read(word: u64) -> Option<Self> {
        let [k0, k1, k2, k3, _, _, s0, s1] = word.to_ne_bytes();
        let header = Self {
            kind: u32::from_ne_bytes([k0, k1, k2, k3]),
            size: u16::from_ne_bytes([s0, s1]),
        };
        (u64::from(header.size) >= HEADER).then_some(header)
    }
}
