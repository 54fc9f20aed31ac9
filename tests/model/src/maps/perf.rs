//! The reader of perf buffers.

#[allow(dead_code, reason = "what the model does not need")]
#[path = "../../../../user/aya/src/maps/perf/memory.rs"]
mod memory;

use loom::{sync::Arc, thread};

use self::memory::Buffer;
use crate::maps::shared::{Memory, Ordering, PAGE, mappings};

/// As the reader gives them.
#[derive(Debug)]
#[allow(dead_code, reason = "no record is lost in the model")]
pub(crate) enum PerfEvent<'a> {
    Sample { head: &'a [u8], tail: &'a [u8] },
    Lost { count: u64 },
}

const SAMPLE: u64 = 9;
/// A header, then the length and a payload of 4 bytes.
const ROOM: u64 = 16;

/// Writes a record, if there is room, as the kernel does; it fills no buffer to the last byte.
fn send(memory: &Memory, number: u64) -> bool {
    let head = memory.head.load(Ordering::Relaxed);
    let tail = memory.tail.load(Ordering::Acquire);
    let size = memory.size() as u64;
    if head + ROOM - tail > size - 1 {
        return false;
    }
    let at = head as usize;
    let word = |position: usize| &memory.words[position % memory.size() / 8];
    word(at).store(SAMPLE | ROOM << 48, Ordering::Relaxed);
    word(at + 8).store(4, Ordering::Relaxed);
    memory.write(at + 8, number);
    memory.head.store(head + ROOM, Ordering::Release);
    true
}

/// Each record finds room when the one before has been freed, and the third is where the first was.
#[test]
fn a_reader_races_with_no_writer() {
    const RECORDS: u64 = 3;
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let memory = Memory::new(2);
        let mut buffer = Buffer::new(mappings(&memory).0, PAGE, memory.size());
        let kernel = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                for number in 0..RECORDS {
                    while !send(&memory, number) {
                        thread::yield_now();
                    }
                }
            })
        };
        let (mut seen, mut guess) = (Vec::new(), Buffer::guess());
        while seen.len() < RECORDS as usize {
            let (tail, head) = (buffer.tail(), buffer.head());
            if tail == head {
                thread::yield_now();
                continue;
            }
            match buffer.record(tail, head, &mut guess) {
                (Some(PerfEvent::Sample { head, tail: [] }), ROOM) => seen.push(head.to_vec()),
                other => panic!("{other:?}"),
            }
            buffer.free(tail + ROOM);
        }
        let expected = (0..RECORDS).map(|number| (number as u32).to_ne_bytes());
        assert!(seen.into_iter().eq(expected));
        kernel.join().unwrap();
    });
}
