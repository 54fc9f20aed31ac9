//! What a logged packet costs in the kernel, beside the same record written by C through a ring buffer.
//!
//! Both run through `BPF_PROG_TEST_RUN` in rounds that fit into the ring, which is drained in between.
//! The kernel cuts a round's figure to whole nanoseconds, which is three in a hundred here, so that the
//! mean of many rounds is taken: it varies by more than that. (The time of the whole call says nothing:
//! it waits for RCU.)

use std::{fs, path::Path};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
    programs::Xdp,
};
use aya_benches::{Result, figure, stats::Pairs, test_run::test_run};

use crate::Objects;

/// Runs per round: at most 24 bytes of ring each stay below the smaller ring's 256 KiB.
const REPEAT: u32 = 8_000;
const ROUNDS: usize = 301;

/// Example, program, ring of the C peer.
const EXAMPLES: &[(&str, &str)] = &[("xdp-hello", "xdp_hello"), ("xdp-drop", "xdp_drop")];

pub(crate) fn run(objects: &Objects) -> Result<()> {
    for &(example, program) in EXAMPLES {
        let mut ours = Side::load(&objects.path(example, false), program, "AYA_LOGS")?;
        let mut peer = Side::load(&objects.path(example, true), program, "LOGS")?;
        let pairs = Pairs::run(ROUNDS, || ours.round(), || peer.round())?;
        println!(
            "{example}: ours {:.2} ns, C {:.2} ns a packet",
            pairs.ours_mean(),
            pairs.peer_mean()
        );
        figure(
            &format!("{example}: logged packet, ours / C"),
            pairs.ours_mean() / pairs.peer_mean(),
            "x",
            1.1,
        );
    }
    Ok(())
}

/// One loaded program with its ring.
struct Side {
    ebpf: Ebpf,
    program: String,
    ring: RingBuf<MapData>,
}

impl Side {
    fn load(object: &Path, program: &str, ring: &str) -> Result<Self> {
        let mut ebpf = Ebpf::load(&fs::read(object)?)?;
        let ring = ebpf.take_map(ring).ok_or("the object has no ring buffer")?;
        let ring = RingBuf::try_from(ring)?;
        let xdp: &mut Xdp = ebpf
            .program_mut(program)
            .ok_or("no such program")?
            .try_into()?;
        xdp.load()?;
        Ok(Self {
            ebpf,
            program: program.to_owned(),
            ring,
        })
    }

    /// Nanoseconds a packet, after which the ring is empty again; fails unless every packet left a record.
    fn round(&mut self) -> Result<f64> {
        let time = test_run(&mut self.ebpf, &self.program, REPEAT)?;
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
