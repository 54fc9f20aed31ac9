//! The writer of user ring buffers.

#[allow(dead_code, reason = "what the model does not need")]
#[path = "../../../../user/aya/src/maps/user_ring_buf/protocol.rs"]
mod protocol;

use loom::{sync::Arc, thread};

use self::protocol::Writer;
use crate::maps::shared::{LEN, Memory, Ordering, ROOM, mappings};

/// A writer of a user ring buffer, and a program that drains it.
#[test]
fn a_writer_races_with_no_program() {
    const RECORDS: usize = 2;
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let memory = Memory::new(1);
        let (consumer, producer) = mappings(&memory);
        let mut writer = Writer::new(consumer, producer, 0, memory.size()).unwrap();
        let kernel = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                for record in 0..RECORDS {
                    let position = memory.consumer.load(Ordering::Relaxed);
                    while memory.producer.load(Ordering::Acquire) == position {
                        thread::yield_now();
                    }
                    assert_eq!(memory.header(position).load(Ordering::Acquire), LEN);
                    assert_eq!(memory.read(position), (record * ROOM) as u64);
                    memory.consumer.store(position + ROOM, Ordering::Release);
                }
            })
        };
        for _ in 0..RECORDS {
            loop {
                if let Some(reserved) = writer.reserve(LEN as usize) {
                    reserved.submit();
                    break;
                }
                thread::yield_now();
            }
        }
        kernel.join().unwrap();
    });
}
