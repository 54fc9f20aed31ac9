//! Memory shared with the kernel.

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr::NonNull,
    sync::OnceLock,
};

use crate::{Errno, Error, Result};

/// The size of a page of memory in bytes.
pub fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: has no preconditions.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        // The call cannot fail for this name; 4096 is the smallest page there is.
        usize::try_from(size).unwrap_or(4096)
    })
}

/// A shared mapping of a file descriptor, unmapped on drop.
///
/// The kernel, and other processes, may write to it at any time: reading and writing go through atomics,
/// or through a protocol that hands parts of it over. Which, the owner knows; this type only keeps the
/// memory mapped.
#[derive(Debug)]
pub struct Mmap {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for Mmap {}
// SAFETY: shared references give out the address alone.
unsafe impl Sync for Mmap {}

impl Mmap {
    /// Maps `len` bytes of `fd` from `offset`, a multiple of the page size.
    pub fn new(fd: BorrowedFd<'_>, offset: usize, len: usize, writable: bool) -> Result<Self> {
        let access = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        Self::map(fd, 0, libc::MAP_SHARED, offset, len, access)
    }

    /// Maps the first `len` bytes of `fd`, to read and write, at an address, where nothing must be mapped
    /// yet (`EEXIST`). Since kernel 4.17.
    pub fn at(fd: BorrowedFd<'_>, address: usize, len: usize) -> Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE;
        let map = Self::map(fd, address, flags, 0, len, access)?;
        // Older kernels take the address for a wish.
        match map.start.addr().get() == address {
            true => Ok(map),
            false => Err(Error::new("mmap", Errno::EEXIST)),
        }
    }

    fn map(
        fd: BorrowedFd<'_>,
        address: usize,
        flags: libc::c_int,
        offset: usize,
        len: usize,
        access: libc::c_int,
    ) -> Result<Self> {
        let offset =
            libc::off_t::try_from(offset).map_err(|_| Error::new("mmap", Errno::EINVAL))?;
        let place = std::ptr::without_provenance_mut(address);
        // SAFETY: the kernel takes a place where nothing is mapped, be it chosen by itself or given.
        let start = unsafe { libc::mmap(place, len, access, flags, fd.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(Error::last("mmap"));
        }
        match NonNull::new(start.cast()) {
            Some(start) => Ok(Self { start, len }),
            None => {
                // At the very beginning of memory, where null pointers go.
                // SAFETY: mapped above, and nobody knows of it.
                unsafe { libc::munmap(start, len) };
                Err(Error::new("mmap", Errno::ENOMEM))
            }
        }
    }

    /// Where the mapping begins: a page, valid for [`len`](Self::len) bytes as long as `self` lives.
    #[inline]
    pub const fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Its length in bytes.
    #[allow(clippy::len_without_is_empty)] // a mapping is never empty
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mmap {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and what borrowed it is gone. It cannot fail for a whole mapping.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsFd as _};

    use super::*;

    #[test]
    fn maps_and_refuses() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let map = Mmap::new(file.as_fd(), 0, page_size(), false).unwrap();
        // SAFETY: inside of the mapping, of a file that nobody writes to.
        let magic = unsafe { std::slice::from_raw_parts(map.as_ptr(), 4) };
        assert_eq!(magic, b"\x7fELF");
        assert_eq!(map.len(), page_size());
        let error = Mmap::new(file.as_fd(), 1, page_size(), false).unwrap_err();
        assert_eq!(error, Error::new("mmap", Errno::EINVAL));
        let taken = Mmap::at(file.as_fd(), map.as_ptr().addr(), page_size()).unwrap_err();
        assert!(
            taken == Error::new("mmap", Errno::EEXIST)
                || taken == Error::new("mmap", Errno::EACCES),
            "{taken:?}"
        );
    }
}
