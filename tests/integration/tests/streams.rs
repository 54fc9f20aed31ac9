//! Channels in asynchronous tasks: each record wakes its reader, whatever the runtime; what is given up
//! takes nothing with it; a busy reader lets others run; one that is too slow learns what it has missed;
//! and all CPUs' perf buffers as one.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd, RawFd},
    path::Path,
    pin::{Pin, pin},
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use async_std::task as std_task;
use aya::{
    Ebpf,
    maps::{
        AsyncPerfEventArray, AsyncRingBuf, AsyncUserRingBuf, MapError, PerfEventArray, RingBuf,
        perf::{Events, PerfEvent},
    },
    util::online_cpus,
};
use aya_netlab::{FAR_ADDRESS, udp_packet};
use aya_sys::perf::{self, Scope};
use aya_tests::{TestResult, frame, in_both_modes, object, run_on, skip, stay_on, xdp};
use aya_uapi::bindings::{perf_event_attr, perf_sw_ids, perf_type_id};
use futures_core::Stream;
use nix::sys::prctl;
use rustix::ioctl::{self, IntegerSetter, Opcode, opcode};

/// How long a reader that is not woken may hold up a test.
const PATIENCE: Duration = Duration::from_secs(20);

type Event = [u64; 3];

/// How many records of program `typed` in `channels` fit into a page: each has a header of 8 bytes, 4 for
/// its length, 8, and 4 of padding; the kernel keeps a byte free.
const FIT: u32 = (4096 - 1) / 24;

/// A packet whose payload begins with a number.
fn numbered(number: u32) -> Vec<u8> {
    let mut payload = [0; 16];
    payload[..4].copy_from_slice(&number.to_ne_bytes());
    frame(&udp_packet(FAR_ADDRESS, 1, 2, &payload))
}

fn cpus() -> TestResult<Vec<u32>> {
    Ok(online_cpus().map_err(|(_, error)| error)?)
}

fn load(object: &[u8], program: &str) -> TestResult<Ebpf> {
    let mut ebpf = Ebpf::load(object)?;
    xdp(&mut ebpf, program)?.load()?;
    Ok(ebpf)
}

fn take(ebpf: &mut Ebpf, map: &str) -> TestResult<aya::maps::Map> {
    Ok(ebpf.take_map(map).ok_or("no map")?)
}

/// Runs a test in both kinds of runtime.
fn in_both_runtimes(test: impl AsyncFn() -> TestResult) -> TestResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test()).await? })?;
    std_task::block_on(async { async_std::future::timeout(PATIENCE, test()).await? })
}

/// Sends records one at a time in another thread, with pauses in which the reader falls asleep.
fn send_slowly(
    mut ebpf: Ebpf,
    program: &'static str,
    count: u32,
) -> thread::JoinHandle<Result<(), String>> {
    thread::spawn(move || {
        let mut sent = || -> TestResult {
            let program = xdp(&mut ebpf, program)?;
            for number in 0..count {
                run_on(program, &numbered(number), 1)?;
                if number % 3 == 0 {
                    thread::sleep(Duration::from_millis(6));
                }
            }
            Ok(())
        };
        sent().map_err(|error| error.to_string())
    })
}

fn finish(producer: thread::JoinHandle<Result<(), String>>) -> TestResult {
    Ok(producer.join().map_err(|_| "the producer panicked")??)
}

/// Has the name that a thread takes on this CPU be a record, too, in one of the perf buffers behind an
/// epoll(7) descriptor: that of this CPU, as the kernel refuses the others.
fn names_are_records(buffers: RawFd, cpu: u32) -> TestResult<OwnedFd> {
    /// `PERF_EVENT_IOC_SET_OUTPUT`
    const SET_OUTPUT: Opcode = opcode::none(b'$', 5);
    /// The bit field `comm`.
    const NAMES: u64 = 1 << 9;
    let names = perf_event_attr {
        type_: perf_type_id::PERF_TYPE_SOFTWARE,
        config: u64::from(perf_sw_ids::PERF_COUNT_SW_DUMMY),
        bits: NAMES,
        ..perf_event_attr::ZEROED
    };
    let names = perf::open(&names, Scope::Cpu(cpu))?;
    let watched = fs::read_to_string(format!("/proc/self/fdinfo/{buffers}"))?;
    for fd in watched.lines().filter_map(|line| line.strip_prefix("tfd:")) {
        let fd = fd.split_whitespace().next().ok_or("no number")?.parse()?;
        // SAFETY: the request takes a descriptor as an integer.
        let set = unsafe { ioctl::ioctl(&names, IntegerSetter::<SET_OUTPUT>::new_usize(fd)) };
        if set.is_ok() {
            return Ok(names);
        }
    }
    Err(format!("no buffer of CPU {cpu} in {watched}").into())
}

in_both_modes! {
    /// Each record wakes the task that waits for it; the records are lent.
    fn records_of_a_ring_buffer(object: "rings", since 5, 8) {
        const SENT: u32 = 60;
        in_both_runtimes(async || {
            let mut ebpf = load(object, "typed")?;
            let mut ring = AsyncRingBuf::try_from(take(&mut ebpf, "EVENTS")?)?;
            let producer = send_slowly(ebpf, "typed", SENT);
            for number in 0..SENT {
                let item = ring.next().await.ok_or("ended")??;
                assert_eq!(item.read::<Event>()?[0], u64::from(number));
            }
            assert_eq!(ring.ring_buf().available_bytes(), 0);
            finish(producer)
        })
    }

    /// As values, by the stream's own `next` and by the trait; a record of another size is an error and the
    /// next one comes.
    fn values_of_a_ring_buffer(object: "rings", since 5, 8) {
        const SENT: u32 = 30;
        in_both_runtimes(async || {
            let mut ebpf = load(object, "typed")?;
            xdp(&mut ebpf, "adaptive")?.load()?;
            let ring = RingBuf::try_from(take(&mut ebpf, "EVENTS")?)?;
            let mut stream = AsyncRingBuf::from_ring_buf(ring)?.decode::<Event>();
            run_on(xdp(&mut ebpf, "adaptive")?, &numbered(9), 1)?;
            let producer = send_slowly(ebpf, "typed", SENT);
            let error = stream.next().await.ok_or("ended")?.err().ok_or("a value")?;
            assert!(matches!(&error, MapError::InvalidRecordSize { name, size: 24, found: 8 } if name == "EVENTS"));
            for number in 0..SENT {
                let event = match number % 2 {
                    0 => stream.next().await,
                    _ => std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await,
                };
                assert_eq!(event.ok_or("ended")??[0], u64::from(number));
            }
            finish(producer)
        })
    }

    /// A wait that is given up takes no record with it.
    fn a_wait_may_be_given_up(object: "rings", since 5, 8) {
        const SENT: u32 = 40;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut ebpf = load(object, "typed")?;
            let mut stream = AsyncRingBuf::try_from(take(&mut ebpf, "EVENTS")?)?.decode::<Event>();
            let producer = send_slowly(ebpf, "typed", SENT);
            let (mut expected, mut given_up, started) = (0, 0, Instant::now());
            while expected < u64::from(SENT) {
                tokio::select! {
                    biased;
                    event = stream.next() => {
                        assert_eq!(event.ok_or("ended")??[0], expected);
                        expected += 1;
                    }
                    () = tokio::time::sleep(Duration::from_millis(1)) => {
                        given_up += 1;
                        assert!(started.elapsed() < PATIENCE, "{expected} records came");
                    }
                }
            }
            assert!(given_up > 0);
            finish(producer)
        })
    }

    /// A task that always finds something lets the others of its thread run.
    fn a_busy_reader_lets_others_run(object: "rings", since 5, 8) {
        const SENT: u32 = 100;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut ebpf = load(object, "typed")?;
            let mut ring = AsyncRingBuf::try_from(take(&mut ebpf, "EVENTS")?)?;
            run_on(xdp(&mut ebpf, "typed")?, &numbered(0), SENT)?;
            let other = tokio::spawn(async {});
            let mut alone = 0;
            while !other.is_finished() {
                ring.next().await.ok_or("ended")??;
                alone += 1;
            }
            assert!(alone < SENT, "the other task had to wait for all");
            Ok(())
        })
    }

    /// A task that is too slow: the program counts exactly what finds no room, all that did comes, and there
    /// is room again as the task reads.
    fn a_full_ring_buffer_is_back_pressure(object: "rings", since 5, 8) {
        const SENT: u32 = 200;
        // Each has a header of 8 bytes; the kernel keeps a byte free.
        const FIT: u32 = (4096 - 1) / (8 + size_of::<Event>() as u32);
        in_both_runtimes(async || {
            let mut ebpf = load(object, "typed")?;
            let mut stream = AsyncRingBuf::try_from(take(&mut ebpf, "EVENTS")?)?.decode::<Event>();
            let lost = ebpf.global::<u64>("LOST")?;
            let program = xdp(&mut ebpf, "typed")?;
            let mut next = async || -> TestResult<u64> {
                Ok(stream.next().await.ok_or("ended")??[0])
            };
            let mut counted = 0;
            for round in 0..3 {
                let first = round * SENT;
                for number in first..first + SENT {
                    run_on(program, &numbered(number), 1)?;
                }
                counted += u64::from(SENT - FIT);
                assert_eq!(lost.read()?, counted);
                // What is read makes room for as much, no more.
                for number in first..first + 3 {
                    assert_eq!(next().await?, u64::from(number));
                }
                run_on(program, &numbered(u32::MAX), 5)?;
                counted += 2;
                assert_eq!(lost.read()?, counted);
                for number in first + 3..first + FIT {
                    assert_eq!(next().await?, u64::from(number));
                }
                for _ in 0..3 {
                    assert_eq!(next().await?, u64::from(u32::MAX));
                }
            }
            // It has read everything, so that it is woken again.
            let producer = send_slowly(ebpf, "typed", 20);
            for number in 0..20 {
                assert_eq!(next().await?, number);
            }
            assert_eq!(lost.read()?, counted);
            finish(producer)
        })
    }

    /// A task waits for room in a user ring buffer, and a program makes some.
    fn room_in_a_user_ring_buffer(object: "user_rings", since 6, 1) {
        in_both_runtimes(async || {
            let mut ebpf = load(object, "drain")?;
            let mut orders = AsyncUserRingBuf::try_from(take(&mut ebpf, "ORDERS")?)?;
            let mut events = RingBuf::try_from(take(&mut ebpf, "EVENTS")?)?;
            assert!(matches!(
                orders.reserve(5000).await,
                Err(MapError::RecordTooLarge { size: 5000, capacity: 4096, .. })
            ));
            // Far more than fits at once.
            let producer = thread::spawn(move || {
                let mut drained = || -> TestResult {
                    let program = xdp(&mut ebpf, "drain")?;
                    let (mut seen, started) = (0, Instant::now());
                    while seen < 1000 && started.elapsed() < PATIENCE {
                        thread::sleep(Duration::from_millis(3));
                        run_on(program, &numbered(0), 1)?;
                        events.for_each(|record| {
                            let number = record.split::<u64>().map(|(number, _)| number);
                            assert_eq!(number.ok(), Some(seen));
                            seen += 1;
                        });
                    }
                    assert_eq!(seen, 1000);
                    Ok(())
                };
                drained().map_err(|error| error.to_string())
            });
            for number in 0..500_u64 {
                orders.send(&(number * 2)).await?;
                let mut entry = orders.reserve(100).await?;
                entry[..8].copy_from_slice(&(number * 2 + 1).to_ne_bytes());
                entry.submit();
            }
            finish(producer)
        })
    }

    /// One call opens the buffers of all CPUs, and one wait is for all of them; losses add up.
    fn perf_buffers_of_all_cpus(object: "channels", since 5, 8) {
        let mut ebpf = load(object, "typed")?;
        let mut array = PerfEventArray::try_from(take(&mut ebpf, "TYPED")?)?;
        let mut buffers = array.open_all(Some(1))?;
        assert!(buffers.cpus().eq(cpus()?));
        assert!(!buffers.wait(Some(Duration::from_millis(10)))?);
        assert!(buffers.refresh()?.is_empty(), "no CPU has come");
        let program = xdp(&mut ebpf, "typed")?;
        for (number, cpu) in (0..20).zip(cpus()?.into_iter().cycle()) {
            stay_on(cpu)?;
            run_on(program, &numbered(number), 1)?;
            assert!(buffers.wait(Some(PATIENCE))?);
            let mut seen = Vec::new();
            buffers.for_each(|cpu, event| match event {
                PerfEvent::Sample { head, tail } => seen.push((cpu, [head, tail].concat())),
                PerfEvent::Lost { .. } => seen.push((u32::MAX, Vec::new())),
            });
            let [(from, record)] = &seen[..] else {
                return Err(format!("{seen:x?}").into());
            };
            assert_eq!((*from, &record[4..8]), (cpu, &number.to_ne_bytes()[..]));
        }
        // Each CPU loses the same number, which its next record tells.
        const SENT: u32 = 500;
        let mut records = vec![Vec::new(); 2000];
        for cpu in cpus()? {
            stay_on(cpu)?;
            run_on(program, &numbered(0), SENT)?;
        }
        let full = buffers.read_events(&mut records)?;
        for cpu in cpus()? {
            stay_on(cpu)?;
            run_on(program, &numbered(0), 1)?;
        }
        let next = buffers.read_events(&mut records)?;
        assert_eq!((full.lost, next.read), (0, cpus()?.len()));
        let sent = cpus()?.len() * SENT as usize;
        assert_eq!(next.lost, sent - full.read);
        assert_eq!(buffers.lost(), next.lost as u64);
        Ok(())
    }

    /// All CPUs in one task: lent records, values, and how many were lost.
    fn perf_buffers_in_one_task(object: "channels", since 5, 8) {
        const SENT: u32 = 40;
        in_both_runtimes(async || {
            let mut ebpf = load(object, "typed")?;
            let mut array = AsyncPerfEventArray::try_from(take(&mut ebpf, "TYPED")?)?;
            let mut events = array.open_all(Some(1))?;
            let producer = send_slowly(ebpf, "typed", 2 * SENT);
            let mut seen = Vec::new();
            for _ in 0..SENT {
                let (_, number) = events.next().await.ok_or("ended")??.split::<[u32; 2]>()?.0.into();
                seen.push(number);
            }
            let mut events = events.decode::<[u32; 2]>();
            for _ in 0..SENT {
                let mut next = pin!(async { events.next().await });
                // Given up once, right away.
                let first = std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
                let event = match first {
                    Poll::Ready(event) => event,
                    Poll::Pending => {
                        drop(first);
                        next.await
                    }
                };
                seen.push(event.ok_or("ended")??[1]);
            }
            assert_eq!(events.buffers().lost(), 0);
            // The producer may have moved from one CPU to another.
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..2 * SENT));
            finish(producer)
        })
    }

    /// A task that is too slow gets all that found room, and is told with the next record how many did not:
    /// one by one, many at once, and from one CPU alone.
    fn lost_records_are_told_to_the_task(object: "channels", since 5, 8) {
        const SENT: u32 = 500;
        const LOST: u32 = SENT - FIT;
        in_both_runtimes(async || {
            let cpu = cpus()?[0];
            stay_on(cpu)?;
            let mut ebpf = load(object, "typed")?;
            let mut array = AsyncPerfEventArray::try_from(take(&mut ebpf, "TYPED")?)?;
            let mut all = array.open_all(Some(1))?;
            let program = xdp(&mut ebpf, "typed")?;
            for number in 0..SENT {
                run_on(program, &numbered(number), 1)?;
            }
            for number in (0..FIT).chain([SENT]) {
                if number == SENT {
                    assert_eq!(all.buffers().lost(), 0, "told too early");
                    run_on(program, &numbered(SENT), 1)?;
                }
                let record = all.next().await.ok_or("ended")??;
                assert_eq!(record.split::<[u32; 2]>()?.0[1], number);
            }
            assert_eq!(all.buffers().lost(), u64::from(LOST));

            let mut records = vec![Vec::new(); SENT as usize];
            let full = Events { read: FIT as usize, lost: 0 };
            let next = Events { read: 1, lost: LOST as usize };
            run_on(program, &numbered(0), SENT)?;
            assert_eq!(all.read_events(&mut records).await?, full);
            run_on(program, &numbered(0), 1)?;
            assert_eq!(all.read_events(&mut records).await?, next);
            assert_eq!(all.buffers().lost(), u64::from(2 * LOST));

            let mut one = array.open(cpu, Some(1))?;
            run_on(program, &numbered(0), SENT)?;
            assert_eq!(one.read_events(&mut records).await?, full);
            run_on(program, &numbered(0), 1)?;
            assert_eq!(one.read_events(&mut records).await?, next);
            Ok(())
        })
    }

    /// Losses that another event's record made the kernel tell of are counted, and are no record: the task
    /// sleeps on until one comes.
    fn losses_alone_do_not_end_a_wait(object: "channels", since 5, 8) {
        const LOST: u32 = 7;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let cpu = cpus()?[0];
            stay_on(cpu)?;
            let mut ebpf = load(object, "typed")?;
            let mut events = AsyncPerfEventArray::try_from(take(&mut ebpf, "TYPED")?)?.open_all(Some(1))?;
            let program = xdp(&mut ebpf, "typed")?;
            run_on(program, &numbered(1), FIT + LOST)?;
            for _ in 0..FIT {
                events.next().await.ok_or("ended")??;
            }
            let _names = names_are_records(events.buffers().as_raw_fd(), cpu)?;
            prctl::set_name(c"a name")?;
            let mut polls = 0;
            {
                let mut next = pin!(events.next());
                let waiting = std::future::poll_fn(|context| {
                    polls += 1;
                    next.as_mut().poll(context)
                });
                let event = tokio::time::timeout(Duration::from_millis(50), waiting).await;
                assert!(event.is_err(), "{event:?}");
            }
            assert!(polls < 10, "{polls} times in vain");
            assert_eq!(events.buffers().lost(), u64::from(LOST));
            run_on(program, &numbered(2), 1)?;
            let record = tokio::time::timeout(PATIENCE, events.next()).await?.ok_or("ended")??;
            assert_eq!(record.split::<[u32; 2]>()?.0[1], 2);
            Ok(())
        })
    }
}

/// A CPU that goes offline is no error for the reader and leaves what it has sent; one that comes is
/// opened. Where CPUs can be switched off.
#[test]
fn cpus_come_and_go() -> TestResult {
    const NAME: &str = "cpus_come_and_go";
    if let Some(reason) = aya_tests::missing_privilege() {
        return Ok(skip(NAME, reason)?);
    }
    let Some(object) = object("donor", "channels") else {
        return Ok(skip(
            NAME,
            "needs a toolchain for donor mode when it is built",
        )?);
    };
    let online = |cpu: u32| format!("/sys/devices/system/cpu/cpu{cpu}/online");
    let all = cpus()?;
    // Never on a machine that others use.
    let guest = Path::new("/guest/commands").is_dir();
    let last = match all[..] {
        [.., last] if all.len() > 1 && guest && fs::metadata(online(last)).is_ok() => last,
        _ => {
            return Ok(skip(
                NAME,
                "needs a guest with a CPU that can be switched off",
            )?);
        }
    };
    let mut ebpf = load(object, "typed")?;
    let mut buffers = PerfEventArray::try_from(take(&mut ebpf, "TYPED")?)?.open_all(Some(1))?;
    let program = xdp(&mut ebpf, "typed")?;
    let count = |buffers: &mut aya::maps::perf::PerfEventArrayBuffers<_>| {
        let mut seen = 0;
        buffers.for_each(|_, _| seen += 1);
        seen
    };
    stay_on(last)?;
    run_on(program, &numbered(0), 3)?;
    stay_on(all[0])?;
    fs::write(online(last), "0")?;
    assert_eq!(count(&mut buffers), 3, "what was sent before can be read");
    assert!(!buffers.wait(Some(Duration::from_millis(50)))?, "quiet");
    run_on(program, &numbered(0), 2)?;
    assert!(buffers.wait(Some(PATIENCE))?, "the others go on");
    assert_eq!(count(&mut buffers), 2);
    assert!(buffers.refresh()?.is_empty());
    assert!(!buffers.cpus().any(|cpu| cpu == last));
    fs::write(online(last), "1")?;
    assert_eq!(buffers.refresh()?, [last]);
    stay_on(last)?;
    run_on(program, &numbered(0), 4)?;
    assert!(buffers.wait(Some(PATIENCE))?);
    assert_eq!(count(&mut buffers), 4);
    Ok(())
}
