//! What can go wrong with user probes.

use std::{error::Error, fmt, io, path::PathBuf};

use super::ProcMapError;
use crate::programs::ProgramError;

/// Why a program could not be attached to functions of a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum UProbeError {
    /// There are no points to attach to.
    EmptyPoints {
        /// The file.
        target: PathBuf,
    },
    /// The dynamic linker's cache of libraries has a form that this library does not know.
    InvalidLdSoCache {
        /// What is wrong.
        io_error: io::Error,
    },
    /// There is no library or executable of this name.
    InvalidTarget {
        /// The name.
        path: PathBuf,
    },
    /// The symbol does not say where to attach.
    SymbolError {
        /// The symbol.
        symbol: String,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// A program for returns was given an offset in a function.
    OffsetOfReturn {
        /// The function.
        symbol: String,
    },
    /// A file could not be read.
    FileError {
        /// The file.
        filename: PathBuf,
        /// Why.
        io_error: io::Error,
    },
    /// The files that a process has mapped are not known.
    ProcMap {
        /// The process.
        pid: u32,
        /// Why.
        source: ProcMapError,
    },
    /// The kernel takes no probe at this place.
    Refused {
        /// The program's name.
        name: String,
        /// The place, in words.
        event: String,
        /// What the kernel said.
        io_error: io::Error,
    },
    /// One of several points could not be attached to.
    LegacyPerfAttachPointError {
        /// Which one, counted from 0.
        index: usize,
        /// Where it is in the file.
        resolved_offset: u64,
        /// Why.
        attach_error: Box<ProgramError>,
    },
}

impl fmt::Display for UProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyPoints { target } => write!(
                f,
                "{}: no points to attach to: give at least one",
                target.display()
            ),
            Self::InvalidLdSoCache { .. } => f.write_str(
                "/etc/ld.so.cache: its form is unknown: run `ldconfig`, or give the library's path",
            ),
            Self::InvalidTarget { path } => write!(
                f,
                "{}: no such library or executable: give its path",
                path.display()
            ),
            Self::SymbolError { symbol, error } => write!(f, "symbol `{symbol}`: {error}"),
            Self::OffsetOfReturn { symbol } => write!(
                f,
                "symbol `{symbol}`: its return has no offset: pass the symbol alone, or make the \
                 program a `#[uprobe]`"
            ),
            Self::FileError { filename, .. } => write!(
                f,
                "{}: it could not be read as an ELF file: check path and rights",
                filename.display()
            ),
            Self::ProcMap { pid, source } => write!(f, "process {pid}: {source}"),
            Self::Refused { name, event, .. } => write!(
                f,
                "program `{name}`: the kernel takes no probe at {event}: check that an \
                 instruction begins there, and that the file may be read"
            ),
            Self::LegacyPerfAttachPointError {
                index,
                resolved_offset,
                attach_error,
            } => write!(
                f,
                "point {index}, at file offset {resolved_offset:#x}: {attach_error}"
            ),
        }
    }
}

impl Error for UProbeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::EmptyPoints { .. } | Self::InvalidTarget { .. } | Self::OffsetOfReturn { .. } => {
                None
            }
            Self::InvalidLdSoCache { io_error }
            | Self::FileError { io_error, .. }
            | Self::Refused { io_error, .. } => Some(io_error),
            // These speak for themselves above, so their own sources follow.
            Self::SymbolError { error, .. } => error.source(),
            Self::ProcMap { source, .. } => source.source(),
            Self::LegacyPerfAttachPointError { attach_error, .. } => attach_error.source(),
        }
    }
}
