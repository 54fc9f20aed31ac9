//! What can go wrong when an object is loaded.

use std::{error::Error, fmt, io, path::PathBuf};

use crate::{btf::BtfError, maps::MapError, programs::ProgramError, sys::SyscallError};

/// Why an object could not be loaded.
#[derive(Debug)]
#[non_exhaustive]
pub enum EbpfError {
    /// The object's file cannot be read.
    FileError {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The bytes are no eBPF object that can be understood.
    ParseError(aya_obj::Error),
    /// The object's parts do not fit together, this kernel, or what the loader was told.
    RelocationError(aya_obj::Error),
    /// The object needs the kernel's type information.
    BtfError(BtfError),
    /// A map could not be created or opened.
    MapError(MapError),
    /// A program of the object could not be used: nothing that loading an object returns, but what
    /// functions that load an object and its programs convert to with `?`.
    ProgramError(ProgramError),
    /// The process may not load eBPF objects.
    MissingPrivilege {
        /// The name of the map that was refused.
        name: String,
        /// What the process needs.
        needed: &'static str,
        /// The call that was refused.
        source: SyscallError,
    },
    /// A fact about the machine could not be read.
    System {
        /// The file.
        path: &'static str,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for EbpfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileError { path, .. } => {
                write!(
                    f,
                    "{}: cannot be read: check path and rights",
                    path.display()
                )
            }
            Self::ParseError(error) | Self::RelocationError(error) => error.fmt(f),
            Self::BtfError(error) => error.fmt(f),
            Self::MapError(error) => error.fmt(f),
            Self::ProgramError(error) => error.fmt(f),
            Self::MissingPrivilege { name, needed, .. } => write!(
                f,
                "map `{name}`: missing privilege: the process needs {needed}"
            ),
            Self::System { path, .. } => {
                write!(
                    f,
                    "{path}: cannot be understood: is the file system mounted?"
                )
            }
        }
    }
}

impl Error for EbpfError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::FileError { error, .. } | Self::System { error, .. } => Some(error),
            // These speak for themselves above, so their own sources follow.
            Self::ParseError(error) | Self::RelocationError(error) => error.source(),
            Self::BtfError(error) => error.source(),
            Self::MapError(error) => error.source(),
            Self::ProgramError(error) => error.source(),
            Self::MissingPrivilege { source, .. } => Some(source),
        }
    }
}

impl From<MapError> for EbpfError {
    fn from(error: MapError) -> Self {
        Self::MapError(error)
    }
}

impl From<BtfError> for EbpfError {
    fn from(error: BtfError) -> Self {
        Self::BtfError(error)
    }
}

impl From<ProgramError> for EbpfError {
    fn from(error: ProgramError) -> Self {
        Self::ProgramError(error)
    }
}
