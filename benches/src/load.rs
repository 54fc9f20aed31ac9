//! Loading one XDP program, from process start to loaded, beside libbpf with the same object.

use std::{path::Path, process::Command, time::Instant};

use aya_benches::{Result, figure, stats::Pairs};

use crate::Objects;

const ROUNDS: usize = 201;

pub(crate) fn run(objects: &Objects) -> Result<()> {
    let peer = objects.0.join("load");
    for (example, theirs) in [
        ("xdp-hello", true),
        ("xdp-hello", false),
        ("xdp-drop", false),
    ] {
        let object = objects.path(example, theirs);
        let what = format!("{} {example}", if theirs { "C's" } else { "our" });
        let [time, memory] = compare(&objects.0.join("aya-load"), &peer, &object)?;
        print(&what, "dynamic", &time, &memory);
        figure(
            &format!("{what}: start to loaded, ours / libbpf"),
            time.ratio(),
            "x",
            1.0,
        );
        figure(
            &format!("{what}: peak memory, ours / libbpf"),
            memory.ours() / memory.peer(),
            "x",
            1.0,
        );
        // For information: how Rust programs are often shipped, and C's seldom.
        let [time, memory] = compare(&objects.0.join("aya-load-static"), &peer, &object)?;
        print(&what, "static", &time, &memory);
    }
    Ok(())
}

fn print(what: &str, linked: &str, time: &Pairs, memory: &Pairs) {
    println!(
        "{what}: ours ({linked}) {:.2} ms, {:.0} kB; libbpf (dynamic) {:.2} ms, {:.0} kB",
        time.ours(),
        memory.ours(),
        time.peer(),
        memory.peer()
    );
}

/// Time and memory of both loaders. Memory varies by a tenth with the addresses that the kernel
/// chooses: it maps files around a fault in windows of 64 KiB. So it takes as many rounds.
fn compare(ours: &Path, peer: &Path, object: &Path) -> Result<[Pairs; 2]> {
    Ok([
        Pairs::run(ROUNDS, || wall(ours, object), || wall(peer, object))?,
        Pairs::run(ROUNDS, || peak(ours, object), || peak(peer, object))?,
    ])
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
