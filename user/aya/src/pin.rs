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

use aya_sys::{Errno, bpf};

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
        /// What was to be there: `bpf-map`, `bpf-prog` or `bpf-link`.
        expected: &'static str,
    },
    /// The kernel does not take the path for a new pin.
    PinRefused {
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        source: SyscallError,
    },
    /// The kernel does not open what is at the path.
    OpenRefused {
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        source: SyscallError,
    },
    /// Another system call failed.
    SyscallError(SyscallError),
}

impl PinError {
    /// The kernel's error number, if it was the kernel that refused.
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::PinRefused { source, .. } | Self::OpenRefused { source, .. } => {
                Some(source.errno())
            }
            Self::SyscallError(error) => Some(error.errno()),
            Self::NoFd { .. } | Self::InvalidPinPath { .. } | Self::WrongObject { .. } => None,
        }
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFd { name } => write!(
                f,
                "program `{name}` is not loaded: load it before pinning it"
            ),
            Self::InvalidPinPath { path, .. } => write!(
                f,
                "`{}` cannot be a pin path: take the zero byte out",
                path.display()
            ),
            Self::WrongObject { path, expected } => write!(
                f,
                "`{}` is a pin of something else than a {expected}: give the path of one",
                path.display()
            ),
            Self::PinRefused { path, source } => {
                write!(f, "`{}` cannot be a pin: ", path.display())?;
                f.write_str(match source.errno() {
                    Errno::EEXIST => "it exists already: choose another path, or remove it",
                    Errno::ENOENT => {
                        "its directory does not exist: create it inside of a BPF file system"
                    }
                    Errno::EPERM => {
                        "choose a path inside of a BPF file system (`mount -t bpf bpf \
                         /sys/fs/bpf`), with no dot in the name"
                    }
                    _ => "check the path and the rights on its directory",
                })
            }
            Self::OpenRefused { path, source } => {
                write!(f, "`{}` cannot be opened as a pin: ", path.display())?;
                f.write_str(match source.errno() {
                    Errno::ENOENT => "nothing is pinned there: check the path",
                    Errno::EACCES => {
                        "it is in no BPF file system, or not this user's to read and write: \
                         check path and rights"
                    }
                    Errno::EPERM => "the process needs CAP_BPF (CAP_SYS_ADMIN before kernel 5.8)",
                    _ => "check path and rights",
                })
            }
            Self::SyscallError(error) => error.fmt(f),
        }
    }
}

impl Error for PinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoFd { .. } | Self::WrongObject { .. } => None,
            Self::InvalidPinPath { error, .. } => Some(error),
            Self::PinRefused { source, .. } | Self::OpenRefused { source, .. } => Some(source),
            // The message is the inner error's own, so its source comes next.
            Self::SyscallError(error) => error.source(),
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
    bpf::obj_pin(fd, &c_path(path)?).map_err(|error| PinError::PinRefused {
        path: path.to_owned(),
        source: error.into(),
    })
}

/// The kernel's name for descriptors of maps.
pub(crate) const MAP: &str = "bpf-map";
/// The kernel's name for descriptors of links.
pub(crate) const LINK: &str = "bpf-link";
/// The kernel's name for descriptors of programs.
pub(crate) const PROGRAM: &str = "bpf-prog";

/// Opens the object that has the name `path`, which must be of the sort `expected`.
pub(crate) fn open_as(path: &Path, expected: &'static str) -> Result<OwnedFd, PinError> {
    let fd = bpf::obj_get(&c_path(path)?, 0).map_err(|error| PinError::OpenRefused {
        path: path.to_owned(),
        source: error.into(),
    })?;
    // No command tells what sort of object a descriptor is: info is given of any. Without /proc
    // the caller finds out by what fails. Links are called both `bpf_link` and `bpf-link`.
    let number = fd.as_raw_fd();
    let target = fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
    let sort = target
        .to_str()
        .and_then(|name| name.strip_prefix("anon_inode:"));
    match sort {
        Some(sort) if sort.replace('_', "-") != expected => Err(PinError::WrongObject {
            path: path.to_owned(),
            expected,
        }),
        _ => Ok(fd),
    }
}

fn c_path(path: &Path) -> Result<CString, PinError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| PinError::InvalidPinPath {
        path: path.to_owned(),
        error,
    })
}
