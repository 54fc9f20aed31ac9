//! `cargo xtask bench`: figures, each next to the bar that it must hold. A new benchmark is a row of
//! [`BENCHMARKS`] and a module with its code.
//!
//! What is compared is measured in the same run and by turns, so that a machine
//! that gets slower meanwhile slows both down.

mod bindings;
mod build;
mod maps;
pub(crate) mod measure;
mod programs;

use std::fmt;

use crate::{
    args::Args,
    error::{Error, Result},
};

/// A group of figures that are measured together.
struct Benchmark {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<Vec<Figure>>,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "ebpf",
        about: "what the examples' programs cost: slots, bytes, the verifier's work, JIT code",
        run: || programs::run("ebpf"),
    },
    Benchmark {
        name: "packet",
        about: "what a logged packet costs in the kernel, beside C",
        run: || programs::run("packet"),
    },
    Benchmark {
        name: "record",
        about: "what reading and formatting a log record costs",
        run: || programs::run("record"),
    },
    Benchmark {
        name: "load",
        about: "from process start to a loaded program, beside libbpf",
        run: || programs::run("load"),
    },
    Benchmark {
        name: "maps",
        about: "what maps and channels cost, beside libbpf and bare bpf(2)",
        run: maps::run,
    },
    Benchmark {
        name: "build",
        about: "how long building and linking take",
        run: build::run,
    },
    Benchmark {
        name: "bindings",
        about: "what the kernel's types in Rust cost: making them, compiling them",
        run: bindings::run,
    },
];

/// One measured figure.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    /// The figure must not be above this.
    pub(crate) bar: f64,
}

impl Figure {
    fn holds(&self) -> bool {
        self.value <= self.bar
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            value,
            unit,
            bar,
        } = self;
        let verdict = if self.holds() { "" } else { "  TOO MUCH" };
        write!(
            f,
            "{what:<60} {value:>9.2} {unit:<8} (at most {bar}){verdict}"
        )
    }
}

pub(crate) fn run(mut args: Args) -> Result<()> {
    let name = args.take_word();
    args.finish()?;
    let chosen = |benchmark: &&Benchmark| name.as_ref().is_none_or(|name| benchmark.name == name);
    let mut figures = Vec::new();
    for benchmark in BENCHMARKS.iter().filter(chosen) {
        println!("xtask: {}: {}", benchmark.name, benchmark.about);
        for figure in (benchmark.run)()? {
            println!("{figure}");
            figures.push(figure);
        }
    }
    if figures.is_empty() {
        let names: Vec<_> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
        return Err(Error::new(format!(
            "no such benchmark; there are: {}",
            names.join(", ")
        )));
    }
    match figures.iter().filter(|figure| !figure.holds()).count() {
        0 => Ok(()),
        count => Err(format!("{count} of {} figures are above their bars", figures.len()).into()),
    }
}
