//! Perf events: counters of the CPU and the kernel, and breakpoints.
//!
//! A [`PerfEvent`] program runs whenever a counter has counted as far as its [`SamplePolicy`] says.
//!
//! Since kernel 4.9; bpf_link since 5.15, on older kernels attached through the event's descriptor. Either
//! way the kernel takes the program off when the process ends, however it ends.
//!
//! ```no_run
//! use aya::{
//!     Ebpf,
//!     programs::perf_event::{
//!         PerfEvent, PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
//!     },
//!     util::online_cpus,
//! };
//!
//! let mut ebpf = Ebpf::load_file("profile.o")?;
//! let program: &mut PerfEvent = ebpf.program_mut("profile").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! // All processes, 99 times a second on each CPU.
//! for cpu in online_cpus().map_err(|(_, error)| error)? {
//!     program.attach(
//!         PerfEventConfig::Software(SoftwareEvent::CpuClock),
//!         PerfEventScope::AllProcessesOneCpu { cpu },
//!         SamplePolicy::Frequency(99),
//!         false,
//!     )?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use aya_sys::{
    Errno,
    perf::{self, Scope, bits},
};
use aya_uapi::bindings::{perf_event_attr, perf_type_id};

use crate::{
    attach::perf::{self as attach, Target},
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, kinds},
};

pub use super::PerfEvent;

/// The link of a [`PerfEvent`] program to its event; dropping it detaches the program.
pub type PerfEventLink = TypedLink<kinds::PerfEvent>;

/// Names a [`PerfEventLink`] among those of its program.
pub type PerfEventLinkId = TypedLinkId<kinds::PerfEvent>;

/// Defines an enumeration whose numbers are the kernel's.
macro_rules! numbered {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl From<$name> for u64 {
            fn from(value: $name) -> Self {
                value as u32 as Self
            }
        }
    )*};
}

numbered! {
    /// Counters that most CPUs have. Virtual machines seldom do.
    HardwareEvent {
        /// Cycles of the CPU, at its present speed.
        CpuCycles = 0,
        /// Instructions that were completed.
        Instructions = 1,
        /// Accesses to the cache, mostly that of the last level.
        CacheReferences = 2,
        /// Accesses that found nothing in the cache.
        CacheMisses = 3,
        /// Branches that were completed.
        BranchInstructions = 4,
        /// Branches that were predicted wrongly.
        BranchMisses = 5,
        /// Cycles of the bus.
        BusCycles = 6,
        /// Cycles in which no instruction was issued.
        StalledCyclesFrontend = 7,
        /// Cycles in which no instruction was completed.
        StalledCyclesBackend = 8,
        /// Cycles at a constant speed.
        RefCpuCycles = 9,
    }
    /// What the kernel counts itself; every machine has these.
    SoftwareEvent {
        /// A clock of the CPU, in nanoseconds.
        CpuClock = 0,
        /// A clock that runs while the task does, in nanoseconds.
        TaskClock = 1,
        /// Page faults of both kinds.
        PageFaults = 2,
        /// Switches to another task.
        ContextSwitches = 3,
        /// Moves of a task to another CPU.
        CpuMigrations = 4,
        /// Page faults without reading from disk.
        PageFaultsMin = 5,
        /// Page faults that read from disk.
        PageFaultsMaj = 6,
        /// Accesses that the kernel had to align.
        AlignmentFaults = 7,
        /// Instructions that the kernel had to emulate.
        EmulationFaults = 8,
        /// Nothing.
        Dummy = 9,
        /// Output of eBPF programs; never occurs by itself.
        BpfOutput = 10,
        /// Switches to a task of another cgroup. Since kernel 5.13.
        CgroupSwitches = 11,
    }
    /// Caches of the CPU.
    HwCacheEvent {
        /// Data, first level.
        L1d = 0,
        /// Instructions, first level.
        L1i = 1,
        /// Last level.
        Ll = 2,
        /// Translations of data addresses.
        Dtlb = 3,
        /// Translations of instruction addresses.
        Itlb = 4,
        /// Branch predictions.
        Bpu = 5,
        /// Memory of the node.
        Node = 6,
    }
    /// What is done with a cache.
    HwCacheOp {
        /// Reading.
        Read = 0,
        /// Writing.
        Write = 1,
        /// Reading ahead.
        Prefetch = 2,
    }
    /// What comes of it.
    HwCacheResult {
        /// Whatever does.
        Access = 0,
        /// The cache did not have it.
        Miss = 1,
    }
    /// The accesses that a data breakpoint waits for.
    PerfBreakpointType {
        /// Reading; not on x86, which has no such breakpoints.
        Read = 1,
        /// Writing.
        Write = 2,
        /// Both.
        ReadWrite = 3,
    }
    /// Bytes that a data breakpoint watches.
    PerfBreakpointLength {
        /// One.
        Len1 = 1,
        /// Two.
        Len2 = 2,
        /// Four.
        Len4 = 4,
        /// Eight.
        Len8 = 8,
    }
}

/// A place in memory to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakpointConfig {
    /// Reading or writing.
    Data {
        /// Reading, writing or both.
        r#type: PerfBreakpointType,
        /// The first byte, a multiple of the length.
        address: u64,
        /// Bytes.
        length: PerfBreakpointLength,
    },
    /// Executing.
    Instruction {
        /// The instruction's address.
        address: u64,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PerfEventConfig {
    /// An event of a device that the kernel lists in `/sys/bus/event_source/devices`.
    Pmu {
        /// The device's number, from its file `type`.
        pmu_type: u32,
        /// The event, as the device's folders `events` and `format` describe it.
        config: u64,
    },
    /// A counter of the CPU.
    Hardware(HardwareEvent),
    /// A counter of the kernel.
    Software(SoftwareEvent),
    /// A tracepoint by number. The kernel gives it to programs of type [`TracePoint`](super::TracePoint)
    /// alone.
    TracePoint {
        /// The number from the event's file `id`.
        event_id: u64,
    },
    /// A cache of the CPU.
    HwCache {
        /// Which.
        event: HwCacheEvent,
        /// What is done with it.
        operation: HwCacheOp,
        /// What comes of it.
        result: HwCacheResult,
    },
    /// A counter of the CPU by the number that the CPU's manual gives it.
    Raw {
        /// The number.
        event_id: u64,
    },
    /// A breakpoint.
    Breakpoint(BreakpointConfig),
}

/// Where it is counted.
///
/// "Process" is what the kernel's documentation calls it: one thread, and with `inherit` the threads and
/// processes that it starts from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PerfEventScope {
    /// The thread that attaches.
    CallingProcess {
        /// On this CPU, or on all.
        cpu: Option<u32>,
    },
    /// One thread; a process's number is that of its first.
    OneProcess {
        /// Its number.
        pid: u32,
        /// On this CPU, or on all.
        cpu: Option<u32>,
    },
    /// Everything on one CPU. Needs `CAP_PERFMON`, or `CAP_SYS_ADMIN` before kernel 5.8.
    AllProcessesOneCpu {
        /// The CPU.
        cpu: u32,
    },
}

/// How often the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SamplePolicy {
    /// Each time when so many have been counted; with 0 never.
    Period(u64),
    /// About so many times a second, up to `kernel.perf_event_max_sample_rate`.
    Frequency(u64),
}

impl PerfEventConfig {
    /// As the kernel takes it.
    fn attr(self) -> perf_event_attr {
        let event = |type_, config| perf_event_attr {
            type_,
            config,
            ..perf_event_attr::ZEROED
        };
        let breakpoint = |bp_type, bp_addr, bp_len| perf_event_attr {
            bp_type,
            bp_addr,
            bp_len,
            ..event(perf_type_id::PERF_TYPE_BREAKPOINT, 0)
        };
        match self {
            Self::Pmu { pmu_type, config } => event(pmu_type, config),
            Self::Hardware(counter) => event(perf_type_id::PERF_TYPE_HARDWARE, counter.into()),
            Self::Software(counter) => event(perf_type_id::PERF_TYPE_SOFTWARE, counter.into()),
            Self::TracePoint { event_id } => event(perf_type_id::PERF_TYPE_TRACEPOINT, event_id),
            Self::Raw { event_id } => event(perf_type_id::PERF_TYPE_RAW, event_id),
            Self::HwCache {
                event: cache,
                operation,
                result,
            } => event(
                perf_type_id::PERF_TYPE_HW_CACHE,
                u64::from(cache) | u64::from(operation) << 8 | u64::from(result) << 16,
            ),
            Self::Breakpoint(BreakpointConfig::Data {
                r#type,
                address,
                length,
            }) => breakpoint(r#type as u32, address, length.into()),
            Self::Breakpoint(BreakpointConfig::Instruction { address }) => {
                // The kernel asks for the size of C's `long` here, whatever the instruction's.
                breakpoint(EXECUTE, address, size_of::<usize>() as u64)
            }
        }
    }

    /// For messages.
    fn name(self) -> String {
        match self {
            Self::Pmu { pmu_type, config } => format!("event {config:#x} of device {pmu_type}"),
            Self::Hardware(counter) => format!("hardware event `{counter:?}`"),
            Self::Software(counter) => format!("software event `{counter:?}`"),
            Self::TracePoint { event_id } => format!("tracepoint number {event_id}"),
            Self::HwCache {
                event,
                operation,
                result,
            } => format!("hardware event `{event:?} {operation:?} {result:?}`"),
            Self::Raw { event_id } => format!("hardware event number {event_id:#x}"),
            Self::Breakpoint(
                BreakpointConfig::Data { address, .. } | BreakpointConfig::Instruction { address },
            ) => format!("a breakpoint at {address:#x}"),
        }
    }
}

/// `HW_BREAKPOINT_X`.
const EXECUTE: u32 = 4;

impl PerfEventScope {
    fn scope(self) -> Scope {
        /// How perf_event_open(2) calls the thread that makes the call.
        const CALLER: u32 = 0;
        let on = |pid, cpu: Option<u32>| match cpu {
            Some(cpu) => Scope::ProcessOnCpu(pid, cpu),
            None => Scope::Process(pid),
        };
        match self {
            Self::CallingProcess { cpu } => on(CALLER, cpu),
            Self::OneProcess { pid, cpu } => on(pid, cpu),
            Self::AllProcessesOneCpu { cpu } => Scope::Cpu(cpu),
        }
    }

    fn cpu(self) -> Option<u32> {
        match self {
            Self::CallingProcess { cpu } | Self::OneProcess { cpu, .. } => cpu,
            Self::AllProcessesOneCpu { cpu } => Some(cpu),
        }
    }
}

impl PerfEvent {
    /// Runs the program on overflows of a counter, which is opened for it.
    ///
    /// With `inherit` the threads and processes that a counted one starts are counted too.
    ///
    /// # Errors
    ///
    /// When the program is not loaded; [`ProgramError::EventRefused`] when there is no such event, CPU or
    /// process; [`ProgramError::MissingPrivilege`].
    pub fn attach(
        &mut self,
        config: PerfEventConfig,
        scope: PerfEventScope,
        sample_policy: SamplePolicy,
        inherit: bool,
    ) -> Result<PerfEventLinkId, ProgramError> {
        self.attach_to(config, scope, sample_policy, inherit, None)
    }

    /// As [`attach`](Self::attach), with a number that `bpf_get_attach_cookie` gives the program. Since
    /// kernel 5.15.
    ///
    /// # Errors
    ///
    /// As there, and [`ProgramError::AttachCookieNotSupported`].
    pub fn attach_with_cookie(
        &mut self,
        config: PerfEventConfig,
        scope: PerfEventScope,
        sample_policy: SamplePolicy,
        inherit: bool,
        cookie: u64,
    ) -> Result<PerfEventLinkId, ProgramError> {
        self.attach_to(config, scope, sample_policy, inherit, Some(cookie))
    }

    fn attach_to(
        &mut self,
        config: PerfEventConfig,
        scope: PerfEventScope,
        sample_policy: SamplePolicy,
        inherit: bool,
        cookie: Option<u64>,
    ) -> Result<PerfEventLinkId, ProgramError> {
        let program = self.fd()?;
        // Nothing is counted before the program is there.
        let mut attr = perf_event_attr {
            bits: bits::DISABLED,
            ..config.attr()
        };
        if inherit {
            attr.bits |= bits::INHERIT;
        }
        match sample_policy {
            SamplePolicy::Period(period) => attr.sample_period = period,
            SamplePolicy::Frequency(frequency) => {
                attr.bits |= bits::FREQ;
                // The same place in the structure: `sample_freq`.
                attr.sample_period = frequency;
            }
        }
        let target = Target {
            program: self.name(),
            event: &config.name(),
        };
        let refused = |error| refused(target, config, scope, sample_policy, error);
        let event = perf::open(&attr, scope.scope()).map_err(refused)?;
        let attachment = attach::attach(&self.features(), program, target, event, cookie)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }
}

/// The error that says what to do about an event that could not be opened.
fn refused(
    target: Target<'_>,
    config: PerfEventConfig,
    scope: PerfEventScope,
    sample_policy: SamplePolicy,
    error: aya_sys::Error,
) -> ProgramError {
    use PerfEventConfig::{Breakpoint, Hardware, HwCache, Pmu, Raw};

    let is_there = |cpu| aya_sys::online_cpus().map_or(true, |online| online.contains(&cpu));
    let remedy = match (error.errno, config) {
        (Errno::EPERM | Errno::EACCES, _) => return attach::explain(target, error),
        _ if !scope.cpu().is_none_or(is_there) => {
            "the CPU is not online: choose one of `/sys/devices/system/cpu/online`"
        }
        (Errno::ENOENT | Errno::EOPNOTSUPP, Hardware(_) | HwCache { .. } | Raw { .. }) => {
            "this machine has no such counter, as most virtual ones: use a software event"
        }
        (Errno::ENOENT, Pmu { .. }) => {
            "no device has this number: take it from `/sys/bus/event_source/devices/NAME/type`"
        }
        (Errno::ENOSPC, Breakpoint(_)) => "all breakpoints of the CPU are in use: detach one",
        (Errno::EINVAL, Breakpoint(_)) => {
            "this CPU has no such breakpoint: check that the address is a multiple of the length"
        }
        (Errno::EINVAL, _) if matches!(sample_policy, SamplePolicy::Frequency(_)) => {
            "check that the frequency is not above `sysctl kernel.perf_event_max_sample_rate`"
        }
        _ => return attach::explain(target, error),
    };
    ProgramError::EventRefused {
        name: target.program.to_owned(),
        event: target.event.to_owned(),
        remedy,
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_as_the_kernel_takes_them() {
        let attr = |config: PerfEventConfig| {
            let attr = config.attr();
            (attr.type_, attr.config)
        };
        let hardware = PerfEventConfig::Hardware(HardwareEvent::CacheMisses);
        assert_eq!(attr(hardware), (0, 3));
        let software = PerfEventConfig::Software(SoftwareEvent::PageFaults);
        assert_eq!(attr(software), (1, 2));
        assert_eq!(attr(PerfEventConfig::TracePoint { event_id: 7 }), (2, 7));
        let cache = PerfEventConfig::HwCache {
            event: HwCacheEvent::Dtlb,
            operation: HwCacheOp::Write,
            result: HwCacheResult::Miss,
        };
        assert_eq!(attr(cache), (3, 0x1_0103));
        assert_eq!(attr(PerfEventConfig::Raw { event_id: 0x1c2 }), (4, 0x1c2));
        let (pmu_type, config) = (9, 1 << 40);
        assert_eq!(attr(PerfEventConfig::Pmu { pmu_type, config }), (9, config));
        let data = PerfEventConfig::Breakpoint(BreakpointConfig::Data {
            r#type: PerfBreakpointType::Write,
            address: 0x1000,
            length: PerfBreakpointLength::Len4,
        });
        let attr = data.attr();
        assert_eq!((attr.type_, attr.config), (5, 0));
        assert_eq!((attr.bp_type, attr.bp_addr, attr.bp_len), (2, 0x1000, 4));
    }
}
