//! What it costs to have the kernel's types in Rust: making the source, compiling it.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    time::Instant,
};

use super::{Figure, measure::repeated};
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
        let before = children_seconds()?;
        let mut rustc = Command::new("rustc");
        rustc.args([
            "--edition=2024",
            "--crate-type=lib",
            "--emit=metadata",
            "-O",
        ]);
        rustc.args(["--cap-lints=allow", "vmlinux.rs"]);
        process::run(rustc.current_dir(&folder))?;
        Ok(children_seconds()? - before)
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
        figure(
            format!("compiling bindings to {TYPE}, processor time"),
            compile,
            "s",
            3.0,
        ),
    ])
}

/// The processor time of this process's children that have ended (`proc_pid_stat(5)`).
fn children_seconds() -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    // The name, in parentheses, may hold spaces; what comes behind it is field 3 and on.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let times: Option<Vec<f64>> = fields
        .split(' ')
        .skip(16 - 3)
        .take(2)
        .map(|ticks| ticks.parse().ok())
        .collect();
    let times = times.filter(|times| times.len() == 2);
    let times = times.ok_or("/proc/self/stat: no times of children")?;
    Ok(times.iter().sum::<f64>() / TICKS_PER_SECOND)
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
