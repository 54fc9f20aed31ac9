//! Pinning: names in a BPF file system that keep kernel objects alive.

use std::{
    error::Error,
    ffi::{CString, NulError},
    fmt, fs,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use aya_sys::bpf;

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
    /// What is pinned at the path is something else.
    WrongObject {
        /// The path.
        path: PathBuf,
        /// What was to be there: `bpf-prog` or `bpf-link`.
        expected: &'static str,
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
            Self::WrongObject { path, expected } => write!(
                f,
                "`{}` is no {expected}: give the path of one",
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
            Self::NoFd { .. } | Self::WrongObject { .. } => None,
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

/// Gives the object behind `fd` the name `path` in a BPF file system.
pub(crate) fn pin(fd: BorrowedFd<'_>, path: &Path) -> Result<(), PinError> {
    Ok(bpf::obj_pin(fd, &c_path(path)?).map_err(SyscallError::from)?)
}

/// Opens the object that has the name `path` in a BPF file system.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, PinError> {
    Ok(bpf::obj_get(&c_path(path)?, 0).map_err(SyscallError::from)?)
}

/// The kernel's name for descriptors of links.
pub(crate) const LINK: &str = "bpf-link";
/// The kernel's name for descriptors of programs.
pub(crate) const PROGRAM: &str = "bpf-prog";

/// Opens the object that has the name `path`, which must be of the sort `expected`.
pub(crate) fn open_as(path: &Path, expected: &'static str) -> Result<OwnedFd, PinError> {
    let fd = open(path)?;
    // No command tells what sort of object a descriptor is: info is given of any. Without /proc
    // the caller finds out by what fails. Links are called both `bpf_link` and `bpf-link`.
    let number = fd.as_raw_fd();
    match fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(target)
            if !target
                .to_string_lossy()
                .replace('_', "-")
                .ends_with(expected) =>
        {
            Err(PinError::WrongObject {
                path: path.to_owned(),
                expected,
            })
        }
        _ => Ok(fd),
    }
}

fn c_path(path: &Path) -> Result<CString, PinError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| PinError::InvalidPinPath {
        path: path.to_owned(),
        error,
    })
}
