//! The reader of ring buffers.

#[allow(dead_code, reason = "what the model does not need")]
#[path = "../../../../user/aya/src/maps/ring_buf/protocol.rs"]
mod protocol;

use std::ops::ControlFlow;

use aya_uapi::bindings::{BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT};
use loom::{
    sync::{Arc, Notify},
    thread,
};

use self::protocol::Reader;
use crate::maps::shared::{LEN, Memory, Ordering, ROOM, fence, mappings};

/// Reserves a record, if there is room, as the kernel does; one producer at a time.
fn reserve(memory: &Memory) -> Option<usize> {
    let consumer = memory.consumer.load(Ordering::Acquire);
    let position = memory.producer.load(Ordering::Relaxed);
    if position + ROOM - consumer > memory.size() {
        return None;
    }
    memory
        .header(position)
        .store(LEN | BPF_RINGBUF_BUSY_BIT, Ordering::Relaxed);
    memory.producer.store(position + ROOM, Ordering::Release);
    Some(position)
}

/// Commits a record; whether the reader is woken.
fn commit(memory: &Memory, position: usize, flags: u32) -> bool {
    // The kernel's exchange is a full barrier.
    memory.header(position).swap(LEN | flags, Ordering::AcqRel);
    fence(Ordering::SeqCst);
    memory.consumer.load(Ordering::Acquire) == position
}

/// Sends `count` records, each with its position, waiting for room where there is none; wakes the reader
/// when it is to be woken.
fn send(memory: &Memory, count: usize, woken: &Notify) {
    for _ in 0..count {
        let position = loop {
            match reserve(memory) {
                Some(position) => break position,
                None => thread::yield_now(),
            }
        };
        memory.write(position, position as u64);
        if commit(memory, position, 0) {
            woken.notify();
        }
    }
}

fn number(data: &[u8]) -> u64 {
    u64::from_ne_bytes(data.try_into().unwrap())
}

fn read_all(reader: &mut Reader, at_once: bool, seen: &mut Vec<u64>) {
    if at_once {
        let all = reader.try_for_each(|data| {
            seen.push(number(data));
            ControlFlow::<()>::Continue(())
        });
        assert!(all.is_continue());
    } else {
        while let Some(claimed) = reader.next() {
            seen.push(number(claimed.data));
        }
    }
}

/// The second record has no room before the reader has freed the first. A reader that sleeps when it has found nothing, and is woken by the producer alone.
fn reader_sleeps_and_is_woken(at_once: bool, records: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let memory = Memory::new(1);
        let woken = Arc::new(Notify::new());
        let (consumer, producer) = mappings(&memory);
        let mut reader = Reader::new(consumer, producer, 0, memory.size()).unwrap();
        let kernel = {
            let (memory, woken) = (Arc::clone(&memory), Arc::clone(&woken));
            thread::spawn(move || send(&memory, records, &woken))
        };
        let mut seen = Vec::new();
        loop {
            read_all(&mut reader, at_once, &mut seen);
            if seen.len() == records {
                break;
            }
            // A wake-up that is missed leaves it here for ever, which loom reports.
            woken.wait();
        }
        assert!(seen.into_iter().eq((0..records).map(|n| (n * ROOM) as u64)));
        kernel.join().unwrap();
        assert_eq!(memory.consumer.load(Ordering::Relaxed), records * ROOM);
    });
}

#[test]
fn one_by_one_nothing_races_and_no_wake_up_is_lost() {
    reader_sleeps_and_is_woken(false, 2);
}

#[test]
fn all_at_once_nothing_races_and_no_wake_up_is_lost() {
    reader_sleeps_and_is_woken(true, 2);
}

/// Two producers: one record is complete late, one is discarded.
#[test]
fn a_late_record_holds_up_the_next_and_wakes() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let memory = Memory::new(2);
        let woken = Arc::new(Notify::new());
        let (consumer, producer) = mappings(&memory);
        let mut reader = Reader::new(consumer, producer, 0, memory.size()).unwrap();
        let first = reserve(&memory).unwrap();
        let second = reserve(&memory).unwrap();
        let producers = [(first, BPF_RINGBUF_DISCARD_BIT), (second, 0)].map(|(position, flags)| {
            let (memory, woken) = (Arc::clone(&memory), Arc::clone(&woken));
            thread::spawn(move || {
                memory.write(position, position as u64);
                if commit(&memory, position, flags) {
                    woken.notify();
                }
            })
        });
        let mut seen = Vec::new();
        loop {
            read_all(&mut reader, false, &mut seen);
            if !seen.is_empty() {
                break;
            }
            woken.wait();
        }
        assert_eq!(seen, [second as u64]);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}
