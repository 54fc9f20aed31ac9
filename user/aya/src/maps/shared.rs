//! Memory that this process shares with the kernel, which writes to it at the same time.
#![allow(unsafe_code)]

use std::{
    os::fd::BorrowedFd,
    slice,
    sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use aya_sys::mmap::Mmap;

use crate::sys::SyscallError;

/// A mapping of a descriptor.
#[derive(Debug)]
pub(crate) struct Shared(Mmap);

/// Words that both sides may access at any time.
///
/// # Safety
///
/// Only for atomic integers: no other access than atomic ones, any bit pattern valid.
pub(super) unsafe trait Cell {}

// SAFETY: an atomic integer.
unsafe impl Cell for AtomicU8 {}
// SAFETY: an atomic integer.
unsafe impl Cell for AtomicU16 {}
// SAFETY: an atomic integer.
unsafe impl Cell for AtomicU32 {}
// SAFETY: an atomic integer.
unsafe impl Cell for AtomicU64 {}
// SAFETY: an atomic integer.
unsafe impl Cell for AtomicUsize {}

impl Shared {
    /// Maps `len` bytes of `fd` from `offset`, both multiples of the page size.
    pub(crate) fn map(
        fd: BorrowedFd<'_>,
        offset: usize,
        len: usize,
        writable: bool,
    ) -> Result<Self, SyscallError> {
        Ok(Self(Mmap::new(fd, offset, len, writable)?))
    }

    /// The word at `offset`; `None` when it is not inside or not aligned. Words of a mapping that
    /// is not writable can only be loaded.
    pub(super) fn cell<A: Cell>(&self, offset: usize) -> Option<&A> {
        if !self.holds(offset, size_of::<A>()) || !offset.is_multiple_of(align_of::<A>()) {
            return None;
        }
        // SAFETY: the word lies inside the mapping, which lives as long as `self`, and is aligned,
        // since mappings start at a page. The kernel and other processes may write it at any time,
        // which is what atomics allow.
        Some(unsafe { &*self.0.as_ptr().add(offset).cast::<A>() })
    }

    /// The `len` bytes at `offset`; `None` when they are not all inside.
    ///
    /// # Safety
    ///
    /// Nobody may write to these bytes as long as they are borrowed. The protocol by which the
    /// kernel hands them over has to ensure that.
    pub(super) unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        if !self.holds(offset, len) {
            return None;
        }
        // SAFETY: inside the mapping, which lives as long as `self`; the caller vouches that
        // nobody writes to it.
        Some(unsafe { slice::from_raw_parts(self.0.as_ptr().add(offset), len) })
    }

    /// Writes `bytes` at `offset`, while others may read and write there: numbers of 1, 2, 4 or 8 bytes at
    /// a multiple of their size in one piece, all else byte by byte. `None` when they are not all inside.
    pub(crate) fn store(&self, offset: usize, bytes: &[u8]) -> Option<()> {
        macro_rules! in_one_piece {
            ($($cell:ident($number:ident)),*) => {$(
                if let Ok(bytes) = bytes.try_into()
                    && let Some(cell) = self.cell::<$cell>(offset)
                {
                    cell.store($number::from_ne_bytes(bytes), Ordering::Relaxed);
                    return Some(());
                }
            )*};
        }
        in_one_piece!(AtomicU8(u8), AtomicU16(u16), AtomicU32(u32), AtomicU64(u64));
        if !self.holds(offset, bytes.len()) {
            return None;
        }
        for (index, byte) in bytes.iter().enumerate() {
            self.cell::<AtomicU8>(offset + index)?
                .store(*byte, Ordering::Relaxed);
        }
        Some(())
    }

    /// Copies what is at `offset` into `bytes`, while others may write there: numbers of 1, 2, 4 or 8 bytes
    /// at a multiple of their size in one piece, all else byte by byte. `None` when not all is inside.
    pub(crate) fn load(&self, offset: usize, bytes: &mut [u8]) -> Option<()> {
        macro_rules! in_one_piece {
            ($($cell:ident),*) => {$(
                if bytes.len() == size_of::<$cell>()
                    && let Some(cell) = self.cell::<$cell>(offset)
                {
                    bytes.copy_from_slice(&cell.load(Ordering::Relaxed).to_ne_bytes());
                    return Some(());
                }
            )*};
        }
        in_one_piece!(AtomicU8, AtomicU16, AtomicU32, AtomicU64);
        if !self.holds(offset, bytes.len()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self
                .cell::<AtomicU8>(offset + index)?
                .load(Ordering::Relaxed);
        }
        Some(())
    }

    fn holds(&self, offset: usize, len: usize) -> bool {
        offset
            .checked_add(len)
            .is_some_and(|end| end <= self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsFd as _, sync::atomic::Ordering};

    use super::*;

    #[test]
    fn nothing_outside_or_unaligned() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let page = aya_sys::page_size();
        let shared = Shared::map(file.as_fd(), 0, page, false).unwrap();
        let word = shared.cell::<AtomicU32>(0).unwrap();
        let magic = u32::from_ne_bytes(*b"\x7fELF");
        assert_eq!(word.load(Ordering::Relaxed), magic);
        assert!(shared.cell::<AtomicU32>(page - 4).is_some());
        assert!(shared.cell::<AtomicU32>(page - 3).is_none());
        assert!(shared.cell::<AtomicU64>(page - 4).is_none());
        assert!(shared.cell::<AtomicU32>(2).is_none());
        assert!(shared.cell::<AtomicU32>(usize::MAX - 3).is_none());
        // SAFETY: nobody writes to the program that runs.
        let bytes = |offset, len| unsafe { shared.bytes(offset, len) };
        assert_eq!(bytes(1, 3), Some(&b"ELF"[..]));
        assert_eq!(bytes(page, 0), Some(&[][..]));
        assert_eq!(bytes(page, 1), None);
        assert_eq!(bytes(1, usize::MAX), None);
        let load = |offset, len| {
            let mut bytes = vec![0; len];
            shared.load(offset, &mut bytes).map(|()| bytes)
        };
        assert_eq!(load(0, 4).as_deref(), Some(&b"\x7fELF"[..]));
        assert_eq!(load(1, 3).as_deref(), Some(&b"ELF"[..]));
        assert_eq!(load(1, 2).as_deref(), Some(&b"EL"[..]));
        assert!(load(page - 8, 8).is_some() && load(page, 0).is_some());
        assert!(load(page - 7, 8).is_none() && load(page, 1).is_none());
        assert!(load(usize::MAX, 8).is_none());
    }
}
