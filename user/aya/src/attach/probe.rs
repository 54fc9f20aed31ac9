//! Probes: perf events that are made for a function of the kernel or an instruction of a file.
//!
//! Since kernel 4.17 they are opened directly, from a device that the kernel lists in sysfs, and go
//! with their descriptor. On older kernels, or without sysfs, a probe is first written into a list in
//! tracefs, which makes it a trace event with a name, and the name has to be taken out of the list
//! again. A killed process cannot do that, so names tell whose they are, and whoever makes the next
//! one takes out those of dead processes.

use std::{
    ffi::CString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use aya_sys::{
    Errno,
    perf::{self, Scope},
};
use aya_uapi::bindings::{perf_event_attr, perf_type_id};

use crate::{
    attach::perf::{Target, attach, explain},
    features::{Feature, Features},
    links::{Attachment, Hook},
    privilege,
    programs::{ProgramError, ProgramFd},
    resolve::tracefs,
    sys::SyscallError,
};

/// The two kinds of probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// On functions of the kernel.
    Kprobe,
    /// On instructions of files.
    Uprobe,
}

impl Device {
    /// As the kernel calls it in sysfs and, with `_events` behind, in tracefs.
    const fn name(self) -> &'static str {
        match self {
            Self::Kprobe => "kprobe",
            Self::Uprobe => "uprobe",
        }
    }
}

/// Where a probe goes.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) device: Device,
    /// Whether it waits for the function's return.
    pub(crate) returns: bool,
    /// The function's name, or the file's path.
    pub(crate) place: CString,
    /// Behind the function's first byte, or the file's.
    pub(crate) offset: u64,
    pub(crate) scope: Scope,
}

/// All processes: a probe in the kernel or a file is hit on whatever CPU, so any that is online will
/// do for its event.
pub(crate) fn everywhere() -> Scope {
    let cpus = aya_sys::online_cpus().unwrap_or_default();
    Scope::Cpu(cpus.first().copied().unwrap_or_default())
}

/// Why a probe could not be attached.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The kernel does not take a probe at this place.
    Place(io::Error),
    /// It has nothing to do with the place.
    Other(ProgramError),
}

impl From<ProgramError> for Refusal {
    fn from(error: ProgramError) -> Self {
        Self::Other(error)
    }
}

/// Runs the program whenever the probe is hit.
pub(crate) fn attach_probe(
    features: &Features,
    program: &ProgramFd,
    target: Target<'_>,
    probe: &Probe,
    cookie: Option<u64>,
) -> Result<Attachment, Refusal> {
    if features.may_have(Feature::ProbeDevice) {
        match Pmu::of(probe.device) {
            Ok(device) => {
                let event = refused(target, device.open(probe))?;
                return Ok(attach(features, program, target, event, cookie)?);
            }
            Err(error) => log::debug!("no device for probes, trying tracefs: {error}"),
        }
    }
    let event = TraceEvent::create(target, probe)?;
    let opened = perf::open(&event.attr, probe.scope);
    let attachment = attach(features, program, target, refused(target, opened)?, cookie)?;
    Ok(Attachment::hook(Named {
        _attachment: attachment,
        _event: event,
    }))
}

/// Tells refusals of a place from those of a process.
fn refused(target: Target<'_>, opened: aya_sys::Result<OwnedFd>) -> Result<OwnedFd, Refusal> {
    opened.map_err(|error| match error.errno {
        Errno::EPERM | Errno::EACCES | Errno::EMFILE | Errno::ESRCH | Errno::ENODEV => {
            Refusal::Other(explain(target, error))
        }
        _ => Refusal::Place(error.into()),
    })
}

/// The device that makes probes: its number, and the bit that asks for returns.
#[derive(Debug)]
struct Pmu {
    number: u32,
    return_bit: u32,
}

impl Pmu {
    fn of(device: Device) -> io::Result<Self> {
        let device = PathBuf::from("/sys/bus/event_source/devices").join(device.name());
        let number = fs::read_to_string(device.join("type"))?;
        // `config:0`
        let bit = fs::read_to_string(device.join("format/retprobe"))?;
        let bit = bit.trim().strip_prefix("config:").unwrap_or_default();
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        Ok(Self {
            number: number.trim().parse().map_err(invalid)?,
            return_bit: bit.parse().map_err(invalid)?,
        })
    }

    fn open(&self, probe: &Probe) -> aya_sys::Result<OwnedFd> {
        let attr = perf_event_attr {
            type_: self.number,
            config: u64::from(probe.returns).wrapping_shl(self.return_bit),
            // In a probe's event these two are `kprobe_func` or `uprobe_path`, and `probe_offset`.
            bp_addr: probe.place.as_ptr() as u64,
            bp_len: probe.offset,
            ..perf_event_attr::ZEROED
        };
        perf::open(&attr, probe.scope)
    }
}

/// A probe with a name in tracefs. First the program goes and with it the event's descriptor, then the
/// name, which the kernel keeps while the event is open.
#[derive(Debug)]
struct Named {
    _attachment: Attachment,
    _event: TraceEvent,
}

impl Hook for Named {
    fn detach(&self) -> Result<(), ProgramError> {
        // The fields do so, in their order, as soon as the caller drops this.
        Ok(())
    }
}

/// A name in a list of tracefs, taken out on drop.
#[derive(Debug)]
struct TraceEvent {
    list: PathBuf,
    name: String,
    attr: perf_event_attr,
}

/// The category of all names of this library.
const CATEGORY: &str = "aya";

impl TraceEvent {
    fn create(target: Target<'_>, probe: &Probe) -> Result<Self, Refusal> {
        let other = |error| Refusal::Other(of_tracefs(target, error));
        let root = tracefs::root().map_err(other)?;
        let list = root.join(format!("{}_events", probe.device.name()));
        let place = probe.place.to_string_lossy();
        if place.contains(char::is_whitespace) || place.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Refusal::Place(io::Error::new(
                io::ErrorKind::InvalidInput,
                "tracefs takes no spaces: make a link without",
            )));
        }
        let owner = Owner::this().map_err(other)?;
        remove_stale(&list, &owner);

        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{owner}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let kind = if probe.returns { 'r' } else { 'p' };
        let offset = probe.offset;
        let definition = match probe.device {
            Device::Kprobe if offset == 0 => format!("{kind}:{CATEGORY}/{name} {place}"),
            Device::Kprobe => format!("{kind}:{CATEGORY}/{name} {place}+{offset}"),
            Device::Uprobe => format!("{kind}:{CATEGORY}/{name} {place}:{offset:#x}"),
        };
        write_line(&list, &definition).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => other(error),
            _ => Refusal::Place(error),
        })?;
        // From here on the name goes when this is dropped.
        let mut event = Self {
            list,
            name,
            attr: perf_event_attr {
                type_: perf_type_id::PERF_TYPE_TRACEPOINT,
                ..perf_event_attr::ZEROED
            },
        };
        event.attr.config = tracefs::event_id(CATEGORY, &event.name).map_err(other)?;
        Ok(event)
    }
}

/// The error of a file that has nothing to do with the place of a probe.
fn of_tracefs(target: Target<'_>, io_error: io::Error) -> ProgramError {
    match io_error.kind() {
        io::ErrorKind::PermissionDenied => ProgramError::MissingPrivilege {
            name: target.program.to_owned(),
            needed: privilege::TRACEFS,
            source: SyscallError {
                call: "tracefs",
                io_error,
            },
        },
        _ => ProgramError::IOError(io_error),
    }
}

impl Drop for TraceEvent {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.list, &self.name) {
            log::warn!("the probe event `{CATEGORY}/{}` stays: {error}", self.name);
        }
    }
}

/// Adds to or takes out of a list: the kernel acts on each line that is appended.
fn write_line(list: &PathBuf, line: &str) -> io::Result<()> {
    let mut list = OpenOptions::new().append(true).open(list)?;
    list.write_all(line.as_bytes())
}

fn remove(list: &PathBuf, name: &str) -> io::Result<()> {
    write_line(list, &format!("-:{CATEGORY}/{name}"))
}

/// Takes out what processes left that were killed. Only those of the same namespace are looked at:
/// others cannot be told to be dead.
fn remove_stale(list: &PathBuf, this: &Owner) {
    let Ok(text) = fs::read_to_string(list) else {
        return;
    };
    for name in text.lines().filter_map(|line| {
        // `p:aya/NAME PLACE …`
        let (_, rest) = line.split_once(':')?;
        rest.split_whitespace()
            .next()?
            .strip_prefix(CATEGORY)?
            .strip_prefix('/')
    }) {
        let Some(owner) = Owner::parse(name) else {
            continue;
        };
        if owner.namespace == this.namespace && owner.is_dead() {
            // Another process may have been faster.
            if let Err(error) = remove(list, name) {
                log::debug!("the probe event `{CATEGORY}/{name}` of a dead process stays: {error}");
            }
        }
    }
}

/// The process that a name belongs to; with its start, because numbers are used again.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    /// Inode of the namespace in which the process has its number.
    namespace: u64,
    pid: u32,
    /// Clock ticks between the system's start and the process's.
    start: u64,
}

impl Owner {
    fn this() -> io::Result<Self> {
        let pid = process::id();
        Ok(Self {
            namespace: fs::metadata("/proc/self/ns/pid")?.ino(),
            pid,
            start: start(pid)?,
        })
    }

    /// Of `NAMESPACE_PID_START_NUMBER`.
    fn parse(name: &str) -> Option<Self> {
        let mut words = name.split('_').skip(1).map(str::parse);
        let mut next = || words.next()?.ok();
        let (namespace, pid, start) = (next()?, next()?, next()?);
        let pid = u32::try_from(pid).ok()?;
        Some(Self {
            namespace,
            pid,
            start,
        })
    }

    fn is_dead(&self) -> bool {
        match start(self.pid) {
            Ok(start) => start != self.start,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "probe_{}_{}_{}", self.namespace, self.pid, self.start)
    }
}

/// When a process started, which `/proc/PID/stat` says as the twentieth word behind its name.
fn start(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, behind) = stat.rsplit_once(')').unwrap_or_default();
    let start = behind.split_whitespace().nth(19);
    start
        .and_then(|start| start.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_owner() {
        let this = Owner::this().expect("proc is mounted");
        let name = format!("{this}_7");
        assert!(name.len() < 64, "the kernel's limit");
        assert_eq!(Owner::parse(&name).as_ref(), Some(&this));
        assert!(!this.is_dead());
        let earlier = Owner {
            start: this.start.wrapping_sub(1),
            ..this
        };
        assert!(earlier.is_dead(), "its number was used again");
        for other in [
            "",
            "probe",
            "probe_1",
            "probe_1_x_3_4",
            "probe_1_99999999999_3_4",
        ] {
            assert_eq!(Owner::parse(other), None, "{other}");
        }
    }
}
