//! `aya-obj-fuzz DIR SECONDS SEED`: mutates inputs for a while. The input at work lies in
//! `DIR/input`, so that it survives whatever it does to the process: a panic, exhausted memory
//! (both end the process), or a hang (ends it with [`HANG`]).
//!
//! `aya-obj-fuzz DIR FILE…`: runs these inputs.
#![forbid(unsafe_code)]

use std::{
    alloc::System,
    collections::HashSet,
    env, fs,
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
    process::exit,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya_obj_fuzz::{Mutator, Random, fuzz_one, seeds};
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// How long an input may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// How much memory an input may take, beside 64 times its length.
const MEMORY_LIMIT: usize = 64 << 20;

/// The exit status after an input that took too long.
const HANG: i32 = 3;

/// The most inputs that are kept for their outcome.
const CORPUS_LIMIT: usize = 4096;

/// Milliseconds since the start at which the input at work began, plus one; 0: none.
static BEGAN: AtomicU64 = AtomicU64::new(0);

fn run(data: &[u8], start: Instant) -> String {
    let allowed = MEMORY_LIMIT + 64 * data.len();
    let now = start.elapsed().as_millis() as u64;
    BEGAN.store(now + 1, Ordering::Relaxed);
    // What the limit denies ends the process; only what the input itself takes is counted.
    let limit = MEMORY.allocated() + allowed;
    let limited = MEMORY.set_limit(limit);
    let outcome = fuzz_one(data);
    assert!(limited.is_ok() && MEMORY.set_limit(usize::MAX).is_ok());
    BEGAN.store(0, Ordering::Relaxed);
    outcome
}

fn watch(start: Instant) {
    loop {
        thread::sleep(Duration::from_millis(200));
        let began = BEGAN.load(Ordering::Relaxed);
        let now = start.elapsed().as_millis() as u64;
        if began != 0 && now.saturating_sub(began) > TIME_LIMIT.as_millis() as u64 {
            let _ = writeln!(std::io::stderr(), "an input takes more than {TIME_LIMIT:?}");
            exit(HANG);
        }
    }
}

fn fuzz(dir: &Path, seconds: u64, seed: u64) -> std::io::Result<()> {
    let current = fs::File::create(dir.join("input"))?;
    let start = Instant::now();
    thread::spawn(move || watch(start));
    let mut mutator = Mutator {
        random: Random::new(seed),
        corpus: seeds(),
    };
    let mut outcomes: HashSet<String> = HashSet::new();
    for seed in &mutator.corpus {
        outcomes.insert(run(seed, start));
    }
    let mut count = 0u64;
    while start.elapsed().as_secs() < seconds {
        let data = mutator.next_input();
        current.set_len(data.len() as u64)?;
        current.write_all_at(&data, 0)?;
        count += 1;
        if outcomes.insert(run(&data, start)) && mutator.corpus.len() < CORPUS_LIMIT {
            mutator.corpus.push(data);
        }
    }
    println!("{count} inputs, {} outcomes", outcomes.len());
    Ok(())
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let start = Instant::now();
    match arguments.as_slice() {
        [dir, seconds, seed] if seconds.parse::<u64>().is_ok() => {
            let number = |text: &String| text.parse().unwrap_or_default();
            fuzz(Path::new(dir), number(seconds), number(seed))
        }
        [_, files @ ..] if !files.is_empty() => {
            thread::spawn(move || watch(start));
            for file in files {
                println!("{file}: {}", run(&fs::read(file)?, start));
            }
            Ok(())
        }
        _ => {
            eprintln!("usage: aya-obj-fuzz DIR SECONDS SEED | aya-obj-fuzz DIR FILE...");
            exit(2);
        }
    }
}
