//! Ring buffers and perf buffers on the machine's own kernel, written by small programs that
//! `BPF_PROG_TEST_RUN` runs.

use std::{
    ops::ControlFlow,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::maps::{
    Map, MapData, MapError, MapType, PerfEventArray, RingBuf,
    perf::{Events, PerfBufferError, PerfEvent},
};
use aya_obj::spec::MapSpec;
use aya_sys::bpf::{self, ProgLoad, TestRun};
use aya_uapi::{Insn, ProgType};
use maps_support::{may_create, spec};
use mio::{Events as Polled, Interest, Poll, Token, unix::SourceFd};

mod maps_support;

/// The maps of a test: where records go, and what [`sender`] counts with. `None` when this process
/// may create no maps.
fn create(
    test: &str,
    map_type: MapType,
    size: u32,
    max_entries: u32,
) -> Option<(MapData, MapData)> {
    if !may_create(test) {
        return None;
    }
    let create = |name, map_type, key, value, max_entries| {
        let spec = MapSpec {
            max_entries,
            ..spec(name, map_type, key, value)
        };
        MapData::create(&spec, name, None).unwrap()
    };
    let events = create("EVENTS", map_type, size, size, max_entries);
    Some((events, create("NUMBERS", MapType::Array, 4, 8, 1)))
}

const RINGBUF_OUTPUT: u32 = 130;
const RINGBUF_RESERVE: u32 = 131;
const RINGBUF_DISCARD: u32 = 133;
const PERF_EVENT_OUTPUT: u32 = 25;
const CURRENT_CPU: i32 = -1;

/// `*(u64 *)(dst + off) = src`
fn store(dst: u8, off: i16, src: u8) -> Insn {
    Insn::new(0x7b, dst, src, off, 0)
}

/// `dst += imm`
fn add(dst: u8, imm: i32) -> Insn {
    Insn::new(0x07, dst, 0, 0, imm)
}

/// Jumps over `count` slots when `reg` is `imm`.
fn skip_if_equal(reg: u8, imm: i32, count: i16) -> Insn {
    Insn::new(0x15, reg, 0, count, imm)
}

fn map_in(register: u8, map: &MapData) -> [Insn; 2] {
    // 1 is BPF_PSEUDO_MAP_FD.
    Insn::ld_imm64(register, 1, map.fd().as_fd().as_raw_fd() as u64)
}

fn load(program: &[Insn]) -> OwnedFd {
    bpf::prog_load(ProgLoad::new(ProgType::SCHED_CLS, program, c"GPL")).unwrap()
}

fn run(program: &impl AsFd, times: u32) {
    let run = TestRun {
        data_in: Some(&[0; 64]),
        repeat: times,
        ..TestRun::default()
    };
    bpf::prog_test_run(program.as_fd(), run).unwrap();
}

/// A program that sends records of `size` bytes, which hold a counter in their first 8: the number of runs so
/// far, kept by `numbers`, an array of one `u64`.
fn sender(events: &MapData, numbers: &MapData, size: i32) -> OwnedFd {
    let mut program = vec![
        Insn::mov64_reg(6, 1),
        // r0 = &numbers[0]
        Insn::new(0x62, 10, 0, -4, 0),
        Insn::mov64_reg(2, 10),
        add(2, -4),
    ];
    program.extend(map_in(1, numbers));
    program.extend([Insn::call(1), skip_if_equal(0, 0, 0)]);
    let check = program.len() - 1;
    program.extend([
        // r7 = numbers[0]++
        Insn::new(0x79, 7, 0, 0, 0),
        Insn::mov64_reg(1, 7),
        add(1, 1),
        store(0, 0, 1),
    ]);
    // A record on the stack.
    for offset in (0..size).step_by(8) {
        program.push(store(10, (-size - 8 + offset) as i16, 7));
    }
    match events.shape().map_type.0 {
        27 => {
            program.extend(map_in(1, events));
            program.extend([
                Insn::mov64_reg(2, 10),
                add(2, -size - 8),
                Insn::mov64_imm(3, size),
                Insn::mov64_imm(4, 0),
                Insn::call(RINGBUF_OUTPUT),
            ]);
        }
        _ => {
            program.push(Insn::mov64_reg(1, 6));
            program.extend(map_in(2, events));
            program.extend([
                // BPF_F_CURRENT_CPU is 0xffffffff.
                Insn::new(0xb4, 3, 0, 0, CURRENT_CPU),
                Insn::mov64_reg(4, 10),
                add(4, -size - 8),
                Insn::mov64_imm(5, size),
                Insn::call(PERF_EVENT_OUTPUT),
            ]);
        }
    }
    program.push(Insn::EXIT);
    let end = program.len() - 1;
    program[check] = skip_if_equal(0, 0, (end - check - 1) as i16);
    load(&program)
}

fn first_u64(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[..8].try_into().unwrap())
}

fn ring(map: MapData) -> RingBuf<MapData> {
    RingBuf::try_from(Map::from_map_data(map).unwrap()).unwrap()
}

#[test]
fn records_come_in_order_across_the_end_of_the_buffer() {
    let test = "records_come_in_order_across_the_end_of_the_buffer";
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    let program = sender(&events, &numbers, 40);
    let mut ring = ring(events);
    assert!(ring.next().is_none());
    let (mut sent, mut expected) = (0, 0);
    // 48 bytes each: the 4096 bytes are gone through many times, from ever other offsets.
    for round in 1..200 {
        run(&program, round % 80 + 1);
        sent += u64::from(round % 80 + 1);
        while let Some(item) = ring.next() {
            assert_eq!(item.len(), 40);
            assert!(item.chunks(8).all(|part| first_u64(part) == expected));
            expected += 1;
        }
    }
    assert_eq!(expected, sent);
    assert!(ring.next().is_none());
}

#[test]
fn an_item_is_gone_when_dropped_and_not_before() {
    let test = "an_item_is_gone_when_dropped_and_not_before";
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    let program = sender(&events, &numbers, 8);
    let mut ring = ring(events);
    // 256 records of 16 bytes would fill the buffer; the kernel keeps one byte free.
    run(&program, 300);
    std::mem::forget(ring.next().unwrap());
    assert_eq!(first_u64(&ring.next().unwrap()), 0);
    assert_eq!(first_u64(&ring.next().unwrap()), 1);
    let mut rest = 0;
    while ring.next().is_some() {
        rest += 1;
    }
    assert!((250..=254).contains(&rest), "{rest}");
    // There is room again.
    run(&program, 1);
    assert_eq!(first_u64(&ring.next().unwrap()), 300);
}

#[test]
fn discarded_records_are_passed_over() {
    let test = "discarded_records_are_passed_over";
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    let mut program = Vec::new();
    program.extend(map_in(1, &events));
    program.extend([
        Insn::mov64_imm(2, 100),
        Insn::mov64_imm(3, 0),
        Insn::call(RINGBUF_RESERVE),
        skip_if_equal(0, 0, 3),
        Insn::mov64_reg(1, 0),
        Insn::mov64_imm(2, 0),
        Insn::call(RINGBUF_DISCARD),
        Insn::mov64_imm(0, 0),
        Insn::EXIT,
    ]);
    let discard = load(&program);
    let send = sender(&events, &numbers, 24);
    let mut ring = ring(events);
    for number in 0..500 {
        run(&discard, 3);
        run(&send, 1);
        run(&discard, 1);
        assert_eq!(first_u64(&ring.next().unwrap()), number);
        assert!(ring.next().is_none());
    }
}

#[test]
fn a_reader_opened_later_goes_on_where_the_last_one_stopped() {
    let test = "a_reader_opened_later_goes_on_where_the_last_one_stopped";
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    let program = sender(&events, &numbers, 16);
    let mut map = Map::from_map_data(events).unwrap();
    run(&program, 3);
    assert_eq!(
        first_u64(&RingBuf::try_from(&map).unwrap().next().unwrap()),
        0
    );
    let mut ring = RingBuf::try_from(&mut map).unwrap();
    assert_eq!(first_u64(&ring.next().unwrap()), 1);
    assert_eq!(first_u64(&ring.next().unwrap()), 2);
    assert!(ring.next().is_none());
}

#[test]
fn all_at_once_or_up_to_where_one_wants() {
    let test = "all_at_once_or_up_to_where_one_wants";
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    let program = sender(&events, &numbers, 40);
    let mut ring = ring(events);
    assert_eq!(ring.for_each(|_| panic!("nothing was sent")), 0);
    assert_eq!((ring.capacity(), ring.available_bytes()), (4096, 0));
    let (mut sent, mut expected) = (0, 0);
    for round in 1..200 {
        let times = round % 80 + 1;
        run(&program, times);
        assert_eq!(ring.available_bytes(), 48 * times as usize);
        assert_eq!(
            ring.producer_position() - ring.consumer_position(),
            ring.available_bytes()
        );
        // Stops in the middle, and goes on behind the record at which it stopped.
        let mut check = |record: aya::maps::Record<'_>| {
            assert_eq!(record.read::<[u64; 5]>().unwrap(), [expected; 5]);
            let (number, rest) = record.split::<u64>().unwrap();
            assert_eq!((number, rest), (expected, &record[8..]));
            expected += 1;
            number
        };
        let middle = sent + u64::from(times / 2);
        let stopped = ring.try_for_each(|record| match check(record) {
            number if number == middle => ControlFlow::Break(number),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!(stopped, ControlFlow::Break(middle));
        let left = (times - times / 2 - 1) as usize;
        assert_eq!(ring.available_bytes(), 48 * left);
        let rest = ring.for_each(|record| {
            check(record);
        });
        assert_eq!((rest, ring.available_bytes()), (left, 0));
        sent += u64::from(times);
    }
    run(&program, 1);
    let item = ring.next().unwrap();
    let error = item.read::<u64>().unwrap_err();
    assert!(matches!(
        &error,
        MapError::InvalidRecordSize { name, size: 8, found: 40 } if name == "EVENTS"
    ));
    assert_eq!(
        error.to_string(),
        "map `EVENTS` sent a record of 40 bytes, the given type has 8: use the type that the program sends"
    );
    assert_eq!(item.split::<u64>().unwrap().1.len(), 32);
}

#[test]
fn waits_for_a_record_up_to_a_time() {
    let test = "waits_for_a_record_up_to_a_time";
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    let program = sender(&events, &numbers, 8);
    let mut ring = ring(events);
    let started = Instant::now();
    assert!(!ring.wait(Some(Duration::from_millis(30))).unwrap());
    assert!(started.elapsed() >= Duration::from_millis(30));
    assert!(!ring.wait(Some(Duration::ZERO)).unwrap());
    run(&program, 1);
    assert!(ring.wait(Some(Duration::ZERO)).unwrap());
    assert!(ring.wait(None).unwrap(), "as long as it is not read");
    assert_eq!(ring.for_each(|_| ()), 1);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            run(&program, 1);
        });
        assert!(ring.wait(Some(Duration::from_secs(20))).unwrap());
    });
    assert!(ring.next().is_some());
}

#[test]
fn one_reader_in_a_process() {
    let test = "one_reader_in_a_process";
    let Some((events, _)) = create(test, MapType::RingBuf, 0, 4096) else {
        return;
    };
    // Another descriptor of the same map.
    let other = events.fd().as_fd().try_clone_to_owned().unwrap();
    let other = Map::from_map_data(MapData::from_fd(other).unwrap()).unwrap();
    let reader = ring(events);
    let refused = RingBuf::try_from(&other).unwrap_err();
    assert!(matches!(&refused, MapError::InUse { name } if name == "EVENTS"));
    assert!(refused.to_string().starts_with("map `EVENTS` is in use"));
    drop(reader);
    RingBuf::try_from(&other).unwrap();
}

/// The reader sleeps in `epoll_wait` with edge triggering, as tokio does: one lost wake-up and it
/// never returns.
#[test]
fn no_wake_up_is_lost() {
    let test = "no_wake_up_is_lost";
    const RECORDS: u64 = 200_000;
    let Some((events, numbers)) = create(test, MapType::RingBuf, 0, 1 << 16) else {
        return;
    };
    let program = sender(&events, &numbers, 8);
    let mut ring = ring(events);
    let done = AtomicBool::new(false);
    let mut poll = Poll::new().unwrap();
    let mut polled = Polled::with_capacity(1);
    poll.registry()
        .register(
            &mut SourceFd(&ring.as_raw_fd()),
            Token(0),
            Interest::READABLE,
        )
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                run(&program, 7);
            }
        });
        let mut read = 0;
        while read < RECORDS {
            while let Some(item) = ring.next() {
                assert_eq!(item.len(), 8);
                read += 1;
            }
            // Twenty seconds without a record: the producer runs all the time.
            poll.poll(&mut polled, Some(Duration::from_secs(20)))
                .unwrap();
            if polled.is_empty() {
                done.store(true, Ordering::Relaxed);
                panic!("no wake-up after {read} records");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn perf_buffers() {
    let test = "perf_buffers";
    let Some((events, numbers)) = create(test, MapType::PerfEventArray, 4, 0) else {
        return;
    };
    let program = sender(&events, &numbers, 40);
    let mut array = PerfEventArray::try_from(Map::from_map_data(events).unwrap()).unwrap();
    assert!(matches!(
        array.open(0, Some(3)),
        Err(PerfBufferError::InvalidPageCount { page_count: 3 })
    ));
    let cpus = aya::util::online_cpus().unwrap();
    let mut buffers: Vec<_> = cpus
        .iter()
        .map(|cpu| array.open(*cpu, Some(1)).unwrap())
        .collect();
    assert!(!buffers.iter().any(|buffer| buffer.readable()));

    // In rounds smaller than a buffer nothing is lost, wherever the end of it falls.
    let mut sent = 0;
    for round in 1..300 {
        let times = round % 40 + 1;
        run(&program, times);
        let mut round = Vec::new();
        for buffer in &mut buffers {
            buffer.for_each(|event| match event {
                PerfEvent::Sample { head, tail } => {
                    let record = [head, tail].concat();
                    // 4 more than a multiple of 8.
                    assert_eq!(record.len(), 44);
                    let number = first_u64(&record);
                    assert!(record[..40].chunks(8).all(|part| first_u64(part) == number));
                    round.push(number);
                }
                PerfEvent::Lost { count } => panic!("{count} lost"),
            });
            assert!(!buffer.readable());
        }
        // The kernel may have moved the run to another CPU.
        round.sort_unstable();
        let next = sent + u64::from(times);
        assert!(round.into_iter().eq(sent..next));
        sent = next;
    }

    // 56 bytes each: of 200 some are lost, which the next record tells.
    run(&program, 200);
    let mut read = vec![Vec::new(); 1000];
    let count = |buffers: &mut Vec<aya::maps::perf::PerfEventArrayBuffer<_>>,
                 read: &mut Vec<Vec<u8>>| {
        let mut total = Events::default();
        for buffer in buffers {
            let events = buffer.read_events(read).unwrap();
            total.read += events.read;
            total.lost += events.lost;
        }
        total
    };
    let full = count(&mut buffers, &mut read);
    assert!((50..200).contains(&full.read), "{full:?}");
    // On the same CPU, whichever that is.
    for _ in 0..50 {
        run(&program, 1);
    }
    let after = count(&mut buffers, &mut read);
    assert_eq!(full.read + after.read + full.lost + after.lost, 250);
    assert!(after.lost > 0);
    assert_eq!(read[0].len(), 44);
}
