//! Why a perf buffer cannot be used.

use std::{error::Error, fmt, io};

use crate::maps::MapError;

/// Why a buffer could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum PerfBufferError {
    /// The number of pages is no power of two.
    InvalidPageCount {
        /// The number as given.
        page_count: usize,
    },
    /// The perf event could not be opened.
    OpenError {
        /// The kernel's reason.
        io_error: io::Error,
    },
    /// The buffer could not be mapped.
    MMapError {
        /// The kernel's reason.
        io_error: io::Error,
    },
    /// The perf event could not be switched on.
    PerfEventEnableError {
        /// The kernel's reason.
        io_error: io::Error,
    },
    /// The perf event could not be put into the map.
    MapError(MapError),
    /// Another system call failed.
    IOError(io::Error),
}

impl fmt::Display for PerfBufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidPageCount { page_count } => write!(
                f,
                "a perf buffer cannot have {page_count} pages: use a power of two"
            ),
            Self::OpenError { .. } => f.write_str(
                "the perf event could not be opened: it needs CAP_PERFMON (CAP_SYS_ADMIN before \
                 5.8) and a CPU that is online",
            ),
            Self::MMapError { .. } => f.write_str(
                "the perf buffer could not be mapped: use fewer pages, or raise RLIMIT_MEMLOCK or \
                 kernel.perf_event_mlock_kb",
            ),
            Self::PerfEventEnableError { .. } => {
                f.write_str("the perf event could not be switched on")
            }
            Self::MapError(_) => f.write_str("the perf event could not be put into the map"),
            Self::IOError(_) => f.write_str("a system call on the perf buffer failed"),
        }
    }
}

impl Error for PerfBufferError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InvalidPageCount { .. } => None,
            Self::OpenError { io_error }
            | Self::MMapError { io_error }
            | Self::PerfEventEnableError { io_error }
            | Self::IOError(io_error) => Some(io_error),
            Self::MapError(error) => Some(error),
        }
    }
}
