//! What maps and channels cost in user space, and what records cost in programs, beside libbpf and
//! beside bare bpf(2).
//!
//! `cargo xtask bench maps` builds the objects and runs this program as `aya-benches-maps OBJECTS`,
//! where `OBJECTS` is a folder with `records.o` (ours) and `records.c.o` (C).
//!
//! | figure | ours | peer |
//! | --- | --- | --- |
//! | draining a ring buffer | `RingBuf` | `ring_buffer__consume` |
//! | draining perf buffers | `PerfEventArrayBuffer::for_each` | `perf_buffer__consume` |
//! | writing a record in a program | `RingBuf::reserve` of a type | `bpf_ringbuf_reserve` of a struct |
//! | one element of a hash map | `HashMap::get`, `insert` | a loop of bpf(2) |
//! | one element of a per-CPU array | `PerCpuArray::get_into` | `bpf_map_lookup_elem` |
//! | all of a hash map | `HashMap::iter` | `bpf_map_lookup_batch`, and key by key |
//!
//! The peer is libbpf's C interface, built from the source that `libbpf-rs` brings along, called
//! directly: nothing stands between it and the figures. What `libbpf-rs` itself takes is printed beside.
//! Both sides run in this process, on the same kind of map or on the same one, by turns in short rounds; a
//! ratio is the median of the rounds' ratios, so that what disturbs a round, or a stretch of them, does
//! not decide. Beside the medians stand the least times, which are what there is without disturbance.

mod allocations;
mod bare;
mod channels;
mod elements;
mod libbpf;
mod programs;
mod sandbox;

use std::{path::PathBuf, process::ExitCode};

use aya::{Ebpf, EbpfLoader, programs::Xdp};
use aya_benches::{
    Result, figure,
    parts::{self, Part},
    stats::Pairs,
};

/// The parts by name.
const PARTS: &[Part<Objects>] = &[
    ("channels", channels::run),
    ("programs", programs::run),
    ("elements", elements::run),
];

/// The folder of the objects.
struct Objects(PathBuf);

impl Objects {
    /// Our object, whose ring buffer has `ring_bytes`, with all its programs in the kernel.
    fn load(&self, ring_bytes: u32) -> Result<Ebpf> {
        self.load_file("records.o", ring_bytes)
    }

    /// The C one.
    fn load_c(&self, ring_bytes: u32) -> Result<Ebpf> {
        self.load_file("records.c.o", ring_bytes)
    }

    fn load_file(&self, file: &str, ring_bytes: u32) -> Result<Ebpf> {
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("RECORDS", ring_bytes)
            .load_file(self.0.join(file))?;
        for (_, program) in ebpf.programs_mut() {
            let program: &mut Xdp = program.try_into()?;
            program.load()?;
        }
        Ok(ebpf)
    }
}

/// Prints both sides' times and the ratio as a figure.
fn compare(what: &str, peer: &str, pairs: &Pairs, bar: f64) {
    let (ours, theirs) = pairs.least();
    println!(
        "{what}: ours {:.2} ns (least {ours:.2}), {peer} {:.2} ns (least {theirs:.2})",
        pairs.ours(),
        pairs.peer()
    );
    // Runs agree to a hundredth of the bar, no more.
    let ratio = (pairs.ratio() / bar * 100.0).round() / 100.0 * bar;
    figure(&format!("{what}, ours / {peer}"), ratio, "x", bar);
}

fn main() -> ExitCode {
    parts::run("aya-benches-maps", Objects, PARTS)
}
