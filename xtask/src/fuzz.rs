//! `cargo xtask fuzz [SECONDS]`: feeds broken objects to `aya-obj` and keeps what breaks it.
//!
//! The work is done by `aya-obj-fuzz`, built with overflow checks. It ends with an input that panics,
//! hangs, or takes too much memory; this command saves the input and starts it again.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash as _, Hasher as _},
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    args::Args,
    error::{Context as _, Result},
    process,
};

/// How long to go on when nothing is said.
const SECONDS: u64 = 60;

/// After so many findings, the rest are most likely the same again.
const FINDINGS: usize = 10;

pub(crate) fn run(mut args: Args) -> Result<()> {
    let seconds = match args.take_word() {
        Some(word) => word.parse().context(format!("`{word}` seconds"))?,
        None => SECONDS,
    };
    args.finish()?;
    let target = process::target_dir().join("fuzz");
    let build = [
        "build",
        "--quiet",
        "--release",
        "--package",
        "aya-obj-fuzz",
        "--target-dir",
    ];
    process::run(
        process::cargo()
            .args(build)
            .arg(&target)
            .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
            .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
    )?;

    let dir = target.join("findings");
    fs::create_dir_all(&dir).context(dir.display())?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut seed = since_epoch.map_or(1, |time| time.as_secs());
    let mut findings = 0;
    while findings < FINDINGS {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        if left == 0 {
            break;
        }
        println!("xtask: fuzzing for {left} s from seed {seed}");
        let program = target.join("release/aya-obj-fuzz");
        let status = Command::new(&program)
            .arg(&dir)
            .args([left.to_string(), seed.to_string()])
            .status()
            .context(program.display())?;
        if status.success() {
            break;
        }
        findings += 1;
        let saved = save(&dir)?;
        println!("xtask: {status} on {saved}");
        seed += 1;
    }
    println!("fuzz: {findings} findings");
    match findings {
        0 => Ok(()),
        _ => Err(format!(
            "{findings} inputs break `aya-obj`; repeat one with `{} {} FILE`",
            target.join("release/aya-obj-fuzz").display(),
            dir.display()
        )
        .into()),
    }
}

/// Puts the input at work aside, under a name of its own.
fn save(dir: &Path) -> Result<String> {
    let input = dir.join("input");
    let data = fs::read(&input).context(input.display())?;
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let saved = dir.join(format!("{:016x}.bin", hasher.finish()));
    fs::write(&saved, data).context(saved.display())?;
    Ok(saved.display().to_string())
}
