//! Pinning: names in a BPF file system that keep kernel objects alive.

use std::{error::Error, ffi::NulError, fmt, path::PathBuf};

use crate::sys::SyscallError;

/// Why an object could not be pinned or unpinned.
#[derive(Debug)]
#[non_exhaustive]
pub enum PinError {
    /// There is nothing to pin: the object has not been loaded, or has been unloaded.
    NoFd {
        /// The object's name.
        name: String,
    },
    /// The path cannot be handed to the kernel.
    InvalidPinPath {
        /// The path as given.
        path: PathBuf,
        /// Where it holds a zero byte.
        error: NulError,
    },
    /// The kernel refused.
    SyscallError(SyscallError),
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFd { name } => write!(f, "`{name}` is not loaded: load it before pinning it"),
            Self::InvalidPinPath { path, .. } => write!(
                f,
                "`{}` cannot be a pin path: take the zero byte out",
                path.display()
            ),
            Self::SyscallError(_) => f.write_str(
                "the kernel refused the pin: the path must be free and inside a BPF file system \
                 (`mount -t bpf bpf /sys/fs/bpf`)",
            ),
        }
    }
}

impl Error for PinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoFd { .. } => None,
            Self::InvalidPinPath { error, .. } => Some(error),
            Self::SyscallError(error) => Some(error),
        }
    }
}

impl From<SyscallError> for PinError {
    fn from(error: SyscallError) -> Self {
        Self::SyscallError(error)
    }
}
