//! Loading one XDP program, from process start to loaded, beside libbpf with the same object.

use std::{path::Path, process::Command, time::Instant};

use crate::{Objects, Result, figure, stats::Pairs};

const ROUNDS: usize = 101;

pub(crate) fn run(objects: &Objects) -> Result<()> {
    let ours = objects.0.join("aya-load");
    let peer = objects.0.join("load");
    for (example, theirs) in [
        ("xdp-hello", true),
        ("xdp-hello", false),
        ("xdp-drop", false),
    ] {
        let object = objects.path(example, theirs);
        let who = if theirs { "C's" } else { "our" };
        let times = Pairs::run(ROUNDS, || wall(&ours, &object), || wall(&peer, &object))?;
        println!(
            "{who} {example}: ours {:.2} ms, libbpf {:.2} ms",
            times.ours(),
            times.peer()
        );
        figure(
            &format!("{who} {example}: start to loaded, ours / libbpf"),
            times.ratio(),
            "x",
            1.0,
        );
        let memory = Pairs::run(11, || peak(&ours, &object), || peak(&peer, &object))?;
        println!(
            "{who} {example}: ours {:.0} kB, libbpf {:.0} kB",
            memory.ours(),
            memory.peer()
        );
        figure(
            &format!("{who} {example}: peak memory, ours / libbpf"),
            memory.ratio(),
            "x",
            1.0,
        );
    }
    Ok(())
}

/// Milliseconds of the whole process.
fn wall(loader: &Path, object: &Path) -> Result<f64> {
    let start = Instant::now();
    output(loader, object)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// The peak memory that the process itself reports, in kB.
fn peak(loader: &Path, object: &Path) -> Result<f64> {
    let text = output(loader, object)?;
    let number = text
        .split_whitespace()
        .nth(1)
        .ok_or("the loader reported no VmHWM")?;
    Ok(number.parse()?)
}

fn output(loader: &Path, object: &Path) -> Result<String> {
    let output = Command::new(loader).arg(object).output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{}: {}", loader.display(), text.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
