//! What the tests that need a kernel share: which tests run where, the eBPF objects, and a log that
//! can be read.
//!
//! A test is written once with [`in_both_modes!`] and runs with the objects of both compiler modes. It
//! states the kernel that brought its feature; on that kernel and newer ones, absence is a failure.
//! Where the test cannot run at all it says so with a line `SKIP: NAME: REASON` on standard error, and
//! libtest counts it as passed; `cargo xtask test` counts it as skipped, or as failed where everything
//! that it needs is there.
#![forbid(unsafe_code)]

pub mod cgroups;
pub mod datagrams;
pub mod elements;
pub mod probes;
pub mod tracing;

use std::{
    error::Error,
    fs, io,
    io::Write as _,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use aya::programs::{TestRun as _, TestRunOptions, Xdp, loaded_links, loaded_programs};
use nix::{sched, unistd::Pid};

/// What a test returns.
pub type TestResult<T = ()> = Result<T, Box<dyn Error>>;

/// All objects that this build has: mode, name, bytes.
const OBJECTS: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// An eBPF object of `tests/ebpf` in one compiler mode, if this build has it.
#[must_use]
pub fn object(mode: &str, name: &str) -> Option<&'static [u8]> {
    OBJECTS
        .iter()
        .find(|row| (row.0, row.1) == (mode, name))
        .map(|row| row.2)
}

/// The names of all objects that this build has in a mode.
pub fn objects(mode: &str) -> impl Iterator<Item = &'static str> {
    OBJECTS
        .iter()
        .filter(move |row| row.0 == mode)
        .map(|row| row.1)
}

/// Says that a test does not run, past libtest's capture.
///
/// # Errors
/// When standard error is closed.
pub fn skip(name: &str, reason: &str) -> io::Result<()> {
    io::stderr().write_all(format!("SKIP: {name}: {reason}\n").as_bytes())
}

/// Why nothing of a kernel can be tested here, if that is so.
#[must_use]
pub fn missing_privilege() -> Option<&'static str> {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if effective.unwrap_or(0) & CAP_SYS_ADMIN == 0 {
        return Some("needs root (CAP_SYS_ADMIN)");
    }
    match loaded_programs().next() {
        Some(Err(_)) => Some("needs bpf(2), which this machine does not permit"),
        Some(Ok(_)) | None => None,
    }
}

/// The running kernel's version.
///
/// # Errors
/// When `uname(2)` gives no version.
pub fn kernel() -> TestResult<(u32, u32)> {
    let name = nix::sys::utsname::uname()?;
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(format!("`{release}` is no kernel version").into()),
    }
}

/// True if the running kernel has what version `major.minor` brought; else the test has been skipped.
///
/// # Errors
/// When the version cannot be had.
pub fn require_kernel(test: &str, (major, minor): (u32, u32)) -> TestResult<bool> {
    let new_enough = kernel()? >= (major, minor);
    if !new_enough {
        skip(test, &format!("needs kernel {major}.{minor}"))?;
    }
    Ok(new_enough)
}

/// Runs a test with the object of one mode, or skips it.
///
/// # Errors
/// Those of the test.
pub fn run(
    (test, mode): (&str, &str),
    binary: &str,
    since: (u32, u32),
    body: fn(&'static [u8]) -> TestResult,
) -> TestResult {
    let name = format!("{test}::{mode}");
    if let Some(reason) = missing_privilege() {
        return Ok(skip(&name, reason)?);
    }
    if !require_kernel(&name, since)? {
        return Ok(());
    }
    match object(mode, binary) {
        Some(object) => body(object),
        None => Ok(skip(
            &name,
            &format!("needs a toolchain for {mode} mode when it is built"),
        )?),
    }
}

/// Defines tests that run with an object in both modes, on kernels since a version:
///
/// ```text
/// in_both_modes! {
///     /// What must hold.
///     fn name(object: "binary", since 5.8) { … }
/// }
/// ```
#[macro_export]
macro_rules! in_both_modes {
    ($($(#[$attribute:meta])* fn $name:ident($object:ident: $binary:literal, since $major:literal, $minor:literal) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "not each test uses everything")]
            use super::*;

            fn body($object: &'static [u8]) -> $crate::TestResult $body

            #[test]
            fn donor() -> $crate::TestResult {
                $crate::run((stringify!($name), "donor"), $binary, ($major, $minor), body)
            }

            #[test]
            fn native() -> $crate::TestResult {
                $crate::run((stringify!($name), "native"), $binary, ($major, $minor), body)
            }
        }
    )*};
}

/// One message of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its level.
    pub level: log::Level,
    /// Its target.
    pub target: String,
    /// The file of the statement.
    pub file: String,
    /// The line of the statement.
    pub line: u32,
    /// The text.
    pub text: String,
}

/// A logger that keeps what it is given.
#[derive(Debug, Default, Clone)]
pub struct Recorder(Arc<Mutex<Vec<Message>>>);

impl Recorder {
    /// Takes what has been logged so far.
    #[must_use]
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Message {
                level: record.level(),
                target: record.target().to_owned(),
                file: record.file().unwrap_or_default().to_owned(),
                line: record.line().unwrap_or_default(),
                text: record.args().to_string(),
            });
    }

    fn flush(&self) {}
}

/// Ethernet and IPv4 in front of a packet made by [`aya_netlab::udp_packet`], for test runs.
#[must_use]
pub fn frame(packet: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    [&HEADER, packet].concat()
}

/// Runs a program so many times on a packet; what it returned the last time.
///
/// # Errors
/// When the kernel refuses.
pub fn run_on(program: &Xdp, packet: &[u8], repeat: u32) -> TestResult<u32> {
    let options = TestRunOptions {
        data_in: Some(packet),
        repeat,
        ..TestRunOptions::default()
    };
    Ok(program.test_run(options)?.return_value)
}

/// Keeps the calling thread on one CPU, which is where test runs of its programs happen then.
///
/// # Errors
/// When there is no such CPU.
pub fn stay_on(cpu: u32) -> TestResult {
    let mut set = sched::CpuSet::new();
    set.set(usize::try_from(cpu)?)?;
    Ok(sched::sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// The XDP program called `name`.
///
/// # Errors
/// When the object has none.
pub fn xdp<'a>(ebpf: &'a mut aya::Ebpf, name: &str) -> TestResult<&'a mut Xdp> {
    Ok(ebpf
        .program_mut(name)
        .ok_or_else(|| format!("no program {name}"))?
        .try_into()?)
}

/// The program called `name`, as the type that the caller wants.
///
/// # Errors
/// When the object has none, or one of another type.
pub fn program<'a, P>(ebpf: &'a mut aya::Ebpf, name: &str) -> TestResult<&'a mut P>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = aya::programs::ProgramError>,
{
    Ok(ebpf
        .program_mut(name)
        .ok_or_else(|| format!("no program {name}"))?
        .try_into()?)
}

/// The map called `name`, as the handle that the caller wants.
///
/// # Errors
/// When the object has none, or one of another type.
pub fn map<'a, M>(ebpf: &'a mut aya::Ebpf, name: &str) -> TestResult<M>
where
    M: TryFrom<&'a mut aya::maps::Map, Error = aya::maps::MapError>,
{
    let map = ebpf.map_mut(name).ok_or_else(|| format!("no map {name}"))?;
    Ok(M::try_from(map)?)
}

/// Whether something can be pinned; else the test has been skipped.
///
/// # Errors
/// When the mounts cannot be read.
pub fn can_pin(test: &str) -> TestResult<bool> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let can = mounts
        .lines()
        .any(|line| line.contains(" /sys/fs/bpf bpf "));
    if !can {
        skip(
            test,
            "needs a BPF file system: `mount -t bpf bpf /sys/fs/bpf`",
        )?;
    }
    Ok(can)
}

/// A path to pin `what` at that nobody else has: tests run side by side, in both modes.
#[must_use]
pub fn pin_path(what: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("/sys/fs/bpf/aya-tests-{}-{number}-{what}", process::id()).into()
}

/// What exists in the kernel and in this process, to be compared before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Ids of loaded programs.
    pub programs: Vec<u32>,
    /// How many links there are.
    pub links: usize,
    /// This process's open files.
    pub files: usize,
    /// What is pinned.
    pub pins: Vec<PathBuf>,
}

impl Inventory {
    /// Takes stock now.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn take() -> TestResult<Self> {
        let mut programs = Vec::new();
        for program in loaded_programs() {
            programs.push(program?.id());
        }
        let links = loaded_links().count();
        let files = fs::read_dir("/proc/self/fd")?.count();
        let mut pins = Vec::new();
        for entry in fs::read_dir("/sys/fs/bpf")? {
            pins.push(entry?.path());
        }
        pins.sort();
        Ok(Self {
            programs,
            links,
            files,
            pins,
        })
    }

    /// Waits until everything is as it was: the kernel frees programs some time after their last use.
    ///
    /// # Errors
    /// When something is still there after five seconds.
    pub fn expect(&self, when: &str) -> TestResult {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let now = Self::take()?;
            if now == *self {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{when}: before {self:?}, now {now:?}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
