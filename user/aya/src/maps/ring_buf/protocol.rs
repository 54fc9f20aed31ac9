//! The reading side of a ring buffer.
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
//! producers, serialised by a spin lock, and one consumer: this reader. The package `aya-model` runs
//! this file in each order that the rules of memory allow.
//!
//! 1. *Reserving.* A producer writes the header, with the busy flag set, and then stores the
//!    producers' position with release ordering. This reader loads that position with acquire
//!    ordering, so behind every position it sees is a header it can read.
//! 2. *Committing.* A producer fills the payload, then exchanges the header's length for one
//!    without the busy flag, a full barrier. This reader loads the length with acquire ordering,
//!    so a payload whose busy flag is gone is complete. Records are consumed in the order of
//!    their reservation: a busy one holds up those behind it.
//! 3. *Freeing.* This reader stores its position with release ordering when a record is dropped,
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
//! consumed, so that a burst costs one transfer of that cache line, not one per record. A burst
//! stores its own position only now and then, for the same reason; never does it hold back so much
//! that producers could find the buffer full for long.

use std::ops::ControlFlow;

use aya_uapi::bindings::{BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ};

use crate::maps::{
    guess::{AHEAD, Guess},
    shared::{Ordering, Ring, Shared, Word, fence},
};

const HEADER: usize = BPF_RINGBUF_HDR_SZ as usize;

/// The most bytes that a burst has read and not given back; less in small buffers.
const HELD_BACK: usize = 16 * 1024;

/// The one reader of a ring buffer.
#[derive(Debug)]
pub(super) struct Reader {
    consumer: Consumer,
    producer: Producer,
    guess: Guess,
}

impl Reader {
    /// A reader that goes on where the last one stopped. `consumer` is the page that this side
    /// writes; `producer` a page that it does not, of `page` bytes, and the data behind it, of `size`
    /// bytes. `None` when these do not fit.
    pub(super) fn new(
        consumer: Shared,
        producer: Shared,
        page: usize,
        size: usize,
    ) -> Option<Self> {
        let consumer = Word::new(consumer)?;
        // Only this side writes it, so there is nothing to synchronise with.
        let position = consumer.get().load(Ordering::Relaxed);
        Some(Self {
            consumer: Consumer {
                word: consumer,
                position,
            },
            producer: Producer {
                data: Ring::new(producer, page, size)?,
                known: position,
            },
            guess: Guess::new(room),
        })
    }

    /// The next record, if there is one.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Claimed<'_>> {
        let len = self.find()?;
        let Self {
            consumer,
            producer,
            guess,
        } = self;
        Some(Claimed {
            data: producer.payload(consumer.position, len)?,
            room: guess.room(len, room),
            consumer,
        })
    }

    /// Whether [`next`](Self::next) would give a record.
    pub(super) fn ready(&mut self) -> bool {
        self.find().is_some()
    }

    /// Passes over discarded records; the length of the complete one that then is the next.
    #[inline]
    fn find(&mut self) -> Option<usize> {
        let Self {
            consumer, producer, ..
        } = self;
        let mut fenced = false;
        loop {
            match producer.look(consumer.position) {
                Some(Header { len, discarded }) if discarded => {
                    consumer.advance(room(len));
                    fenced = false;
                }
                Some(Header { len, .. }) => return Some(len),
                None if fenced => return None,
                // See "Waking" above.
                None => {
                    fence(Ordering::SeqCst);
                    fenced = true;
                }
            }
        }
    }

    /// Calls `f` with each record until there is none, or until it breaks.
    #[inline]
    pub(super) fn try_for_each<B>(
        &mut self,
        mut f: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut fenced = false;
        loop {
            if self.burst(&mut f)? {
                fenced = false;
            } else if fenced {
                return ControlFlow::Continue(());
            } else {
                // See "Waking" above.
                fence(Ordering::SeqCst);
                fenced = true;
            }
        }
    }

    /// Calls `f` with the records that are there now, up to one that is not complete or at which `f`
    /// breaks; whether there were any, counting discarded ones.
    #[inline]
    pub(super) fn burst<B>(
        &mut self,
        mut f: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> ControlFlow<B, bool> {
        let Self {
            consumer,
            producer,
            guess,
        } = self;
        let begin = consumer.position;
        let end = producer.refresh();
        let held_back = (producer.data.size() / 8).min(HELD_BACK);
        let mut progress = Progress {
            position: begin,
            consumer,
        };
        while progress.position != end {
            let Some(header) = producer.header(progress.position) else {
                break;
            };
            let mut next = ControlFlow::Continue(());
            if !header.discarded {
                let Some(data) = producer.payload(progress.position, header.len) else {
                    break;
                };
                next = f(data);
            }
            let room = guess.room(header.len, room);
            progress.position = progress.position.wrapping_add(room);
            next?;
            if progress.position.wrapping_sub(progress.consumer.position) >= held_back {
                progress.store();
            }
        }
        ControlFlow::Continue(progress.position != begin)
    }

    /// Where this side has read to.
    pub(super) const fn position(&self) -> usize {
        self.consumer.position
    }

    /// Where the producers have reserved to.
    pub(super) fn end(&self) -> usize {
        self.producer.position()
    }

    /// The size of the data.
    pub(super) const fn size(&self) -> usize {
        self.producer.data.size()
    }
}

/// A record that is being read. Its room is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    pub(super) data: &'a [u8],
    room: usize,
    consumer: &'a mut Consumer,
}

impl Drop for Claimed<'_> {
    #[inline]
    fn drop(&mut self) {
        self.consumer.advance(self.room);
    }
}

/// How far a burst has come. What it has read is free at its end, even when it ends by a panic.
struct Progress<'a> {
    position: usize,
    consumer: &'a mut Consumer,
}

impl Progress<'_> {
    #[inline]
    fn store(&mut self) {
        self.consumer.move_to(self.position);
    }
}

impl Drop for Progress<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.position != self.consumer.position {
            self.store();
        }
    }
}

/// The page that this side writes.
#[derive(Debug)]
struct Consumer {
    word: Word,
    position: usize,
}

impl Consumer {
    #[inline]
    fn advance(&mut self, bytes: usize) {
        self.move_to(self.position.wrapping_add(bytes));
    }

    #[inline]
    fn move_to(&mut self, position: usize) {
        self.position = position;
        self.word.get().store(position, Ordering::Release);
    }
}

/// The pages that the kernel writes.
#[derive(Debug)]
struct Producer {
    data: Ring,
    /// The producers' position when it was last looked at.
    known: usize,
}

/// The header of a complete record.
struct Header {
    len: usize,
    discarded: bool,
}

/// How many bytes a record takes.
const fn room(len: usize) -> usize {
    (HEADER + len).next_multiple_of(8)
}

impl Producer {
    #[inline]
    fn position(&self) -> usize {
        self.data.word().load(Ordering::Acquire)
    }

    #[inline]
    fn refresh(&mut self) -> usize {
        self.known = self.position();
        self.known
    }

    /// The record at `position`; `None` when there is none that is complete.
    #[inline]
    fn look(&mut self, position: usize) -> Option<Header> {
        if position == self.known && position == self.refresh() {
            return None;
        }
        self.header(position)
    }

    /// The record at `position`, where there is one; `None` when it is not complete.
    #[inline]
    fn header(&self, position: usize) -> Option<Header> {
        // Not what producers are about to write.
        if self.known.wrapping_sub(position) > AHEAD {
            self.data.prefetch(position.wrapping_add(AHEAD));
        }
        let header = self.data.header(position).load(Ordering::Acquire);
        (header & BPF_RINGBUF_BUSY_BIT == 0).then_some(Header {
            len: (header & !BPF_RINGBUF_DISCARD_BIT) as usize,
            discarded: header & BPF_RINGBUF_DISCARD_BIT != 0,
        })
    }

    /// The payload of the complete record at `position`.
    #[inline]
    #[allow(unsafe_code)]
    fn payload(&self, position: usize, len: usize) -> Option<&[u8]> {
        // SAFETY: the record is complete, so no program writes it any more, and the kernel leaves
        // it alone until the consumer's position passes it, which waits for the end of this borrow:
        // `Claimed` and `Progress` see to it. That position is moved by nobody else, since there is
        // one reader.
        unsafe { self.data.payload(position, len) }
    }
}
