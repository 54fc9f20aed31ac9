//! Ring buffers: every way of sending a record, waking and not waking the reader, several buffers at
//! once, and records that find no room.

use std::{
    ops::ControlFlow,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, MapError, RingBuf, ring_buf::RingBufs},
};
use aya_netlab::{FAR_ADDRESS, udp_packet};
use aya_tests::{TestResult, frame, in_both_modes, run_on, xdp};

/// How long a reader that is not woken may hold up a test.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a reader sleeps that nobody is to wake.
const NAP: Duration = Duration::from_millis(200);

const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;
/// What one record takes besides its bytes.
const HEADER: usize = 8;

/// A packet that orders a record.
fn order(number: u32, words: u32, flags: u64) -> Vec<u8> {
    let mut payload = [0; 16];
    payload[..4].copy_from_slice(&number.to_ne_bytes());
    payload[4..8].copy_from_slice(&words.to_ne_bytes());
    payload[8..].copy_from_slice(&flags.to_ne_bytes());
    frame(&udp_packet(FAR_ADDRESS, 1, 2, &payload))
}

const PASS: u32 = 2;
const DROP: u32 = 1;
const ABORTED: u32 = 0;

/// Loads one program; the object and the reader of its records.
fn load(object: &[u8], program: &str) -> TestResult<(Ebpf, RingBuf<MapData>)> {
    let mut ebpf = Ebpf::load(object)?;
    xdp(&mut ebpf, program)?.load()?;
    let ring = RingBuf::try_from(ebpf.take_map("EVENTS").ok_or("no map")?)?;
    Ok((ebpf, ring))
}

/// `Event` of the programs, as bytes in their order.
type Event = [u64; 3];

fn event(number: u32) -> Event {
    let (twice, half) = (u64::from(number) * 2, number / 2);
    let half = half.to_ne_bytes();
    let kind = 7_u16.to_ne_bytes();
    let last = [half[0], half[1], half[2], half[3], kind[0], kind[1], 1, 2];
    [number.into(), twice, u64::from_ne_bytes(last)]
}

/// What `sleep` does while `wake` happens in another thread, a moment after it began.
fn meanwhile<T>(
    wake: impl FnOnce() -> TestResult + Send,
    sleep: impl FnOnce() -> TestResult<T>,
) -> TestResult<(T, Duration)> {
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            thread::sleep(NAP / 4);
            wake().map_err(|error| error.to_string())
        });
        let started = Instant::now();
        let slept = sleep();
        let time = started.elapsed();
        other.join().map_err(|_| "the other thread panicked")??;
        Ok((slept?, time))
    })
}

in_both_modes! {
    /// Records of one type, filled in place, byte for byte; read one by one and all at once.
    fn typed_records(object: "rings", since 5, 8) {
        let (mut ebpf, mut ring) = load(object, "typed")?;
        let program = xdp(&mut ebpf, "typed")?;
        // More than the buffer holds, in turns of two sizes, so that its end falls anywhere.
        for number in 0..60 {
            let times = number % 9 + 1;
            assert_eq!(run_on(program, &order(number, 0, 0), times)?, PASS);
            let item = ring.next().ok_or("no record")?;
            assert_eq!(item.read::<Event>()?, event(number));
            drop(item);
            let mut events = Vec::new();
            ring.for_each(|record| events.push(record.read::<Event>().ok()));
            assert_eq!(events, vec![Some(event(number)); times as usize - 1]);
        }
        assert!(ring.next().is_none());
        Ok(())
    }

    /// What is discarded is never seen, by name or by a path out of the program.
    fn discarded_records(object: "rings", since 5, 8) {
        let (mut ebpf, mut ring) = load(object, "discarded")?;
        let program = xdp(&mut ebpf, "discarded")?;
        for flags in [0, NO_WAKEUP] {
            assert_eq!(run_on(program, &order(0, 0, flags), 3)?, PASS);
            assert_eq!(ring.available_bytes(), 3 * (HEADER + 8));
            assert!(ring.next().is_none());
            assert_eq!((ring.available_bytes(), ring.for_each(|_| ())), (0, 0));
        }
        Ok(())
    }

    /// Records of any length, which only the program knows when it runs.
    fn records_of_variable_size(object: "rings", since 5, 19) {
        let (mut ebpf, mut ring) = load(object, "variable")?;
        let program = xdp(&mut ebpf, "variable")?;
        for round in 0..3 {
            for words in [1, 64, 2, 63, 17, 33, 5, 64, 64, 64] {
                assert_eq!(run_on(program, &order(0, words, round % 2), 1)?, PASS);
                if round % 2 == 1 {
                    assert!(ring.next().is_none(), "discarded");
                    continue;
                }
                let item = ring.next().ok_or("no record")?;
                assert_eq!(item.len(), words as usize * 8);
                let (first, rest) = item.split::<u64>()?;
                assert_eq!((first, rest.len()), (0, item.len() - 8));
                let numbers = item.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().expect("8")));
                assert!(numbers.eq(0..u64::from(words)));
            }
        }
        // Larger than the buffer: no record, no harm.
        assert_eq!(run_on(program, &order(0, 4096 / 8, 0), 1)?, DROP);
        assert!(ring.next().is_none());
        assert_eq!(ebpf.global::<u64>("LOST")?.read()?, 1);
        Ok(())
    }

    /// Room for bytes, of a number that is no multiple of 8; what is discarded is never seen.
    fn records_of_bytes(object: "rings", since 5, 8) {
        let (mut ebpf, mut ring) = load(object, "bytes")?;
        let program = xdp(&mut ebpf, "bytes")?;
        // More than the buffer holds, so that its end falls anywhere.
        for number in 0..300 {
            let fate = number % 3;
            assert_eq!(run_on(program, &order(number, fate, 0), 1)?, PASS);
            assert_eq!(ring.available_bytes(), HEADER + 16);
            let item = ring.next();
            match (item, fate) {
                (Some(item), 0) => {
                    assert_eq!(*item, [&number.to_ne_bytes(), &b"and nine."[..]].concat());
                }
                (item, fate) => assert!(item.is_none() && fate > 0, "{fate}: {item:?}"),
            }
            assert_eq!(ring.available_bytes(), 0);
        }
        run_on(program, &order(0, 0, 0), 200)?;
        let most = (4096 - 1) / (HEADER + 16);
        assert_eq!(ebpf.global::<u64>("LOST")?.read()?, 200 - most as u64);
        assert_eq!(ring.for_each(|record| assert_eq!(record.len(), 13)), most);
        Ok(())
    }

    /// Copies of a length that only the program knows when it runs, none and all there is included.
    fn slices_of_any_length(object: "rings", since 5, 8) {
        let (mut ebpf, mut ring) = load(object, "slice")?;
        let program = xdp(&mut ebpf, "slice")?;
        for number in 0..10_u8 {
            for len in [0, 1, 7, 8, 9, 33, 63, 64] {
                assert_eq!(run_on(program, &order(number.into(), u32::from(len), 0), 1)?, PASS);
                let item = ring.next().ok_or("no record")?;
                assert!(item.iter().copied().eq(number..number + len), "{len}: {item:?}");
            }
        }
        for len in [65, u32::MAX] {
            assert_eq!(run_on(program, &order(0, len, 0), 1)?, ABORTED);
        }
        assert_eq!(ring.available_bytes(), 0);
        Ok(())
    }

    /// What the buffer says of itself, for ever: its size, what waits, and both positions.
    fn figures_of_the_buffer(object: "rings", since 5, 8) {
        const ROOM: u64 = (HEADER + 4 * 8) as u64;
        const BATCH: u32 = 5;
        let (mut ebpf, mut ring) = load(object, "figures")?;
        let program = xdp(&mut ebpf, "figures")?;
        // More than the buffer holds: positions only grow.
        let (mut read, mut sent) = (0, 0);
        for _ in 0..30 {
            assert_eq!(run_on(program, &order(0, 0, 0), BATCH)?, PASS);
            let before = read;
            for _ in 0..BATCH {
                let item = ring.next().ok_or("no record")?;
                let waiting = sent - before;
                assert_eq!(item.read::<[u64; 4]>()?, [waiting * ROOM, 4096, before * ROOM, sent * ROOM]);
                (read, sent) = (read + 1, sent + 1);
            }
        }
        Ok(())
    }

    /// Exactly those that find no room are counted, whatever they were sent by.
    fn lost_records_are_counted(object: "rings", since 5, 8) {
        let (mut ebpf, mut ring) = load(object, "typed")?;
        xdp(&mut ebpf, "adaptive")?.load()?;
        let lost = ebpf.global::<u64>("LOST")?;
        // The kernel keeps a byte free.
        let most = (4096 - 1) / (HEADER + size_of::<Event>());
        run_on(xdp(&mut ebpf, "typed")?, &order(0, 0, 0), 500)?;
        assert_eq!(lost.read()?, 500 - most as u64);
        let program = xdp(&mut ebpf, "adaptive")?;
        while run_on(program, &order(0, 0, 0), 1)? == PASS {}
        let before = lost.read()?;
        assert_eq!(run_on(program, &order(0, 0, 0), 10)?, DROP);
        assert_eq!(lost.read()?, before + 10);
        ring.for_each(|_| ());
        assert_eq!(run_on(program, &order(0, 0, 0), 10)?, PASS);
        assert_eq!(lost.read()?, before + 10);
        Ok(())
    }

    /// `BPF_RB_NO_WAKEUP` lets a reader sleep, `BPF_RB_FORCE_WAKEUP` wakes even one that is behind.
    fn programs_wake_the_reader_or_not(object: "rings", since 5, 8) {
        let (mut ebpf, mut ring) = load(object, "typed")?;
        let program = xdp(&mut ebpf, "typed")?;
        let send = |flags| run_on(program, &order(0, 0, flags), 1).map(drop);
        let (ready, time) = meanwhile(|| send(NO_WAKEUP), || Ok(ring.wait(Some(NAP))?))?;
        assert!(time >= NAP, "not woken");
        assert!(ready, "but the record is there when the time is over");
        assert_eq!(ring.for_each(|_| ()), 1);
        let (ready, time) = meanwhile(|| send(0), || Ok(ring.wait(Some(PATIENCE))?))?;
        assert!(ready && time < PATIENCE, "woken");
        assert_eq!(ring.for_each(|_| ()), 1);
        // A reader that is behind is not woken by the second record, unless it is forced.
        let behind = || send(NO_WAKEUP).and_then(|()| send(0));
        let (ready, time) = meanwhile(behind, || Ok(ring.wait(Some(NAP))?))?;
        assert!(ready && time >= NAP, "not woken");
        assert_eq!(ring.for_each(|_| ()), 2);
        let forced = || behind().and_then(|()| send(FORCE_WAKEUP));
        let (ready, time) = meanwhile(forced, || Ok(ring.wait(Some(PATIENCE))?))?;
        assert!(ready && time < PATIENCE, "woken");
        // It may have been woken by the last of them only.
        assert_eq!(ring.for_each(|_| ()), 3);
        Ok(())
    }

    /// The reader is woken when so much is there as the program lets wait.
    fn adaptive_wake_ups(object: "rings", since 5, 8) {
        const THRESHOLD: usize = 512;
        let (mut ebpf, mut ring) = load(object, "adaptive")?;
        let program = xdp(&mut ebpf, "adaptive")?;
        let few = || run_on(program, &order(0, 0, 0), 10).map(drop);
        let (ready, time) = meanwhile(few, || Ok(ring.wait(Some(NAP))?))?;
        assert!(ready && time >= NAP, "10 wake nobody");
        ring.for_each(|_| ());
        let many = || run_on(program, &order(0, 0, 0), 100).map(drop);
        let (ready, time) = meanwhile(many, || Ok(ring.wait(Some(PATIENCE))?))?;
        assert!(ready && time < PATIENCE);
        assert!(ring.available_bytes() >= THRESHOLD);
        Ok(())
    }

    /// Several ring buffers behind one poll: each record wakes the reader, which knows where it is from.
    fn several_behind_one_poll(object: "rings", since 5, 8) {
        let mut programs = Vec::new();
        let mut rings = RingBufs::new([])?;
        for index in 0..3 {
            let (ebpf, ring) = load(object, "typed")?;
            programs.push(ebpf);
            assert_eq!(rings.push(ring)?, index);
        }
        assert!(!rings.wait(Some(Duration::ZERO))?);
        for number in 0..30 {
            let index = number as usize * 7 % 3;
            let mut send = || run_on(xdp(&mut programs[index], "typed")?, &order(number, 0, 0), 1).map(drop);
            if number < 3 {
                let (ready, time) = meanwhile(send, || Ok(rings.wait(Some(PATIENCE))?))?;
                assert!(ready && time < PATIENCE);
            } else {
                send()?;
                assert!(rings.wait(None)?);
            }
            let mut seen = Vec::new();
            assert_eq!(rings.for_each(|ring, record| seen.push((ring, record.read::<Event>()))), 1);
            let (ring, record) = seen.remove(0);
            assert_eq!((ring, record?), (index, event(number)));
        }
        // By turns: one that has more does not hold up the others.
        for (index, ebpf) in programs.iter_mut().enumerate() {
            run_on(xdp(ebpf, "typed")?, &order(0, 0, 0), [50, 1, 2][index])?;
        }
        let stopped = rings.try_for_each(|ring, _| match ring {
            2 => ControlFlow::Break(ring),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!(stopped, ControlFlow::Break(2));
        assert_eq!(rings.for_each(|_, _| ()), 1);
        assert_eq!(rings.rings().len(), 3);
        Ok(())
    }

    /// One reader, however the process comes to the map.
    fn one_reader_in_a_process(object: "rings", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let map = ebpf.map("EVENTS").ok_or("no map")?;
        let reader = RingBuf::try_from(map)?;
        let error = RingBuf::try_from(map).err().ok_or("a second reader")?;
        assert!(matches!(&error, MapError::InUse { name } if name == "EVENTS"), "{error}");
        drop(reader);
        RingBuf::try_from(ebpf.map_mut("EVENTS").ok_or("no map")?)?;
        Ok(())
    }

    /// A million records later the process has not grown.
    fn memory_stays_flat(object: "rings", since 5, 8) {
        const RECORDS: usize = 1_000_000;
        const TURN: u32 = 20_000;
        let mut ebpf = EbpfLoader::new().map_max_entries("EVENTS", 1 << 20).load(object)?;
        let mut ring = RingBuf::try_from(ebpf.take_map("EVENTS").ok_or("no map")?)?;
        let program = xdp(&mut ebpf, "typed")?;
        program.load()?;
        let pages = || -> TestResult<usize> {
            let statm = std::fs::read_to_string("/proc/self/statm")?;
            Ok(statm.split(' ').nth(1).ok_or("no second number")?.parse()?)
        };
        let packet = order(1, 0, 0);
        let (mut read, mut before) = (0, 0);
        while read < RECORDS {
            run_on(program, &packet, TURN)?;
            let mut one_by_one = 0;
            while one_by_one < TURN / 4 {
                let item = ring.next().ok_or("no record")?;
                assert_eq!(item.len(), size_of::<Event>());
                one_by_one += 1;
            }
            let mut sum = 0;
            let rest = ring.for_each(|record| sum += record.len());
            assert_eq!(sum, rest * size_of::<Event>());
            read += one_by_one as usize + rest;
            assert_eq!(read % TURN as usize, 0);
            // The first turn touches what it uses.
            if before == 0 {
                before = pages()?;
            }
        }
        // Other tests run beside this one when it is not alone; 64 bytes per record would be 15,000 pages.
        let grown = pages()?.saturating_sub(before);
        assert!(grown < 2000, "{grown} pages");
        Ok(())
    }

    /// Many producers, on all CPUs: nothing is lost without being counted, nothing comes twice.
    fn all_cpus_at_once(object: "rings", since 5, 8) {
        const EACH: u32 = 20_000;
        let (mut ebpf, mut ring) = load(object, "typed")?;
        let lost = ebpf.global::<u64>("LOST")?;
        let program = &*xdp(&mut ebpf, "typed")?;
        let (done, ended) = mpsc::channel();
        let read = thread::scope(|scope| -> TestResult<u64> {
            for _ in 0..2 {
                let done = done.clone();
                scope.spawn(move || {
                    let sent = run_on(program, &order(3, 0, 0), EACH).map_err(|error| error.to_string());
                    done.send(sent.map(drop))
                });
            }
            let (mut read, mut running) = (0, 2);
            while running > 0 {
                ring.wait(Some(Duration::from_millis(10)))?;
                let mut wrong = 0;
                read += ring.for_each(|record| {
                    wrong += usize::from(record.read::<Event>().ok() != Some(event(3)));
                }) as u64;
                assert_eq!(wrong, 0);
                while let Ok(sent) = ended.try_recv() {
                    sent?;
                    running -= 1;
                }
            }
            Ok(read + ring.for_each(|_| ()) as u64)
        })?;
        assert_eq!(read + lost.read()?, u64::from(2 * EACH));
        Ok(())
    }
}
