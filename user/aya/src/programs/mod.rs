//! Programs: typed handles, one per program type.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The descriptor of a loaded program.
///
/// The program stays loaded as long as a descriptor, a link, a pin or a map refers to it.
#[derive(Debug)]
pub struct ProgramFd(OwnedFd);

impl ProgramFd {
    /// A second descriptor of the same program.
    ///
    /// # Errors
    ///
    /// When the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for ProgramFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for ProgramFd {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}
