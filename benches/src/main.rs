//! The figures of the project, each with its bar and, where there is one, the peer in the same run.
//!
//! `cargo xtask bench [NAME]` builds the objects and the C peers, then runs this program as
//! `aya-benches OBJECTS [NAME…]`, where `OBJECTS` is a folder with `NAME.o` (ours), `NAME.c.o` (the C peer)
//! and the C loader `load`.

mod ebpf;
mod load;
mod packet;
mod record;

use std::{env, path::PathBuf, process::ExitCode};

use aya_benches::Result;

/// What runs a benchmark.
type Run = fn(&Objects) -> Result<()>;

/// The benchmarks by name.
const BENCHES: &[(&str, Run)] = &[
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
    let mut args = env::args_os().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: aya-benches OBJECTS [NAME…]");
        return ExitCode::from(2);
    };
    let objects = Objects(folder.into());
    let names: Vec<_> = args.collect();
    let mut failed = false;
    for (name, run) in BENCHES {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        if let Err(error) = run(&objects) {
            eprintln!("{name}: {error}");
            failed = true;
        }
    }
    ExitCode::from(u8::from(failed))
}
