//! Writing records: a typed reservation in Rust beside the same struct in C.

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
    programs::Xdp,
};
use aya_benches::{Result, figure, stats::Pairs, test_run::test_run};

use crate::Objects;

const RING_BYTES: u32 = 1024 * 1024;
/// Runs per round: as many records fit into the ring.
const REPEAT: u32 = 8_000;
const ROUNDS: usize = 301;

const SILENT: &str = "the kernel does not say how many instructions a program has: 5.16 does";

pub(crate) fn run(objects: &Objects) -> Result<()> {
    let mut ours = Side::new(objects.load(RING_BYTES)?)?;
    let mut peer = Side::new(objects.load_c(RING_BYTES)?)?;
    for (program, what) in [("ring_64", "64-byte record"), ("ring_32", "32-byte record")] {
        let (counts, c) = (ours.counts(program)?, peer.counts(program)?);
        for ((kind, count), (_, c)) in counts.into_iter().zip(c) {
            println!("writing a {what}: {count} {kind} instructions, in C {c}");
            figure(
                &format!("writing a {what}: {kind} instructions beyond C's"),
                f64::from(count) - f64::from(c),
                "",
                3.0,
            );
        }
        let pairs = Pairs::run(ROUNDS, || ours.round(program), || peer.round(program))?;
        println!(
            "writing a {what}: ours {:.2} ns, C {:.2} ns a packet",
            pairs.ours_mean(),
            pairs.peer_mean()
        );
        // The kernel tells whole nanoseconds, so it takes a mean.
        figure(
            &format!("writing a {what}, ours / C"),
            pairs.ours_mean() / pairs.peer_mean(),
            "x",
            1.05,
        );
    }
    Ok(())
}

/// One object's programs with the ring that they write to.
struct Side {
    ebpf: Ebpf,
    ring: RingBuf<MapData>,
}

impl Side {
    fn new(mut ebpf: Ebpf) -> Result<Self> {
        let ring = ebpf.take_map("RECORDS").ok_or("the object has no ring")?;
        let ring = RingBuf::try_from(ring)?;
        Ok(Self { ebpf, ring })
    }

    /// What the kernel made of a program, and what it took to verify it.
    fn counts(&self, program: &str) -> Result<[(&'static str, u32); 2]> {
        let program: &Xdp = self
            .ebpf
            .program(program)
            .ok_or("no such program")?
            .try_into()?;
        let info = program.info()?;
        Ok([
            ("verified", info.verified_instruction_count().ok_or(SILENT)?),
            ("translated", info.size_translated().ok_or(SILENT)? / 8),
        ])
    }

    /// Nanoseconds a packet, after which the ring is empty again.
    fn round(&mut self, program: &str) -> Result<f64> {
        let time = test_run(&mut self.ebpf, program, REPEAT)?;
        let mut records = 0;
        while self.ring.next().is_some() {
            records += 1;
        }
        if records != REPEAT {
            return Err(format!("{records} records of {REPEAT} packets").into());
        }
        Ok(time)
    }
}
