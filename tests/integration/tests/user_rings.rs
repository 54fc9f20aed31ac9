//! User ring buffers: orders from user space, what programs make of them, and waiting for room.

use std::{
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    maps::{MapData, MapError, RingBuf, UserRingBuf},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use aya_netlab::{FAR_ADDRESS, udp_packet};
use aya_tests::{TestResult, frame, in_both_modes, xdp};

/// How long a writer that is not woken may hold up a test.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a writer waits for room that nobody makes.
const NAP: Duration = Duration::from_millis(50);

/// Has the program drain the buffer; what it returns, as a number of records or an error.
fn drain(program: &Xdp) -> TestResult<i32> {
    let packet = frame(&udp_packet(FAR_ADDRESS, 1, 2, &[0; 8]));
    let options = TestRunOptions {
        data_in: Some(&packet),
        repeat: 1,
        ..TestRunOptions::default()
    };
    Ok(program.test_run(options)?.return_value.cast_signed())
}

/// Loads one program: the object, the writer and the reader.
fn load(
    object: &[u8],
    program: &str,
    map: &str,
) -> TestResult<(Ebpf, UserRingBuf<MapData>, RingBuf<MapData>)> {
    let mut ebpf = Ebpf::load(object)?;
    xdp(&mut ebpf, program)?.load()?;
    let orders = UserRingBuf::try_from(ebpf.take_map(map).ok_or("no map")?)?;
    let events = RingBuf::try_from(ebpf.take_map("EVENTS").ok_or("no map")?)?;
    Ok((ebpf, orders, events))
}

in_both_modes! {
    /// Records of all lengths go there and come back, in order, across the end of both buffers.
    fn there_and_back(object: "user_rings", since 6, 1) {
        let (mut ebpf, mut orders, mut events) = load(object, "drain", "ORDERS")?;
        let program = xdp(&mut ebpf, "drain")?;
        assert_eq!(drain(program)?, 0);
        let (mut sent, mut expected) = (0_u64, 0_u64);
        for round in 1..60 {
            let batch = round % 15 + 1;
            for _ in 0..batch {
                match sent % 3 {
                    0 => orders.send(&sent)?,
                    // Longer than the number, and then of no multiple of 8.
                    _ => {
                        let mut entry = orders.reserve(8 + (sent % 200) as usize)?;
                        entry[..8].copy_from_slice(&sent.to_ne_bytes());
                        entry[8..].fill(0xff);
                        entry.submit();
                    }
                }
                // What is discarded, or dropped, is not there.
                orders.reserve(100)?.discard();
                drop(orders.reserve(20)?);
                sent += 1;
            }
            assert!(orders.pending_bytes() > 0);
            assert_eq!(u64::try_from(drain(program)?)?, batch);
            assert_eq!(orders.pending_bytes(), 0);
            let mut sum = 0;
            let mut wrong = 0;
            events.for_each(|record| {
                sum += expected;
                wrong += usize::from(record.read::<[u64; 2]>().ok() != Some([expected, sum]));
                expected += 1;
            });
            assert_eq!((expected, wrong), (sent, 0));
        }
        Ok(())
    }

    /// The callback ends the drain where it wants, and the rest comes next time; too short is told.
    fn the_callback_decides(object: "user_rings", since 6, 1) {
        let (mut ebpf, mut orders, mut events) = load(object, "drain", "ORDERS")?;
        let (last, short) = (ebpf.global::<u64>("LAST")?, ebpf.global::<u64>("SHORT")?);
        let program = xdp(&mut ebpf, "drain")?;
        for number in 0..10_u64 {
            orders.send(&number)?;
        }
        orders.send(&7_u32)?;
        last.write(&3)?;
        assert_eq!(drain(program)?, 4);
        assert_eq!((events.for_each(|_| ()), short.read()?), (4, 0));
        assert_eq!(drain(program)?, 7);
        assert_eq!((events.for_each(|_| ()), short.read()?), (6, 1));
        assert_eq!(drain(program)?, 0);
        Ok(())
    }

    /// The map in its other form, and copies of bytes at any place.
    fn the_other_form(object: "user_rings", since 6, 1) {
        let (mut ebpf, mut orders, mut events) = load(object, "drain_more", "MORE")?;
        let program = xdp(&mut ebpf, "drain_more")?;
        orders.send_bytes(b"abcdefgh")?;
        orders.send_bytes(b"short")?;
        orders.send_bytes(b"longer than that")?;
        assert_eq!(drain(program)?, 3);
        let mut seen = Vec::new();
        events.for_each(|record| seen.push(record.to_vec()));
        assert_eq!(seen, [b"cdef", b"nger"]);
        Ok(())
    }

    /// A full buffer is told apart from a record that never fits, and waiting for room ends when a program
    /// makes some, or when the time is over.
    fn waiting_for_room(object: "user_rings", since 6, 1) {
        let (mut ebpf, mut orders, mut events) = load(object, "drain", "ORDERS")?;
        let program = xdp(&mut ebpf, "drain")?;
        assert_eq!(orders.capacity(), 4096);
        let error = orders.reserve(4096).err().ok_or("too large")?;
        assert!(matches!(
            &error,
            MapError::RecordTooLarge { name, size: 4096, capacity: 4096 } if name == "ORDERS"
        ), "{error}");
        assert!(orders.reserve_within(usize::MAX, None).is_err());
        while orders.send(&[1_u64; 63]).is_ok() {}
        assert_eq!(orders.pending_bytes(), 4096);
        let error = orders.reserve(0).err().ok_or("full")?;
        assert!(matches!(&error, MapError::NoRoom { name, size: 0 } if name == "ORDERS"), "{error}");
        let started = Instant::now();
        let error = orders.reserve_within(8, Some(NAP)).err().ok_or("full")?;
        assert!(matches!(error, MapError::NoRoom { .. }) && started.elapsed() >= NAP);
        // Many times, with room for ever other records, so that a wake-up that is missed would show.
        for round in 0..20 {
            thread::scope(|scope| -> TestResult {
                let drained = scope.spawn(|| {
                    thread::sleep(Duration::from_millis(round % 5));
                    drain(program).map_err(|error| error.to_string())
                });
                let started = Instant::now();
                let mut entry = orders.reserve_within(1000, Some(PATIENCE))?;
                entry.fill(0);
                entry.submit();
                assert!(started.elapsed() < PATIENCE);
                assert!(drained.join().map_err(|_| "panicked")?? > 0);
                Ok(())
            })?;
            events.for_each(|_| ());
            while orders.send(&[round; 63]).is_ok() {}
        }
        Ok(())
    }

    /// One writer, however the process comes to the map.
    fn one_writer_in_a_process(object: "user_rings", since 6, 1) {
        let mut ebpf = Ebpf::load(object)?;
        let map = ebpf.map_mut("ORDERS").ok_or("no map")?;
        let id = map.data().info()?.id();
        let mut orders = UserRingBuf::try_from(&mut *map)?;
        orders.send(&1_u32)?;
        let other = aya::maps::Map::from_map_data(MapData::from_id(id)?)?;
        let error = UserRingBuf::try_from(&other).err().ok_or("a second writer")?;
        assert!(matches!(&error, MapError::InUse { name } if name == "ORDERS"), "{error}");
        drop(orders);
        // The next one goes on behind what is there.
        let mut orders = UserRingBuf::try_from(&other)?;
        orders.send(&2_u32)?;
        assert_eq!(orders.pending_bytes(), 32);
        Ok(())
    }
}
