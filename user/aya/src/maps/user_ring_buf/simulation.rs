//! The writer on memory of this process, with a thread that reads it as the kernel does. Under Miri this
//! finds writes that race with reads.

use std::{sync::Arc, thread};

use super::protocol::Writer;
use crate::maps::shared::{AtomicU32, AtomicUsize, Ordering, Shared, simulated::Allocation};

const PAGE: usize = 64;
const SIZE: usize = 256;

/// The kernel's side.
struct Kernel {
    consumer: Shared,
    producer: Shared,
    memory: Arc<Allocation>,
}

fn simulate() -> (Kernel, Writer) {
    let consumer = Allocation::new(PAGE);
    let memory = Allocation::new(PAGE + 2 * SIZE);
    let kernel = Kernel {
        consumer: consumer.shared(),
        producer: memory.shared(),
        memory: Arc::clone(&memory),
    };
    let writer = Writer::new(consumer.shared(), memory.shared(), PAGE, SIZE).unwrap();
    (kernel, writer)
}

impl Kernel {
    /// Consumes one record.
    fn take(&self) -> Option<Vec<u8>> {
        let consumer: &AtomicUsize = self.consumer.cell(0).unwrap();
        let producer: &AtomicUsize = self.producer.cell(0).unwrap();
        let position = consumer.load(Ordering::Relaxed);
        let end = producer.load(Ordering::Acquire);
        assert!(end.is_multiple_of(8) && end - position <= SIZE);
        if position == end {
            return None;
        }
        let offset = PAGE + position % SIZE;
        let header: &AtomicU32 = self.producer.cell(offset).unwrap();
        let len = header.load(Ordering::Acquire) as usize;
        let room = (8 + len).next_multiple_of(8);
        assert!(room <= end - position);
        let mut record = vec![0; len];
        self.memory.read(offset + 8, &mut record);
        consumer.store(position + room, Ordering::Release);
        Some(record)
    }
}

/// The record with this number: as long as the number says, all bytes the same.
fn record(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) % 41]
}

#[test]
fn a_program_consumes_meanwhile() {
    const RECORDS: u8 = if cfg!(miri) { 60 } else { 200 };
    let (kernel, mut writer) = simulate();
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..RECORDS {
                let record = record(number);
                while !writer.has_room(record.len()) {
                    thread::yield_now();
                }
                // What is discarded leaves no trace.
                writer.reserve(record.len()).unwrap().data.fill(255);
                let reserved = writer.reserve(record.len()).unwrap();
                reserved.data.copy_from_slice(&record);
                reserved.submit();
            }
        });
        for number in 0..RECORDS {
            let taken = loop {
                match kernel.take() {
                    Some(taken) => break taken,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(taken, record(number));
        }
    });
    assert!(kernel.take().is_none());
}

#[test]
fn holds_what_fits_and_no_more() {
    let (kernel, mut writer) = simulate();
    assert!(!writer.can_hold(SIZE - 7) && !writer.can_hold(usize::MAX));
    writer.reserve(SIZE - 8).unwrap().submit();
    assert_eq!(writer.pending(), SIZE);
    assert!(writer.can_hold(0) && writer.reserve(0).is_none());
    assert_eq!(kernel.take().unwrap().len(), SIZE - 8);
    writer.reserve(0).unwrap().submit();
    writer.reserve(1).unwrap().submit();
    assert_eq!(writer.pending(), 24);
    assert_eq!(kernel.take().unwrap(), []);
    assert_eq!(kernel.take().unwrap(), [0]);
}
