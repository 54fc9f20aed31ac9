//! The reader on memory of this process, with threads that write it as the kernel does. Under Miri this
//! finds reads that race with writes, and memory that nobody has written.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering, fence},
    },
    thread,
};

use aya_uapi::bindings::{BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT};

use super::protocol::Reader;
use crate::maps::shared::{Shared, simulated::Allocation};

const PAGE: usize = 64;
const SIZE: usize = 256;

/// The kernel's side.
struct Kernel {
    consumer: Shared,
    producer: Shared,
    memory: Arc<Allocation>,
    /// The spin lock of those who reserve.
    lock: Mutex<()>,
}

fn simulate() -> (Kernel, Reader) {
    let consumer = Allocation::new(PAGE);
    let memory = Allocation::new(PAGE + 2 * SIZE);
    let kernel = Kernel {
        consumer: consumer.shared(),
        producer: memory.shared(),
        memory: Arc::clone(&memory),
        lock: Mutex::new(()),
    };
    let reader = Reader::new(consumer.shared(), memory.shared(), PAGE, SIZE).unwrap();
    (kernel, reader)
}

impl Kernel {
    fn consumer(&self) -> &AtomicUsize {
        self.consumer.cell(0).unwrap()
    }

    fn header(&self, position: usize) -> &AtomicU32 {
        self.producer.cell(PAGE + position % SIZE).unwrap()
    }

    /// Writes bytes at a position and, as the mapping is twice the same memory, where they also appear.
    fn write(&self, position: usize, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            let offset = position % SIZE + at;
            self.memory.write(PAGE + offset, &[*byte]);
            let twin = (offset + SIZE) % (2 * SIZE);
            // Not where headers are, which are atomic and only ever read in the first half.
            self.memory.write(PAGE + twin, &[*byte]);
        }
    }

    /// Where a record of `len` bytes was reserved.
    fn reserve(&self, len: usize) -> Option<usize> {
        let _locked = self.lock.lock().unwrap();
        let consumer = self.consumer().load(Ordering::Acquire);
        let producer: &AtomicUsize = self.producer.cell(0).unwrap();
        let position = producer.load(Ordering::Relaxed);
        let end = position + (8 + len).next_multiple_of(8);
        if end - consumer > SIZE - 1 {
            return None;
        }
        let busy = len as u32 | BPF_RINGBUF_BUSY_BIT;
        self.header(position).store(busy, Ordering::Relaxed);
        producer.store(end, Ordering::Release);
        Some(position)
    }

    /// Whether the reader is woken.
    fn commit(&self, position: usize, len: usize, discard: bool) -> bool {
        let flag = if discard { BPF_RINGBUF_DISCARD_BIT } else { 0 };
        self.header(position)
            .swap(len as u32 | flag, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        self.consumer().load(Ordering::Acquire) == position
    }

    fn send(&self, record: &[u8], discard: bool) {
        let position = loop {
            match self.reserve(record.len()) {
                Some(position) => break position,
                None => thread::yield_now(),
            }
        };
        self.write(position + 8, record);
        self.commit(position, record.len(), discard);
    }
}

/// The record with this number: as long as the number says, all bytes the same.
fn record(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) % 41]
}

/// More of them in a real process than under Miri, which is slow.
const RECORDS: u8 = if cfg!(miri) { 60 } else { 200 };

/// Runs `read` until two producers are done, of which one discards its records, and checks what it saw.
fn with_producers(mut read: impl FnMut(&mut Reader, &mut Vec<Vec<u8>>)) {
    let (kernel, mut reader) = simulate();
    let kernel = &kernel;
    thread::scope(|scope| {
        let producers = [false, true].map(|discard| {
            scope.spawn(move || {
                (0..RECORDS).for_each(|number| kernel.send(&record(number), discard));
            })
        });
        let mut seen = Vec::new();
        while !producers.iter().all(thread::ScopedJoinHandle::is_finished) || reader.ready() {
            read(&mut reader, &mut seen);
            thread::yield_now();
        }
        assert!(seen.into_iter().eq((0..RECORDS).map(record)));
    });
}

#[test]
fn next_under_two_producers() {
    with_producers(|reader, seen| {
        while let Some(claimed) = reader.next() {
            seen.push(claimed.data.to_vec());
        }
    });
}

#[test]
fn all_under_two_producers() {
    with_producers(|reader, seen| {
        let all = reader.try_for_each(|data| {
            seen.push(data.to_vec());
            ControlFlow::<()>::Continue(())
        });
        assert!(all.is_continue());
    });
}

#[test]
fn some_at_a_time_under_two_producers() {
    with_producers(|reader, seen| {
        let mut left = 3;
        let _some = reader.burst(|data| {
            seen.push(data.to_vec());
            left -= 1;
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    });
}

#[test]
fn a_record_that_is_not_complete_holds_up_those_behind_it() {
    let (kernel, mut reader) = simulate();
    let first = kernel.reserve(3).unwrap();
    kernel.send(&[2], false);
    assert!(reader.next().is_none());
    assert!(!reader.ready());
    assert_eq!(reader.end() - reader.position(), 16 + 16);
    kernel.write(first + 8, &[1, 1, 1]);
    assert!(kernel.commit(first, 3, false), "the reader is woken");
    assert_eq!(reader.next().unwrap().data, [1, 1, 1]);
    assert_eq!(reader.next().unwrap().data, [2]);
    assert!(reader.next().is_none());
}

#[test]
fn a_burst_gives_back_in_between_and_when_it_panics() {
    let (kernel, mut reader) = simulate();
    for number in 0..15 {
        kernel.send(&[number; 8], false);
    }
    assert!(kernel.reserve(8).is_none(), "full");
    let mut count = 0;
    let stored = || kernel.consumer().load(Ordering::Relaxed);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        reader.burst(|_| {
            // An eighth is 32 bytes, which are two records.
            assert_eq!(stored(), count / 2 * 32);
            count += 1;
            assert!(count < 10, "on purpose");
            ControlFlow::<()>::Continue(())
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(count, 10);
    assert_eq!(stored(), 9 * 16);
    assert_eq!(reader.next().unwrap().data, [9; 8], "comes again");
}
