//! The figures of the project, each with its bar and, where there is one, the peer in the same run.
//!
//! `cargo xtask bench [NAME]` builds the objects and the C peers, then runs this program as
//! `aya-benches OBJECTS [NAME…]`, where `OBJECTS` is a folder with `NAME.o` (ours), `NAME.c.o` (the C peer)
//! and the C loader `load`.

mod ebpf;
mod load;
mod packet;
mod record;

use std::{path::PathBuf, process::ExitCode};

use aya_benches::parts::{self, Part};

/// The benchmarks by name.
const BENCHES: &[Part<Objects>] = &[
    ("ebpf", ebpf::run),
    ("packet", packet::run),
    ("record", record::run),
    ("load", load::run),
];

/// The folder that the benchmarks' inputs were put into.
#[derive(Debug)]
struct Objects(PathBuf);

impl Objects {
    /// The object of an example, or of its C peer.
    fn path(&self, name: &str, peer: bool) -> PathBuf {
        self.0
            .join(format!("{name}{}", if peer { ".c.o" } else { ".o" }))
    }
}

fn main() -> ExitCode {
    parts::run("aya-benches", Objects, BENCHES)
}
