//! Elements of maps: one by one, and all of them.

use std::{cell::Cell, time::Instant};

use aya::{
    maps::{HashMap, Map, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use aya_benches::{
    Result, figure,
    stats::{Pairs, median},
};

use crate::{Objects, allocations, bare, compare, libbpf, sandbox};

/// Of the hash map, which is full.
const ENTRIES: u32 = 100_000;
/// Single operations per round.
const OPERATIONS: u32 = 100;

pub(crate) fn run(objects: &Objects) -> Result<()> {
    let mut ebpf = objects.load(1 << 20)?;
    let mut take = |name| ebpf.take_map(name).ok_or("the object has no such map");
    let (table, counts) = (take("TABLE")?, take("COUNTS")?);
    single(table)?;
    per_cpu(counts)
}

/// Nanoseconds that each of `count` takes; `work` says whether all went well.
fn time(count: u32, mut work: impl FnMut() -> bool) -> Result<f64> {
    let start = Instant::now();
    let well = work();
    let time = start.elapsed();
    if well {
        Ok(time.as_nanos() as f64 / f64::from(count))
    } else {
        Err("a map does not hold what was put into it".into())
    }
}

/// The keys of each round, spread over the whole map: both sides draw from them, so that neither asks for
/// what a round has just brought into the caches.
struct Keys(Cell<u32>);

impl Keys {
    fn next(&self) -> impl Iterator<Item = u32> + use<> {
        let start = self.0.get();
        self.0.set((start + OPERATIONS) % ENTRIES);
        (start..start + OPERATIONS)
            .map(|index| (u64::from(index) * 48_271 % u64::from(ENTRIES)) as u32)
    }
}

fn value_of(key: u32) -> u64 {
    u64::from(key) << 8 | 1
}

fn single(table: Map) -> Result<()> {
    const ROUNDS: usize = 4001;
    let bare = bare::Table::new(table.data())?;
    let peer = libbpf::Table::new(table.data(), 1)?;
    let mut table: HashMap<_, u32, u64> = table.try_into()?;
    for key in 0..ENTRIES {
        table.insert(key, value_of(key), 0)?;
    }
    let keys = Keys(Cell::new(0));
    let pairs = Pairs::run(
        ROUNDS,
        || {
            time(OPERATIONS, || {
                let mut keys = keys.next();
                keys.all(|key| table.get(&key, 0).is_ok_and(|value| value == value_of(key)))
            })
        },
        || {
            time(OPERATIONS, || {
                keys.next().all(|key| bare.get(key) == Some(value_of(key)))
            })
        },
    )?;
    compare("hash map, lookup", "bare bpf(2)", &pairs, 1.05);
    let pairs = Pairs::run(
        ROUNDS,
        || {
            time(OPERATIONS, || {
                let mut keys = keys.next();
                keys.all(|key| table.insert(key, value_of(key), 0).is_ok())
            })
        },
        || {
            time(OPERATIONS, || {
                keys.next().all(|key| bare.set(key, value_of(key)))
            })
        },
    )?;
    compare("hash map, update", "bare bpf(2)", &pairs, 1.05);
    all(&table, &peer)
}

fn all(table: &HashMap<aya::maps::MapData, u32, u64>, peer: &libbpf::Table) -> Result<()> {
    const ROUNDS: usize = 101;
    let expected: u64 = (0..ENTRIES).map(|key| u64::from(key) + value_of(key)).sum();
    let ours = || {
        time(ENTRIES, || {
            let (mut sum, mut well) = (0, true);
            table.iter().for_each(|entry| match entry {
                Ok((key, value)) => sum += u64::from(key) + value,
                Err(_) => well = false,
            });
            well && sum == expected
        })
    };
    let by_batch = |buffers: &mut (Vec<u32>, Vec<u64>)| {
        time(ENTRIES, || {
            peer.sum_by_batch(buffers).is_ok_and(|sum| sum == expected)
        })
    };
    // libbpf leaves the size of a batch to its user: the best one counts.
    let mut best = (f64::INFINITY, 0);
    for size in [1024, 4096, 16_384, 131_072] {
        let mut buffers = (vec![0; size], vec![0; size]);
        let mut times = Vec::new();
        for _ in 0..9 {
            times.push(by_batch(&mut buffers)?);
        }
        let time = median(times);
        println!("hash map, libbpf's batches of {size}: {time:.2} ns an entry");
        if time < best.0 {
            best = (time, size);
        }
    }
    let mut buffers = (vec![0; best.1], vec![0; best.1]);
    let pairs = Pairs::run(ROUNDS, ours, || by_batch(&mut buffers))?;
    compare(
        "hash map, all entries, each",
        "libbpf's batches",
        &pairs,
        1.0,
    );
    // Each round finds the caches as one of its own kind has left them.
    let pairs = Pairs::run(
        ROUNDS,
        || ours().and_then(|_| ours()),
        || time(ENTRIES, || peer.sum_by_key() == expected),
    )?;
    compare("hash map, all entries, each", "key by key", &pairs, 0.166);
    // Nearly all of that is the kernel's time, and how it compares follows the machine's memory.
    let pairs = Pairs::run(
        ROUNDS / 5,
        || by_batch(&mut buffers).and_then(|_| by_batch(&mut buffers)),
        || time(ENTRIES, || peer.sum_by_key() == expected),
    )?;
    println!(
        "hash map, all entries: libbpf's batches take {:.3} of key by key",
        pairs.ratio()
    );
    Ok(())
}

fn per_cpu(counts: Map) -> Result<()> {
    const ELEMENTS: u32 = 16;
    const ROUNDS: usize = 4001;
    let cpus = nr_cpus().map_err(|(_, error)| error)?;
    let peer = libbpf::Table::new(counts.data(), cpus)?;
    let counts: PerCpuArray<_, u64> = counts.try_into()?;
    let mut values = PerCpuValues::new()?;
    let mut get = || {
        (0..OPERATIONS).all(|index| counts.get_into(&(index % ELEMENTS), &mut values, 0).is_ok())
    };
    let alone = sandbox::only_bpf(&mut get)?;
    figure(
        "per-CPU array, get_into: calls the kernel for something else",
        f64::from(!alone),
        "",
        0.0,
    );
    let before = allocations::count();
    if !get() {
        return Err("a per-CPU array has no elements".into());
    }
    figure(
        "per-CPU array, get_into: allocations",
        (allocations::count() - before) as f64,
        "",
        0.0,
    );
    let mut theirs = vec![0; cpus];
    let pairs = Pairs::run(
        ROUNDS,
        || time(OPERATIONS, &mut get),
        || {
            time(OPERATIONS, || {
                (0..OPERATIONS).all(|index| peer.get(index % ELEMENTS, &mut theirs))
            })
        },
    )?;
    compare("per-CPU array, get_into", "libbpf", &pairs, 1.0);
    Ok(())
}
