//! The benchmarks of `benches/`: prepares the objects and the C peers, runs the program, reads its figures.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::Figure;
use crate::{
    build_ebpf,
    error::{Context as _, Result},
    process, setup,
};

/// The examples whose programs are measured.
const EXAMPLES: [&str; 11] = [
    "xdp-hello",
    "xdp-log",
    "xdp-drop",
    "cgroup-skb-egress",
    "kprobetcp",
    "lsm-nice",
    "packet-payload",
    "process-log",
    "runc-watch",
    "task-alloc",
    "tc-egress",
];
/// The programs of `benches/ebpf`, which do what the C programs of the same names do.
const PAIRS: [&str; 2] = ["drop_by_hash", "probe_argument"];
/// The C programs beside the examples.
const PEERS: [&str; 2] = ["xdp_hello", "xdp_drop"];

const WHY: &str = "for benchmarks against C and libbpf";

/// Runs the benchmark called `name` of `benches/` as root.
pub(super) fn run(name: &str) -> Result<Vec<Figure>> {
    let folder = folder()?;
    for peer in PEERS.into_iter().chain(PAIRS) {
        c_object(&folder, peer)?;
    }
    loader(&folder)?;
    for example in EXAMPLES.into_iter().chain(PAIRS) {
        object(&folder, example)?;
    }
    let program = bench("release", "aya-benches", "")?;
    // As libbpf's programs are linked by default, and as one that needs nothing on the machine.
    for (to, rustflags) in [
        ("aya-load", ""),
        ("aya-load-static", "-Ctarget-feature=+crt-static"),
    ] {
        let loader = bench("small", "aya-load", rustflags)?;
        fs::copy(&loader, folder.join(to)).context(loader.display())?;
    }
    let mut benches = process::as_root(&program.to_string_lossy())?;
    figures(benches.arg(&folder).arg(name))
}

/// Where the objects are for the programs that measure them.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = process::target_dir().join("bench-objects");
    fs::create_dir_all(&folder).context(folder.display())?;
    Ok(folder)
}

/// Builds one of our eBPF programs as `NAME.o`.
pub(super) fn object(folder: &Path, name: &str) -> Result<()> {
    let object = build_ebpf::build(name, None)?;
    let to = folder.join(name.replace('_', "-")).with_extension("o");
    fs::copy(&object, &to).context(object.display())?;
    Ok(())
}

/// Runs a program that measures; prints what it says besides figures.
pub(super) fn figures(program: &mut Command) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for line in process::output(program)?.lines() {
        match figure(line) {
            Some(figure) => figures.push(figure),
            None => println!("{line}"),
        }
    }
    Ok(figures)
}

/// Builds a program of `benches/` and returns its path.
fn bench(profile: &str, name: &str, rustflags: &str) -> Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--package", "aya-benches"]);
    let mut dir = process::target_dir();
    if !rustflags.is_empty() {
        // A folder of its own, so that the others' builds stay.
        dir = dir.join("bench-flags");
        cargo
            .env("RUSTFLAGS", rustflags)
            .env("CARGO_TARGET_DIR", &dir);
    }
    process::run(cargo.args(["--profile", profile, "--bin", name]))?;
    Ok(dir.join(profile).join(name))
}

/// Reads `figure`, what, value, unit and bar, with tabs between them.
fn figure(line: &str) -> Option<Figure> {
    let mut words = line.strip_prefix("figure\t")?.split('\t');
    Some(Figure {
        what: words.next()?.to_owned(),
        value: words.next()?.parse().ok()?,
        unit: words.next()?.to_owned(),
        bar: words.next()?.parse().ok()?,
    })
}

/// Compiles a C program of `benches/c` as `NAME.c.o`.
pub(super) fn c_object(folder: &Path, name: &str) -> Result<()> {
    let clang = setup::clang(WHY)?;
    if !Path::new("/usr/include/bpf/bpf_helpers.h").is_file() {
        process::install_packages(&["libbpf-dev", "libc6-dev"], WHY)?;
    }
    let mut compile = Command::new(&clang);
    compile
        .args(["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-c"])
        .arg(format!(
            "-I/usr/include/{}-linux-gnu",
            std::env::consts::ARCH
        ))
        .arg(format!("-D__TARGET_ARCH_{}", kernel_arch()))
        .arg(c_source(&format!("{name}.bpf.c")))
        .arg("-o")
        .arg(folder.join(format!("{}.c.o", name.replace('_', "-"))));
    process::run(&mut compile)
}

/// Compiles the libbpf loader.
fn loader(folder: &Path) -> Result<()> {
    process::need("cc", "gcc", WHY)?;
    let mut loader = Command::new("cc");
    loader
        .arg("-O2")
        .arg(c_source("load.c"))
        .args(["-lbpf", "-o"])
        .arg(folder.join("load"));
    process::run(&mut loader)
}

fn c_source(file: &str) -> PathBuf {
    process::workspace().join("benches/c").join(file)
}

/// The machine's architecture as the kernel calls it.
fn kernel_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x86",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_figures() {
        let read = figure("figure\tlogged packet\t1.25\tx\t1.1").unwrap();
        assert_eq!(
            (read.what.as_str(), read.value, read.unit.as_str(), read.bar),
            ("logged packet", 1.25, "x", 1.1)
        );
        assert!(figure("ours 3 ns").is_none());
        assert!(figure("figure\tlogged packet\tmuch").is_none());
    }
}
