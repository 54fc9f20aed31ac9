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
//! consumed, or the next one is not for the user, so that a burst costs one transfer of that cache line, not one per record. A burst
//! stores its own position only now and then, for the same reason; never does it hold back so much
//! that producers could find the buffer full for long.

use std::ops::ControlFlow;

use aya_uapi::bindings::{BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ};

use crate::maps::{
    guess::{AHEAD, Guess},
    shared::{Data, Ordering, Ring, Shared, Word, fence},
};

const HEADER: usize = BPF_RINGBUF_HDR_SZ as usize;

/// The most bytes that a burst has read and not given back; less in small buffers.
const HELD_BACK: usize = 16 * 1024;

/// The one reader of a ring buffer.
#[derive(Debug)]
pub(super) struct Reader {
    consumer: Consumer,
    producer: Producer,
    guess: Guess<u32, Extent>,
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
                ring: Ring::new(producer, page, size)?,
                known: position,
            },
            guess: Guess::new(0, Extent::of(0)),
        })
    }

    /// The next record, if there is one.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Claimed<'_>> {
        let Extent { len, room } = self.find()?;
        let Self {
            consumer, producer, ..
        } = self;
        Some(Claimed {
            data: payload(producer.ring.data(), consumer.position, len)?,
            room,
            consumer,
        })
    }

    /// Whether [`next`](Self::next) would give a record.
    pub(super) fn ready(&mut self) -> bool {
        self.find().is_some()
    }

    /// Passes over discarded records; the extent of the complete one that then is the next.
    #[inline]
    fn find(&mut self) -> Option<Extent> {
        let position = self.consumer.position;
        let ahead = self.producer.known.wrapping_sub(position);
        // The usual case by itself: there are records, and the next one is not discarded.
        if ahead != 0 {
            let word = header(self.producer.ring.data(), position, ahead);
            if let Some(extent) = self.guess.meaning(word, Extent::of_record) {
                return Some(extent);
            }
        }
        self.find_after()
    }

    /// The rest of [`find`](Self::find).
    #[cold]
    #[inline(never)]
    fn find_after(&mut self) -> Option<Extent> {
        let mut fenced = false;
        loop {
            let position = self.consumer.position;
            let word = match self.producer.refresh().wrapping_sub(position) {
                0 => BPF_RINGBUF_BUSY_BIT,
                ahead => header(self.producer.ring.data(), position, ahead),
            };
            if let Some(extent) = Extent::of_record(word) {
                return Some(extent);
            } else if let Some(Extent { room, .. }) = Extent::of_discarded(word) {
                self.consumer.advance(room);
                fenced = false;
            } else if fenced {
                return None;
            } else {
                // See "Waking" above.
                fence(Ordering::SeqCst);
                fenced = true;
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
        // What each record needs is in variables of this function, not behind pointers.
        let mut ahead = producer.refresh().wrapping_sub(begin);
        let held_back = (producer.ring.size() / 8).min(HELD_BACK);
        let (data, mut last, mut held) = (producer.ring.data(), *guess, 0);
        let mut progress = Progress {
            position: begin,
            consumer,
        };
        let mut next = ControlFlow::Continue(());
        while ahead != 0 && next.is_continue() {
            let word = header(data, progress.position, ahead);
            let room = match last.meaning(word, Extent::of_record) {
                Some(Extent { len, room }) => {
                    let Some(record) = payload(data, progress.position, len) else {
                        break;
                    };
                    next = f(record);
                    room
                }
                None => match Extent::of_discarded(word) {
                    Some(Extent { room, .. }) => room,
                    None => break,
                },
            };
            progress.position = progress.position.wrapping_add(room);
            ahead = ahead.wrapping_sub(room);
            held += room;
            if held >= held_back {
                progress.store();
                held = 0;
            }
        }
        *guess = last;
        next?;
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
        self.producer.ring.size()
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
    ring: Ring,
    /// The producers' position when it was last looked at.
    known: usize,
}

impl Producer {
    #[inline]
    fn position(&self) -> usize {
        self.ring.word().load(Ordering::Acquire)
    }

    #[inline]
    fn refresh(&mut self) -> usize {
        self.known = self.position();
        self.known
    }
}

/// How much memory a complete record has.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Of the payload, in bytes.
    len: usize,
    /// Of all of it, up to the next record.
    room: usize,
}

impl Extent {
    const fn of(len: usize) -> Self {
        Self {
            len,
            room: (HEADER + len).next_multiple_of(8),
        }
    }

    /// By its header; `None` when the record is not complete, or discarded.
    fn of_record(header: u32) -> Option<Self> {
        let flags = header & (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        (flags == 0).then_some(Self::of(header as usize))
    }

    /// By its header; `None` when the record is not discarded.
    fn of_discarded(header: u32) -> Option<Self> {
        Self::of_record(header ^ BPF_RINGBUF_DISCARD_BIT)
    }
}

/// The header of the record at `position`, behind which producers are `ahead` bytes.
#[inline]
fn header(data: Data<'_>, position: usize, ahead: usize) -> u32 {
    // Not what producers are about to write.
    if ahead > AHEAD {
        data.prefetch(position.wrapping_add(AHEAD));
    }
    data.header(position).load(Ordering::Acquire)
}

/// The payload of the complete record at `position`.
#[inline]
#[allow(unsafe_code)]
fn payload(data: Data<'_>, position: usize, len: usize) -> Option<&[u8]> {
    // SAFETY: the record is complete, so no program writes it any more, and the kernel leaves it alone
    // until the consumer's position passes it, which waits for the end of this borrow: `Claimed` and
    // `Progress` see to it. That position is moved by nobody else, since there is one reader.
    unsafe { data.payload(position, len) }
}
