//! Reading records: a ring buffer's and a perf buffer's, filled before.

use std::{fs, time::Instant};

use aya::{
    Ebpf,
    maps::{
        Map, MapData, PerfEventArray, RingBuf,
        perf::{PerfEvent, PerfEventArrayBuffer},
    },
    util::online_cpus,
};
use aya_benches::{Result, figure, stats::Pairs, test_run::test_run};

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
        while let Some(record) = self.next() {
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
            reader: reader(map)?,
            allocations: 0,
        })
    }

    /// Nanoseconds a record, of `records`; fails unless all are read.
    fn round(&mut self, records: u32) -> Result<f64> {
        test_run(&mut self.ebpf, self.program, records)?;
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

pub(crate) fn run(objects: &Objects) -> Result<()> {
    // As many as fit, with their headers of 8 bytes. 14 MiB are beyond the second cache, 200 KiB in it.
    ring(objects, "64-byte records", "ring_64", 16 * MIB, 200_000, 41)?;
    ring(
        objects,
        "32-byte records in cache",
        "ring_32",
        MIB / 4,
        5_000,
        401,
    )?;
    perf(objects)?;
    memory(objects)
}

fn ring(
    objects: &Objects,
    what: &str,
    program: &'static str,
    bytes: u32,
    records: u32,
    rounds: usize,
) -> Result<()> {
    let from = ("RECORDS", program);
    let mut ours = Side::new(objects.load(bytes)?, from, |map| {
        Ok(RingBuf::try_from(map)?)
    })?;
    let mut peer = Side::new(objects.load(bytes)?, from, |map| {
        libbpf::RingBuffer::new(map.data())
    })?;
    let pairs = Pairs::run(rounds, || ours.round(records), || peer.round(records))?;
    compare(&format!("ring buffer, {what}"), "libbpf", &pairs, 0.909);
    figure(
        &format!("ring buffer, {what}: allocations"),
        ours.allocations as f64,
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
