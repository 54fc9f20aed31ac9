//! What it costs to have the kernel's types in Rust: making the source, compiling it.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    time::Instant,
};

use super::{
    Figure,
    measure::{repeated, seconds},
};
use crate::{
    error::{Context as _, Result},
    process,
};

const ROUNDS: usize = 5;

/// What everybody asks for, and what reaches most of a kernel's types.
const TYPE: &str = "task_struct";

pub(super) fn run() -> Result<Vec<Figure>> {
    process::run(process::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "aya-tool",
    ]))?;
    let folder = process::target_dir().join("bench-bindings");
    fs::create_dir_all(&folder).context(folder.display())?;
    let module = folder.join("vmlinux.rs");
    let mut source = Vec::new();
    let mut memory = Vec::new();
    let time = repeated(ROUNDS, || {
        let started = Instant::now();
        let (text, peak) = generate()?;
        source = text;
        memory.push(peak);
        Ok(started.elapsed().as_secs_f64())
    })?;
    fs::File::create(&module)
        .and_then(|mut file| file.write_all(&source))
        .context(module.display())?;
    let compile = repeated(ROUNDS, || {
        seconds(|| {
            let mut rustc = Command::new("rustc");
            rustc.args([
                "--edition=2024",
                "--crate-type=lib",
                "--emit=metadata",
                "-O",
            ]);
            rustc.args(["--cap-lints=allow", "vmlinux.rs"]);
            process::run(rustc.current_dir(&folder))
        })
    })?;
    let figure = |what: String, value, unit: &str, bar| Figure {
        what,
        value,
        unit: unit.to_owned(),
        bar,
    };
    let peak = memory.into_iter().fold(0.0, f64::max);
    Ok(vec![
        figure(format!("bindings to {TYPE}"), time, "s", 1.0),
        figure(format!("bindings to {TYPE}, memory"), peak, "MB", 150.0),
        figure(format!("compiling bindings to {TYPE}"), compile, "s", 3.0),
    ])
}

/// The source, and the most memory that making it took, in megabytes.
fn generate() -> Result<(Vec<u8>, f64)> {
    let program = process::target_dir().join("release/aya-tool");
    let mut tool = Command::new(&program)
        .args(["generate", TYPE])
        .stdout(Stdio::piped())
        .spawn()
        .context(program.display())?;
    let status = format!("/proc/{}/status", tool.id());
    let mut output = tool.stdout.take().ok_or("no output")?;
    let mut text = vec![0];
    // It writes when all is made, and does not end before the rest of that is read.
    output.read_exact(&mut text).context(program.display())?;
    let status = fs::read_to_string(&status).context(&status)?;
    output.read_to_end(&mut text).context(program.display())?;
    if !tool.wait().context(program.display())?.success() {
        return Err(format!("{} failed", program.display()).into());
    }
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next())
        .and_then(|number| number.parse::<f64>().ok())
        .ok_or("no peak of memory in /proc")?;
    Ok((text, kilobytes * 1024.0 / 1e6))
}
