//! The programs that documents about Aya print do on a kernel what their document says: each binary is
//! run as its reader runs it, the real event is caused, and what it says and does is checked.

mod cgroup;
mod examples;
mod security;
mod tc;
mod template;
mod tracing;
mod xdp;

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use aya_acceptance::{VARIANTS, seeds, skip, variants, workspace};
use aya_netlab::Running;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const READY_WITHIN: Duration = Duration::from_secs(30);
const QUIET: Duration = Duration::from_millis(200);
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Several programs at a time would see each other's packets and processes.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `check` as [`each_variant`] does, where the kernel has what is at a path.
fn each_variant_with(
    path: &str,
    test: &str,
    name: &str,
    check: impl Fn(&Path) -> Result,
) -> Result {
    if Path::new(path).exists() {
        return each_variant(test, name, check);
    }
    skip(test, &format!("this kernel has no {path}"));
    Ok(())
}

/// Runs `check` with the binary of each variant of a program, by its path.
fn each_variant(test: &str, name: &str, check: impl Fn(&Path) -> Result) -> Result {
    let Some(folder) = binaries()? else {
        skip(
            test,
            "the documents' programs are not on this machine (AYA_SEEDS)",
        );
        return Ok(());
    };
    if !nix::unistd::geteuid().is_root() {
        skip(test, "running it needs root");
        return Ok(());
    }
    let _turn = ONE_AT_A_TIME.lock();
    let mut ran = 0;
    for variant in VARIANTS {
        let binary = folder.join(variant.name()).join(name);
        if binary.is_file() {
            check(&binary).map_err(|error| format!("{name}, {}: {error}", variant.name()))?;
            ran += 1;
        }
    }
    assert!(ran > 0, "{name}: not in {}", folder.display());
    Ok(())
}

/// The folder of all variants' binaries, built here where nobody else has.
fn binaries() -> Result<Option<PathBuf>> {
    if let Some(folder) = env::var_os("AYA_ACCEPTANCE_PROGRAMS") {
        let folder = Path::new(&folder).join("seeds");
        return Ok(folder.is_dir().then_some(folder));
    }
    static BUILT: OnceLock<std::result::Result<Option<PathBuf>, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let Some(sources) = seeds() else {
            return Ok(None);
        };
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for variant in variants() {
            workspace::build(base, &sources, variant)?;
        }
        Ok(Some(workspace::programs(base)))
    });
    Ok(built.clone()?)
}

/// Runs a program until Ctrl-C, `act` when it is ready, and returns what it said.
fn while_running(mut command: Command, act: impl FnOnce(&Running) -> Result) -> Result<Log> {
    command.env("RUST_LOG", "info");
    let mut running = Running::start(command)?;
    let (ready, mut lines) = running.wait_for("Waiting for Ctrl-C", READY_WITHIN)?;
    if !ready {
        return Err(format!("it did not get ready:\n{}", lines.join("\n")).into());
    }
    act(&running)?;
    // What the kernel has handed over takes a moment through the program.
    while let Some(line) = running.line(Instant::now() + QUIET)? {
        lines.push(line);
    }
    let (status, last) = running.interrupt(ENDS_WITHIN)?;
    lines.extend(last);
    if !status.success() {
        return Err(format!("it ended with {status}:\n{}", lines.join("\n")).into());
    }
    Ok(Log(lines))
}

/// What a program said.
struct Log(Vec<String>);

impl Log {
    /// Insists on a number of lines that contain a text.
    fn expect(&self, text: &str, count: usize) -> Result {
        let found = self.0.iter().filter(|line| line.contains(text)).count();
        if found == count {
            Ok(())
        } else {
            let said = self.0.join("\n");
            Err(format!("{found} lines with {text:?} instead of {count}:\n{said}").into())
        }
    }
}
