//! The writing side of a user ring buffer.
//!
//! # The memory that writer and kernel share
//!
//! It is laid out as that of a ring buffer, with the parts exchanged: page 0 holds the consumer's position
//! and can only be read; page 1, with the producer's position, and the data behind it are written by this
//! side. Records look the same.
//!
//! # Ordering
//!
//! There is one producer, this writer, and one consumer at a time, which the kernel sees to.
//!
//! 1. *Submitting.* This writer fills the payload and the header, and then stores its position with
//!    release ordering. The kernel loads that position with acquire ordering and reads nothing behind
//!    it. So a record under construction is nobody else's, needs no busy flag, and is gone without a
//!    trace when it is discarded.
//! 2. *Freeing.* The kernel stores its position with release ordering after a program has read a
//!    record. This writer loads it with acquire ordering before it writes.
//! 3. *Waking.* The kernel wakes those who wait for room after each call that consumed something,
//!    whatever their state, so no fence is needed between finding no room and going to sleep.

use aya_uapi::bindings::BPF_RINGBUF_HDR_SZ;

use crate::maps::shared::{Ordering, Ring, Shared, Word};

const HEADER: usize = BPF_RINGBUF_HDR_SZ as usize;
/// Programs get records as dynptrs, which can be no larger. At a larger one the kernel would stop for good.
const LONGEST: usize = (1 << 24) - 1;

/// The one writer of a user ring buffer.
#[derive(Debug)]
pub(super) struct Writer {
    consumer: Word,
    ring: Ring,
    position: usize,
}

impl Writer {
    /// A writer that goes on where the last one stopped. `consumer` is the page that the kernel writes;
    /// `producer` a page of `page` bytes that this side writes, and the data behind it, of `size` bytes.
    /// `None` when these do not fit.
    pub(super) fn new(
        consumer: Shared,
        producer: Shared,
        page: usize,
        size: usize,
    ) -> Option<Self> {
        let ring = Ring::new(producer, page, size)?;
        Some(Self {
            consumer: Word::new(consumer)?,
            // Only this side writes it, so there is nothing to synchronise with.
            position: ring.word().load(Ordering::Relaxed),
            ring,
        })
    }

    /// Whether an empty buffer has room for a record of `len` bytes.
    pub(super) const fn can_hold(&self, len: usize) -> bool {
        // The size is a power of two, 8 at least, and positions are multiples of 8.
        len <= self.ring.size() - HEADER && len <= LONGEST
    }

    /// How many bytes are not consumed yet.
    pub(super) fn pending(&self) -> usize {
        let consumer = self.consumer.get().load(Ordering::Acquire);
        self.position.wrapping_sub(consumer)
    }

    /// Whether there is room for a record of `len` bytes now.
    pub(super) fn has_room(&self, len: usize) -> bool {
        let free = self.ring.size().checked_sub(self.pending());
        self.can_hold(len) && free.is_some_and(|free| room(len) <= free)
    }

    /// Room for a record of `len` bytes, if there is.
    #[allow(unsafe_code)]
    pub(super) fn reserve(&mut self, len: usize) -> Option<Reserved<'_>> {
        if !self.has_room(len) {
            return None;
        }
        let Self { ring, position, .. } = self;
        // SAFETY: the kernel only reads up to the producer's position, which stays before this record
        // as long as it is borrowed, and has read what was here before. There is one writer, which is
        // borrowed for as long.
        let payload = unsafe { ring.data().payload_mut(*position, len) }?;
        Some(Reserved {
            data: payload,
            ring,
            position,
        })
    }

    /// The size of the data.
    pub(super) const fn size(&self) -> usize {
        self.ring.size()
    }
}

/// How many bytes a record takes.
const fn room(len: usize) -> usize {
    (HEADER + len).next_multiple_of(8)
}

/// A record under construction.
#[derive(Debug)]
pub(super) struct Reserved<'a> {
    pub(super) data: &'a mut [u8],
    ring: &'a Ring,
    position: &'a mut usize,
}

impl Reserved<'_> {
    /// Hands the record to programs.
    pub(super) fn submit(self) {
        let Self {
            data,
            ring,
            position,
        } = self;
        // Below 2^24, which `can_hold` has checked; the rest of the header is the kernel's and unused.
        ring.data()
            .header(*position)
            .store(data.len() as u32, Ordering::Relaxed);
        *position = position.wrapping_add(room(data.len()));
        ring.word().store(*position, Ordering::Release);
    }
}
