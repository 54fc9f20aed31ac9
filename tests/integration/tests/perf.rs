//! Perf event arrays: records and packets byte for byte, on each CPU, lost ones counted, and readers that
//! wait under tokio and async-std without missing or losing anything.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use async_std::task as std_task;
use aya::{
    Ebpf,
    maps::{
        AsyncPerfEventArray, MapData, PerfEventArray,
        perf::{AsyncPerfEventArrayBuffer, Events, PerfEventArrayBuffer},
    },
    programs::XdpMode,
    util::online_cpus,
};
use aya_netlab::{FAR_ADDRESS, Lab, NEAR, udp_packet};
use aya_tests::{TestResult, frame, in_both_modes, run_on, stay_on, xdp};
use bytes::BytesMut;
use tokio::io::{Interest, unix::AsyncFd};

/// How long a reader that is not woken may hold up a test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A UDP frame whose payload begins with `number`, and has so many bytes.
fn numbered(number: u32, payload: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..payload).map(|at| (at % 251) as u8).collect();
    bytes[..4].copy_from_slice(&number.to_ne_bytes());
    frame(&udp_packet(FAR_ADDRESS, 1, 2, &bytes))
}

/// Loads one program; the object and its array of that name.
fn load(object: &[u8], program: &str, array: &str) -> TestResult<(Ebpf, aya::maps::Map)> {
    let mut ebpf = Ebpf::load(object)?;
    xdp(&mut ebpf, program)?.load()?;
    let map = ebpf.take_map(array).ok_or("no map")?;
    Ok((ebpf, map))
}

type Buffers = Vec<(u32, PerfEventArrayBuffer<MapData>)>;

fn open(map: aya::maps::Map, pages: usize) -> TestResult<Buffers> {
    let mut array = PerfEventArray::try_from(map)?;
    let cpus = online_cpus().map_err(|(_, error)| error)?;
    cpus.into_iter()
        .map(|cpu| Ok((cpu, array.open(cpu, Some(pages))?)))
        .collect()
}

/// The records of a buffer that has no more than ten.
fn records(buffer: &mut PerfEventArrayBuffer<MapData>) -> TestResult<Vec<BytesMut>> {
    let mut records = vec![BytesMut::with_capacity(16); 10];
    let Events { read, lost } = buffer.read_events(&mut records)?;
    assert_eq!(lost, 0);
    records.truncate(read);
    Ok(records)
}

/// The length of a record of which so many bytes are the program's.
fn padded(len: usize) -> usize {
    (len + 4).next_multiple_of(8) - 4
}

/// What a record of program `packet` holds: the header and the packet that it tells the length of.
fn parts(record: &[u8]) -> (u32, &[u8]) {
    let word = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().expect("4 bytes"));
    let (len, number) = (word(0) as usize, word(4));
    assert_eq!(record.len(), padded(8 + len));
    (number, &record[8..8 + len])
}

fn number_of(record: &[u8]) -> u32 {
    u32::from_ne_bytes(record[4..8].try_into().expect("4 bytes"))
}

in_both_modes! {
    /// Whole packets of any length follow their header, in the buffer of the CPU that ran the program.
    fn packets_come_whole_from_each_cpu(object: "channels", since 5, 8) {
        let (mut ebpf, map) = load(object, "packet", "TYPED")?;
        let mut buffers = open(map, 1)?;
        let program = xdp(&mut ebpf, "packet")?;
        for index in 0..buffers.len() {
            stay_on(buffers[index].0)?;
            // Far more than a page in all, so that the end of the buffer falls anywhere.
            for number in 0..100 {
                let packet = numbered(number, 20 + number as usize * 9);
                run_on(program, &packet, 1)?;
                for (place, (_, buffer)) in buffers.iter_mut().enumerate() {
                    let records = records(buffer)?;
                    assert_eq!(records.len(), usize::from(place == index));
                    for record in records {
                        assert_eq!(parts(&record), (number, &packet[..]));
                    }
                }
            }
        }
        Ok(())
    }

    /// Packets of a real wire.
    fn packets_come_from_the_wire(object: "channels", since 5, 8) {
        let lab = Lab::new(&[])?;
        let (mut ebpf, map) = load(object, "packet", "TYPED")?;
        let mut buffers = open(map, 16)?;
        xdp(&mut ebpf, "packet")?.attach(NEAR, XdpMode::default())?;
        for number in 0..10 {
            lab.send_packet(&numbered(number, 40 + number as usize)[14..])?;
        }
        let (mut seen, started) = (Vec::new(), Instant::now());
        while seen.len() < 10 && started.elapsed() < PATIENCE {
            for (_, buffer) in &mut buffers {
                for record in records(buffer)? {
                    let (number, packet) = parts(&record);
                    // The kernel has filled in the headers.
                    assert_eq!(packet[42..], numbered(number, 40 + number as usize)[42..]);
                    seen.push(number);
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        Ok(())
    }

    /// Strings of bytes.
    fn strings_of_bytes(object: "channels", since 5, 8) {
        let (mut ebpf, map) = load(object, "bytes", "BYTES")?;
        let mut buffers = open(map, 1)?;
        let packet = numbered(7, 20);
        run_on(xdp(&mut ebpf, "bytes")?, &packet, 3)?;
        let mut all = Vec::new();
        for (_, buffer) in &mut buffers {
            all.extend(records(buffer)?);
        }
        assert_eq!(all.len(), 3);
        for record in all {
            assert_eq!((record.len(), &record[..5]), (padded(5), &packet[42..47]));
        }
        Ok(())
    }

    /// Records through the buffer at an index: where it is the running CPU's they come, else nothing does.
    fn records_at_an_index(object: "channels", since 5, 8) {
        let (mut ebpf, map) = load(object, "at_index", "TYPED")?;
        let mut typed = open(map, 1)?;
        let mut bytes = open(ebpf.take_map("BYTES").ok_or("no map")?, 1)?;
        let program = xdp(&mut ebpf, "at_index")?;
        let cpus: Vec<_> = typed.iter().map(|(cpu, _)| *cpu).collect();
        for &cpu in &cpus {
            stay_on(cpu)?;
            // One behind the last has no buffer at all.
            for index in cpus.iter().copied().chain([cpus.len() as u32, 1000]) {
                let packet = numbered(index, 20);
                run_on(program, &packet, 1)?;
                for ((own, typed), (_, bytes)) in typed.iter_mut().zip(&mut bytes) {
                    let (typed, bytes) = (records(typed)?, records(bytes)?);
                    let count = usize::from(index == cpu && *own == cpu);
                    assert_eq!((typed.len(), bytes.len()), (count, count), "{index} on {cpu}");
                    assert!(typed.iter().all(|record| parts(record) == (index, &packet[..])));
                    assert!(bytes.iter().all(|record| record[..5] == packet[42..47]));
                }
            }
        }
        Ok(())
    }

    /// Exactly what found no room is counted as lost, and told before the next record; the program is
    /// told why each time.
    fn lost_records_are_counted(object: "channels", since 5, 8) {
        const SENT: u32 = 500;
        let (mut ebpf, map) = load(object, "result", "TYPED")?;
        let program = xdp(&mut ebpf, "result")?;
        let (cpu, packet) = (online_cpus().map_err(|(_, error)| error)?[0], numbered(0, 18));
        stay_on(cpu)?;
        let errno = |errno: nix::errno::Errno| errno as u32;
        assert_eq!(run_on(program, &packet, 1)?, errno(nix::errno::Errno::ENOENT), "no buffer");
        let mut buffers = open(map, 1)?;
        let buffer = &mut buffers[0].1;
        assert_eq!(run_on(program, &numbered(1, 18), 1)?, errno(nix::errno::Errno::EFAULT), "too long");
        assert!(!buffer.readable());

        assert_eq!(run_on(program, &packet, SENT)?, errno(nix::errno::Errno::ENOSPC), "no room");
        let mut records = vec![Vec::new(); SENT as usize];
        let full = buffer.read_events(&mut records)?;
        // A header of 8 bytes and 4 for the length; the kernel keeps a byte free.
        let each = 8 + 4 + padded(8 + packet.len());
        assert_eq!(full, Events { read: (4096 - 1) / each, lost: 0 });
        assert_eq!(run_on(program, &packet, 1)?, 0);
        let next = buffer.read_events(&mut records)?;
        assert_eq!(next, Events { read: 1, lost: SENT as usize - full.read });
        assert_eq!(buffer.read_events(&mut records)?, Events::default());
        Ok(())
    }

    /// Under tokio each record wakes its reader, whenever it comes.
    fn each_record_wakes_under_tokio(object: "channels", since 5, 8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let spawn = |task| drop(tokio::spawn(task));
            tokio::time::timeout(PATIENCE, each_record_wakes(object, &spawn)).await?
        })
    }

    /// Under async-std too.
    fn each_record_wakes_under_async_std(object: "channels", since 5, 8) {
        std_task::block_on(async {
            let spawn = |task| drop(std_task::spawn(task));
            async_std::future::timeout(PATIENCE, each_record_wakes(object, &spawn)).await?
        })
    }

    /// The way without `AsyncPerfEventArray`: the buffer in tokio's own wrapper.
    #[allow(deprecated, reason = "as programs have it")]
    fn each_record_wakes_an_async_fd(object: "channels", since 5, 8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (ebpf, map) = load(object, "typed", "TYPED")?;
            let (sender, read) = mpsc::channel();
            for (_, buffer) in open(map, 1)? {
                let mut buffer = AsyncFd::with_interest(buffer, Interest::READABLE)?;
                let sender = sender.clone();
                tokio::spawn(async move {
                    let mut records = vec![BytesMut::new(); 10];
                    loop {
                        let mut guard = buffer.readable_mut().await.expect("the runtime is there");
                        loop {
                            let events = guard.get_inner_mut().read_events(&mut records);
                            let Events { read, lost } = events.expect("can be read");
                            assert_eq!(lost, 0);
                            for record in records.iter().take(read) {
                                sender.send(number_of(record)).expect("the test listens");
                            }
                            if read != records.len() {
                                break;
                            }
                        }
                        guard.clear_ready();
                    }
                });
            }
            let done = one_at_a_time(ebpf, read);
            tokio::time::timeout(PATIENCE, done).await?
        })
    }

    /// A read that is given up takes nothing with it: no number is missing, none comes twice.
    fn a_read_may_be_given_up(object: "channels", since 5, 8) {
        const SENT: u32 = 60;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (mut ebpf, map) = load(object, "typed", "TYPED")?;
            let cpu = online_cpus().map_err(|(_, error)| error)?[0];
            let mut buffer = AsyncPerfEventArray::try_from(map)?.open(cpu, Some(4))?;
            let producer = thread::spawn(move || {
                let mut sent = || -> TestResult {
                    stay_on(cpu)?;
                    let program = xdp(&mut ebpf, "typed")?;
                    for number in 0..SENT {
                        run_on(program, &numbered(number, 20), 1)?;
                        thread::sleep(Duration::from_millis(2));
                    }
                    Ok(())
                };
                sent().map_err(|error| error.to_string())
            });
            let (mut expected, mut given_up, started) = (0, 0, Instant::now());
            let mut records = vec![BytesMut::new(); 3];
            while expected < SENT {
                let events = tokio::select! {
                    biased;
                    events = buffer.read_events(&mut records) => events,
                    () = tokio::time::sleep(Duration::from_millis(1)) => {
                        given_up += 1;
                        assert!(started.elapsed() < PATIENCE, "{expected} records came");
                        continue;
                    }
                };
                let Events { read, lost } = events?;
                assert_eq!(lost, 0);
                for record in records.iter().take(read) {
                    assert_eq!(number_of(record), expected);
                    expected += 1;
                }
            }
            assert!(given_up > 0);
            Ok(producer.join().map_err(|_| "the producer panicked")??)
        })
    }

    /// A reader that always finds something does not keep the others of its thread waiting.
    fn a_busy_reader_lets_others_run(object: "channels", since 5, 8) {
        const SENT: u32 = 100;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (mut ebpf, map) = load(object, "typed", "TYPED")?;
            let cpu = online_cpus().map_err(|(_, error)| error)?[0];
            stay_on(cpu)?;
            let mut buffer = AsyncPerfEventArray::try_from(map)?.open(cpu, Some(4))?;
            run_on(xdp(&mut ebpf, "typed")?, &numbered(0, 20), SENT)?;
            let other = tokio::spawn(async {});
            let mut record = [BytesMut::new()];
            let mut alone = 0;
            while !other.is_finished() {
                assert_eq!(buffer.read_events(&mut record).await?, Events { read: 1, lost: 0 });
                alone += 1;
            }
            assert!(alone < SENT, "the other task had to wait for all");
            Ok(())
        })
    }
}

/// Opens a buffer for each CPU, has `spawn` run a reader for each, and sends.
async fn each_record_wakes(
    object: &[u8],
    spawn: &dyn Fn(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>),
) -> TestResult {
    let (ebpf, map) = load(object, "typed", "TYPED")?;
    let mut array = AsyncPerfEventArray::try_from(map)?;
    let (sender, read) = mpsc::channel();
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let mut buffer: AsyncPerfEventArrayBuffer<MapData> = array.open(cpu, Some(1))?;
        let sender = sender.clone();
        spawn(Box::pin(async move {
            let mut records = vec![BytesMut::with_capacity(64); 10];
            while let Ok(Events { read, lost }) = buffer.read_events(&mut records).await {
                assert_eq!(lost, 0);
                for record in records.iter().take(read) {
                    // The test may have ended.
                    let _gone = sender.send(number_of(record));
                }
            }
        }));
    }
    one_at_a_time(ebpf, read).await
}

/// Sends a record, waits until it was read, sends the next: each has to wake its reader, which sleeps or
/// is about to, from a CPU that changes. One wake-up that is missed ends it all.
async fn one_at_a_time(mut ebpf: Ebpf, read: mpsc::Receiver<u32>) -> TestResult {
    const MOST: u32 = 1000;
    // Test runs take old kernels long.
    const LONGEST: Duration = Duration::from_secs(3);
    let (done, mut end) = tokio::sync::oneshot::channel::<Result<(), String>>();
    thread::spawn(move || {
        let mut sent = || -> TestResult {
            let cpus = online_cpus().map_err(|(_, error)| error)?;
            let program = xdp(&mut ebpf, "typed")?;
            let started = Instant::now();
            for number in (0..MOST).take_while(|_| started.elapsed() < LONGEST) {
                // Moving takes long; this way both the same CPU and another one come next.
                if number % 8 == 0 {
                    stay_on(cpus[number as usize / 8 % cpus.len()])?;
                }
                run_on(program, &numbered(number, 20), 1)?;
                assert_eq!(read.recv_timeout(PATIENCE)?, number);
            }
            Ok(())
        };
        let _gone = done.send(sent().map_err(|error| error.to_string()));
    });
    Ok((&mut end).await??)
}
