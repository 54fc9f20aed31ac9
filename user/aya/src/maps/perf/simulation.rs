//! The reader on memory of this process, with a thread that writes it as the kernel does. Under Miri this
//! finds reads that race with writes.

use std::{sync::Arc, thread};

use super::{PerfEvent, memory::Buffer};
use crate::maps::shared::{AtomicU64, Ordering, Shared, simulated::Allocation};

const PAGE: usize = 1088;
const SIZE: usize = 256;

/// The kernel's side.
struct Kernel {
    memory: Arc<Allocation>,
    words: Shared,
    lost: u64,
}

fn simulate() -> (Kernel, Buffer) {
    let memory = Allocation::new(PAGE + SIZE);
    let kernel = Kernel {
        words: memory.shared(),
        memory: Arc::clone(&memory),
        lost: 0,
    };
    (kernel, Buffer::new(memory.shared(), PAGE, SIZE))
}

impl Kernel {
    fn word(&self, offset: usize) -> &AtomicU64 {
        self.words.cell(offset).unwrap()
    }

    /// Writes one record, if there is room.
    fn write(&self, kind: u32, body: &[u8]) -> bool {
        let head = self.word(1024).load(Ordering::Relaxed);
        let tail = self.word(1032).load(Ordering::Acquire);
        let room = 8 + body.len();
        assert!(room.is_multiple_of(8));
        if head + room as u64 - tail > SIZE as u64 - 1 {
            return false;
        }
        let mut record = kind.to_ne_bytes().to_vec();
        record.extend([0, 0]);
        record.extend((room as u16).to_ne_bytes());
        record.extend(body);
        for (at, byte) in record.iter().enumerate() {
            let offset = (head as usize + at) % SIZE;
            self.memory.write(PAGE + offset, &[*byte]);
        }
        let head = head + room as u64;
        self.word(1024).store(head, Ordering::Release);
        true
    }

    /// A sample, and before it what was lost, if there is room.
    fn send(&mut self, record: &[u8]) -> bool {
        if self.lost > 0 {
            let body = [7_u64.to_ne_bytes(), self.lost.to_ne_bytes()].concat();
            if !self.write(2, &body) {
                self.lost += 1;
                return false;
            }
            self.lost = 0;
        }
        let mut body = (record.len() as u32).to_ne_bytes().to_vec();
        body.extend(record);
        body.resize(body.len().next_multiple_of(8), 0xee);
        let sent = self.write(9, &body);
        self.lost += u64::from(!sent);
        sent
    }
}

/// The record with this number: as long as the number says, all bytes the same.
fn record(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) % 41 + 1]
}

/// Reads what is there; the numbers of records, and how many were lost.
fn read(buffer: &mut Buffer, seen: &mut Vec<u8>) -> u64 {
    let (mut tail, head) = (buffer.tail(), buffer.head());
    let (mut lost, mut guess) = (0, Buffer::guess());
    while tail != head {
        let (event, room) = buffer.record(tail, head, &mut guess);
        match event {
            Some(PerfEvent::Sample { head, tail }) => {
                let sample = [head, tail].concat();
                assert_eq!(sample, record(sample[0]));
                seen.push(sample[0]);
            }
            Some(PerfEvent::Lost { count }) => lost += count,
            None => {}
        }
        tail = tail.wrapping_add(room);
        buffer.free(tail);
    }
    lost
}

#[test]
fn nothing_is_missed_while_the_kernel_writes() {
    const RECORDS: u8 = if cfg!(miri) { 60 } else { 200 };
    let (mut kernel, mut buffer) = simulate();
    thread::scope(|scope| {
        let producer = scope.spawn(move || {
            for number in 0..RECORDS {
                // Each is tried until it finds room; the tries that did not are told of.
                while !kernel.send(&record(number)) {
                    thread::yield_now();
                }
                // Of another type, which is passed over.
                let _full = kernel.write(1, &[0; 16]);
            }
            kernel.lost
        });
        let mut seen = Vec::new();
        while !producer.is_finished() || buffer.head() != buffer.tail() {
            read(&mut buffer, &mut seen);
            thread::yield_now();
        }
        assert!(seen.into_iter().eq(0..RECORDS));
    });
}

#[test]
fn losses_are_told_before_the_next_record() {
    let (mut kernel, mut buffer) = simulate();
    let mut sent = 0;
    while kernel.send(&record(0)) {
        sent += 1;
    }
    for _ in 0..4 {
        assert!(!kernel.send(&record(0)));
    }
    let mut seen = Vec::new();
    assert_eq!(read(&mut buffer, &mut seen), 0);
    assert_eq!(seen.len(), sent);
    assert!(kernel.send(&record(1)));
    assert_eq!(read(&mut buffer, &mut seen), 5);
    assert_eq!(seen.len(), sent + 1);
}
