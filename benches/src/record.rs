//! What reading and formatting one log record costs in user space.

use std::{fmt::Write as _, fs, sync::Mutex, time::Instant};

use aya::{Ebpf, programs::Xdp};
use aya_benches::{Result, figure, stats::median, test_run::test_run};
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

use crate::Objects;

const REPEAT: u32 = 8_000;
const ROUNDS: usize = 51;

/// Example, program.
const EXAMPLES: &[(&str, &str)] = &[
    ("xdp-hello", "xdp_hello"),
    ("xdp-log", "xdp_log"),
    ("xdp-drop", "xdp_drop"),
];

/// Formats what it is given into one line and counts it, so that no formatting is skipped.
#[derive(Default)]
struct Formatter(Mutex<(String, u32)>);

impl Log for &Formatter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if let Ok(mut line) = self.0.lock() {
            line.0.clear();
            // Writing to a `String` cannot fail.
            let _ = line.0.write_fmt(*record.args());
            line.1 += 1;
        }
    }

    fn flush(&self) {}
}

pub(crate) fn run(objects: &Objects) -> Result<()> {
    log::set_max_level(log::LevelFilter::Trace);
    for &(example, program) in EXAMPLES {
        let formatter = Formatter::default();
        let mut ebpf = Ebpf::load(&fs::read(objects.path(example, false))?)?;
        let mut logger = EbpfLogger::init_with_logger(&mut ebpf, &formatter)?;
        let xdp: &mut Xdp = ebpf
            .program_mut(program)
            .ok_or("no such program")?
            .try_into()?;
        xdp.load()?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            test_run(&mut ebpf, program, REPEAT)?;
            let before = formatter.0.lock().map_err(|_| "poisoned")?.1;
            let start = Instant::now();
            logger.flush();
            let time = start.elapsed();
            let line = formatter.0.lock().map_err(|_| "poisoned")?;
            if line.1 - before != REPEAT {
                return Err(format!("{} lines of {REPEAT} packets", line.1 - before).into());
            }
            times.push(time.as_nanos() as f64 / f64::from(REPEAT));
        }
        let line = formatter.0.lock().map_err(|_| "poisoned")?.0.clone();
        println!("{example}: {line:?}");
        figure(
            &format!("{example}: read and format one record"),
            median(times),
            "ns",
            100.0,
        );
    }
    Ok(())
}
