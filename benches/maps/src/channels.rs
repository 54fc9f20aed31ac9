//! Reading records: a ring buffer's and a perf buffer's, filled before.

use std::{fs, os::fd::AsFd as _, time::Instant};

use aya::{
    Ebpf,
    maps::{
        Map, MapData, PerfEventArray, RingBuf,
        perf::{PerfEvent, PerfEventArrayBuffer},
    },
    util::online_cpus,
};
use aya_benches::{
    Result, figure,
    stats::{Pairs, median},
    test_run::test_run,
};
use aya_sys::{mmap::Mmap, page_size};

use crate::{Objects, allocations, compare, libbpf};

const MIB: u32 = 1024 * 1024;
/// Of each CPU's perf buffer.
const PAGES: usize = 1024;

/// What was read. Each record's number is 1.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sum {
    records: u64,
    numbers: u64,
}

impl Sum {
    #[inline(always)]
    pub(crate) fn add(&mut self, record: &[u8]) {
        self.records += 1;
        if let Some(number) = record.first_chunk() {
            self.numbers += u64::from_ne_bytes(*number);
        }
    }
}

/// A reader that reads everything that is there.
pub(crate) trait Drain {
    fn drain(&mut self) -> Sum;
}

impl Drain for RingBuf<MapData> {
    fn drain(&mut self) -> Sum {
        let mut sum = Sum::default();
        self.for_each(|record| sum.add(&record));
        sum
    }
}

/// The same record by record.
struct ByNext(RingBuf<MapData>);

impl Drain for ByNext {
    fn drain(&mut self) -> Sum {
        let mut sum = Sum::default();
        while let Some(record) = self.0.next() {
            sum.add(&record);
        }
        sum
    }
}

impl Drain for Vec<PerfEventArrayBuffer<MapData>> {
    fn drain(&mut self) -> Sum {
        let mut sum = Sum::default();
        for buffer in self {
            buffer.for_each(|event| {
                if let PerfEvent::Sample { head, tail } = event {
                    // One that is in two parts is put together, as libbpf does.
                    match tail {
                        [] => sum.add(head),
                        _ => sum.add(&[head, tail].concat()),
                    }
                }
            });
        }
        sum
    }
}

/// A program that sends one record a packet, and who reads them.
struct Side<R> {
    ebpf: Ebpf,
    program: &'static str,
    reader: R,
    /// The ring's data, where it is to be in the cache when it is read.
    data: Option<RingData>,
    /// Of the reader's, in all rounds.
    allocations: u64,
}

impl<R: Drain> Side<R> {
    fn new(
        mut ebpf: Ebpf,
        (map, program): (&str, &'static str),
        reader: impl FnOnce(Map) -> Result<R>,
    ) -> Result<Self> {
        let map = ebpf.take_map(map).ok_or("the object has no such map")?;
        Ok(Self {
            ebpf,
            program,
            data: None,
            reader: reader(map)?,
            allocations: 0,
        })
    }

    /// Of the ring buffer `case.program` sends to.
    fn ring(objects: &Objects, case: &Case, reader: impl FnOnce(Map) -> Result<R>) -> Result<Self> {
        let mut data = None;
        let mut side = Self::new(
            objects.load(case.bytes)?,
            ("RECORDS", case.program),
            |map| {
                if case.in_cache {
                    data = Some(RingData::map(map.data())?);
                }
                reader(map)
            },
        )?;
        side.data = data;
        Ok(side)
    }

    /// Nanoseconds a record, of `records`; fails unless all are read.
    fn round(&mut self, records: u32) -> Result<f64> {
        test_run(&mut self.ebpf, self.program, records)?;
        if let Some(data) = &self.data {
            data.touch();
        }
        let before = allocations::count();
        let start = Instant::now();
        let sum = self.reader.drain();
        let time = start.elapsed();
        self.allocations += allocations::count() - before;
        let all = u64::from(records);
        if (sum.records, sum.numbers) != (all, all) {
            return Err(format!("{sum:?} of {records} records").into());
        }
        Ok(time.as_nanos() as f64 / f64::from(records))
    }
}

/// A ring buffer's data, mapped once more.
struct RingData(Mmap);

impl RingData {
    fn map(ring: &MapData) -> Result<Self> {
        let len = ring.shape().max_entries as usize;
        // Behind the pages of the positions.
        let map = Mmap::new(ring.fd().as_fd(), 2 * page_size(), len, false)?;
        Ok(Self(map))
    }

    /// Brings it into this CPU's cache. Between the programs' end and now other processes have run.
    fn touch(&self) {
        for offset in (0..self.0.len()).step_by(64) {
            // SAFETY: inside of the mapping; no program is running that writes to it.
            unsafe { self.0.as_ptr().add(offset).read_volatile() };
        }
    }
}

/// How a ring buffer is filled.
struct Case {
    what: &'static str,
    program: &'static str,
    /// The ring's size.
    bytes: u32,
    /// As many as fit, with their headers of 8 bytes.
    records: u32,
    in_cache: bool,
    rounds: usize,
}

const CASES: &[Case] = &[
    Case {
        what: "64-byte records",
        program: "ring_64",
        bytes: 16 * MIB,
        records: 200_000,
        in_cache: false,
        rounds: 41,
    },
    Case {
        what: "32-byte records in cache",
        program: "ring_32",
        bytes: MIB / 4,
        records: 6_000,
        in_cache: true,
        rounds: 401,
    },
];

pub(crate) fn run(objects: &Objects) -> Result<()> {
    for case in CASES {
        ring(objects, case)?;
    }
    perf(objects)?;
    memory(objects)
}

/// Drains a ring buffer, by both of our ways.
fn ring(objects: &Objects, case: &Case) -> Result<()> {
    let (records, rounds) = (case.records, case.rounds);
    let what = format!("ring buffer, {}", case.what);
    let open = |map| Ok(RingBuf::try_from(map)?);
    let mut all = Side::ring(objects, case, open)?;
    let mut each = Side::ring(objects, case, |map| Ok(ByNext(open(map)?)))?;
    let mut peer = Side::ring(objects, case, |map| libbpf::RingBuffer::new(map.data()))?;
    let mut safe = Side::ring(objects, case, |map| libbpf::SafeRingBuffer::new(map.data()))?;
    let pairs = Pairs::run(rounds, || all.round(records), || peer.round(records))?;
    compare(&format!("{what}, for_each"), "libbpf", &pairs, 0.909);
    let pairs = Pairs::run(rounds, || each.round(records), || peer.round(records))?;
    compare(&format!("{what}, next"), "libbpf", &pairs, 0.909);
    let times = (0..rounds).map(|_| safe.round(records));
    let times = times.collect::<Result<Vec<_>>>()?;
    println!("{what}: libbpf-rs {:.2} ns", median(times));
    figure(
        &format!("{what}: allocations"),
        (all.allocations + each.allocations) as f64,
        "",
        0.0,
    );
    Ok(())
}

fn perf(objects: &Objects) -> Result<()> {
    const RECORDS: u32 = 40_000;
    const ROUNDS: usize = 101;
    let from = ("EVENTS", "perf_64");
    let mut ours = Side::new(objects.load(MIB)?, from, |map| {
        let mut array = PerfEventArray::try_from(map)?;
        let cpus = online_cpus().map_err(|(_, error)| error)?;
        let buffers = cpus.into_iter().map(|cpu| array.open(cpu, Some(PAGES)));
        Ok(buffers.collect::<std::result::Result<Vec<_>, _>>()?)
    })?;
    let mut peer = Side::new(objects.load(MIB)?, from, |map| {
        libbpf::PerfBuffer::new(map.data(), PAGES)
    })?;
    let pairs = Pairs::run(ROUNDS, || ours.round(RECORDS), || peer.round(RECORDS))?;
    compare("perf buffer, 64-byte records", "libbpf", &pairs, 1.0);
    Ok(())
}

/// What a million records leave behind in this process's memory.
fn memory(objects: &Objects) -> Result<()> {
    const RECORDS: u32 = 20_000;
    const ROUNDS: u32 = 50;
    let mut ours = Side::new(objects.load(2 * MIB)?, ("RECORDS", "ring_64"), |map| {
        Ok(RingBuf::try_from(map)?)
    })?;
    ours.round(RECORDS)?;
    let before = resident_kilobytes()?;
    for _ in 0..ROUNDS {
        ours.round(RECORDS)?;
    }
    figure(
        "ring buffer: resident memory that 1,000,000 records leave",
        resident_kilobytes()? - before,
        "kB",
        16.0,
    );
    Ok(())
}

/// What this process has in memory, to the page.
fn resident_kilobytes() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let number = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.split_whitespace().next())
        .ok_or("/proc/self/smaps_rollup has no Rss")?;
    Ok(number.parse()?)
}
