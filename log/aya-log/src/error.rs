//! What can go wrong when a logger is made.

use std::{fmt, io};

use aya::{
    maps::{MapError, perf::PerfBufferError},
    programs::ProgramError,
};
use aya_log_common::descriptor::DescriptorError;

/// Why the logs of an eBPF program cannot be received.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The object has no map `AYA_LOGS`.
    MapNotFound,
    /// The map `AYA_LOGS` cannot be used.
    MapError(MapError),
    /// There is no program with the given id.
    ProgramNotFound,
    /// The program cannot be looked at.
    ProgramError(ProgramError),
    /// The texts of the log statements are not at hand: the object has no section `.aya.log`, or
    /// the program was loaded without it.
    DescriptorsNotFound,
    /// The section `.aya.log` cannot be read.
    DescriptorError(DescriptorError),
    /// The format string of a statement cannot be used.
    Format {
        /// The statement: an offset in section `.aya.log`.
        id: u32,
        /// The format string.
        format: Box<str>,
    },
    /// A CPU's perf buffer cannot be opened.
    PerfBufferError(PerfBufferError),
    /// The machine's CPUs cannot be listed, or waiting for them all cannot be set up.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapNotFound => write!(
                f,
                "map `AYA_LOGS`: not in the object: it has no log statement, or another logger took the map; \
                 add `info!(&ctx, …)` of aya-log-ebpf, or make one logger only"
            ),
            Self::MapError(_) => write!(
                f,
                "map `AYA_LOGS`: cannot be read: build the eBPF program with the aya-log-ebpf that goes with this aya-log"
            ),
            Self::ProgramNotFound => {
                write!(
                    f,
                    "eBPF program: there is none with this id: see `bpftool prog`"
                )
            }
            Self::ProgramError(_) => {
                write!(
                    f,
                    "eBPF program: cannot be looked at: run with CAP_SYS_ADMIN"
                )
            }
            Self::DescriptorsNotFound => write!(
                f,
                "section `.aya.log`: not at hand, so the texts of the log statements are unknown: \
                 make the logger with `EbpfLogger::init` in the process that loads the object"
            ),
            Self::DescriptorError(_) => write!(
                f,
                "section `.aya.log`: cannot be read: build the eBPF program with the aya-log-ebpf that goes with this aya-log"
            ),
            Self::Format { id, format } => write!(
                f,
                "log statement {id}: cannot use the format string {format:?}: build the eBPF program with the \
                 aya-log-ebpf that goes with this aya-log"
            ),
            Self::PerfBufferError(_) => {
                write!(
                    f,
                    "map `AYA_LOGS`: a CPU's buffer cannot be opened: run with CAP_PERFMON"
                )
            }
            Self::Io(_) => write!(
                f,
                "map `AYA_LOGS`: the CPUs' buffers cannot be waited for: check that /sys is mounted"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::MapError(error) => Some(error),
            Self::ProgramError(error) => Some(error),
            Self::DescriptorError(error) => Some(error),
            Self::PerfBufferError(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::MapNotFound
            | Self::ProgramNotFound
            | Self::DescriptorsNotFound
            | Self::Format { .. } => None,
        }
    }
}

impl From<MapError> for Error {
    fn from(error: MapError) -> Self {
        Self::MapError(error)
    }
}
