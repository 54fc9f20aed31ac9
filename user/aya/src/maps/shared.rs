//! Memory that this process shares with the kernel, which writes to it at the same time.
#![allow(unsafe_code)]

use std::{
    marker::PhantomData,
    os::fd::BorrowedFd,
    slice,
    sync::atomic::{AtomicU8, AtomicU16},
};

use aya_sys::mmap::Mmap;

use crate::sys::SyscallError;

// The protocols take them from here: the model that tests their ordering has its own.
pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// A mapping of a descriptor.
#[derive(Debug)]
pub(crate) struct Shared(Memory);

#[derive(Debug)]
enum Memory {
    Mapped(Mmap),
    /// Memory of this process, whose other side is a test.
    #[cfg(test)]
    Simulated(std::sync::Arc<simulated::Allocation>),
}

impl Memory {
    #[inline]
    fn as_ptr(&self) -> *mut u8 {
        match self {
            Self::Mapped(map) => map.as_ptr(),
            #[cfg(test)]
            Self::Simulated(allocation) => allocation.start(),
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Mapped(map) => map.len(),
            #[cfg(test)]
            Self::Simulated(allocation) => allocation.len(),
        }
    }
}

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
        Ok(Self(Memory::Mapped(Mmap::new(fd, offset, len, writable)?)))
    }

    /// Maps the first `len` bytes of `fd` at an address, to read and write.
    pub(super) fn map_at(
        fd: BorrowedFd<'_>,
        address: u64,
        len: usize,
    ) -> Result<Self, SyscallError> {
        // An address that this machine cannot have is refused as any other.
        let address = usize::try_from(address).unwrap_or(usize::MAX);
        Ok(Self(Memory::Mapped(Mmap::at(fd, address, len)?)))
    }

    /// The mapping's length in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The word at `offset`; `None` when it is not inside or not aligned. Words of a mapping that
    /// is not writable can only be loaded.
    #[inline]
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
    #[inline]
    pub(super) unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        if !self.holds(offset, len) {
            return None;
        }
        // SAFETY: inside the mapping, which lives as long as `self`; the caller vouches that
        // nobody writes to it.
        Some(unsafe { slice::from_raw_parts(self.0.as_ptr().add(offset), len) })
    }

    /// Writes `bytes` at `offset`, while others may read and write there: in the largest pieces that
    /// memory allows, so that a number at a multiple of its size, up to 8 bytes, is written at once.
    /// `None` when they are not all inside.
    pub(crate) fn store(&self, mut offset: usize, mut bytes: &[u8]) -> Option<()> {
        macro_rules! store {
            ($cell:ident: $number:ident = $bytes:expr) => {
                self.cell::<$cell>(offset)?.store(
                    $number::from_ne_bytes($bytes.try_into().ok()?),
                    Ordering::Relaxed,
                )
            };
        }
        if !self.holds(offset, bytes.len()) {
            return None;
        }
        while let Some((piece, rest)) = bytes.split_at_checked(piece(offset, bytes.len()))
            && !piece.is_empty()
        {
            match piece.len() {
                8 => store!(AtomicU64: u64 = piece),
                4 => store!(AtomicU32: u32 = piece),
                2 => store!(AtomicU16: u16 = piece),
                _ => store!(AtomicU8: u8 = piece),
            }
            offset += piece.len();
            bytes = rest;
        }
        Some(())
    }

    /// Copies what is at `offset` into `bytes`, while others may write there, in such pieces. `None`
    /// when not all is inside.
    pub(crate) fn load(&self, mut offset: usize, mut bytes: &mut [u8]) -> Option<()> {
        macro_rules! load {
            ($bytes:ident = $cell:ident) => {
                $bytes.copy_from_slice(
                    &self
                        .cell::<$cell>(offset)?
                        .load(Ordering::Relaxed)
                        .to_ne_bytes(),
                )
            };
        }
        if !self.holds(offset, bytes.len()) {
            return None;
        }
        while let size @ 1.. = piece(offset, bytes.len())
            && let Some((piece, rest)) = bytes.split_at_mut_checked(size)
        {
            match size {
                8 => load!(piece = AtomicU64),
                4 => load!(piece = AtomicU32),
                2 => load!(piece = AtomicU16),
                _ => load!(piece = AtomicU8),
            }
            offset += size;
            bytes = rest;
        }
        Some(())
    }

    /// Asks for the memory at `offset`, which will be read soon, where the machine takes such wishes.
    #[inline]
    pub(super) fn prefetch(&self, offset: usize) {
        prefetch(self.0.as_ptr().wrapping_add(offset));
    }

    #[inline]
    fn holds(&self, offset: usize, len: usize) -> bool {
        offset
            .checked_add(len)
            .is_some_and(|end| end <= self.0.len())
    }
}

#[inline]
fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a wish, which reads nothing and never fails, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast::<i8>()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// The size of the largest piece that is read or written at once at `offset`, with `left` bytes to go.
fn piece(offset: usize, left: usize) -> usize {
    let fits = |size: &usize| offset.is_multiple_of(*size) && *size <= left;
    [8, 4, 2, 1].into_iter().find(fits).unwrap_or(0)
}

/// Memory that begins with a word.
#[derive(Debug)]
pub(super) struct Word(Shared);

impl Word {
    /// `None` when the memory has no room for one.
    pub(super) fn new(memory: Shared) -> Option<Self> {
        memory
            .holds(0, size_of::<AtomicUsize>())
            .then_some(Self(memory))
    }

    #[inline]
    pub(super) fn get(&self) -> &AtomicUsize {
        // SAFETY: `new` has found it inside, and the memory begins at a multiple of 8. The other side may
        // write it at any time, which is what atomics allow.
        unsafe { &*self.0.0.as_ptr().cast::<AtomicUsize>() }
    }
}

/// A word, and behind it the data of a ring: a power of two bytes mapped twice in a row, so that nothing in
/// it is ever split. Offsets are positions modulo its size: any position leads inside.
#[derive(Debug)]
pub(super) struct Ring {
    word: Word,
    /// Where in the memory the data starts, a multiple of 8.
    start: usize,
    size: usize,
}

impl Ring {
    /// The ring of `size` bytes at `start`; `None` when it is not all inside, or of no such size.
    pub(super) fn new(memory: Shared, start: usize, size: usize) -> Option<Self> {
        let fits = size.is_power_of_two() && size >= 8 && start.is_multiple_of(8);
        let twice = size.checked_mul(2)?;
        let fits = fits && memory.holds(start, twice);
        Some(Self {
            word: Word::new(memory).filter(|_| fits)?,
            start,
            size,
        })
    }

    /// The word at the beginning of the memory.
    #[inline]
    pub(super) fn word(&self) -> &AtomicUsize {
        self.word.get()
    }

    #[inline]
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Where its data is.
    #[inline]
    pub(super) fn data(&self) -> Data<'_> {
        // SAFETY: `new` has found `start` inside.
        let start = unsafe { self.word.0.0.as_ptr().add(self.start) };
        Data {
            start,
            size: self.size,
            ring: PhantomData,
        }
    }
}

/// Where the data of a [`Ring`] is: a value for loops to hold in registers. What is in memory the
/// compiler has to load again behind every load that is ordered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    start: *mut u8,
    size: usize,
    ring: PhantomData<&'a Ring>,
}

impl<'a> Data<'a> {
    /// The first word of the record at `position`.
    #[inline]
    pub(super) fn header(self, position: usize) -> &'a AtomicU32 {
        // SAFETY: the offset is a multiple of 8 below the size, so the word is aligned and inside. The
        // kernel may write it at any time, which is what atomics allow.
        unsafe { &*self.at(position).cast::<AtomicU32>() }
    }

    /// The `len` bytes from 8 behind `position`; `None` when a ring has no such records.
    ///
    /// # Safety
    ///
    /// As for [`Shared::bytes`].
    #[inline]
    pub(super) unsafe fn payload(self, position: usize, len: usize) -> Option<&'a [u8]> {
        if len > self.size - 8 {
            return None;
        }
        // SAFETY: an offset below the size, and no more than the size from there, are inside of twice
        // the size; the caller vouches that nobody writes to it.
        Some(unsafe { slice::from_raw_parts(self.at(position).add(8), len) })
    }

    /// The `len` bytes from 8 behind `position`, to be written to; `None` when a ring has no such records.
    ///
    /// # Safety
    ///
    /// The memory is writable, and nobody else reads or writes these bytes as long as they are borrowed.
    pub(super) unsafe fn payload_mut(self, position: usize, len: usize) -> Option<&'a mut [u8]> {
        if len > self.size - 8 {
            return None;
        }
        // SAFETY: inside, as in `payload`; the caller vouches that they are its own.
        Some(unsafe { slice::from_raw_parts_mut(self.at(position).add(8), len) })
    }

    /// As [`Shared::prefetch`].
    #[inline]
    pub(super) fn prefetch(self, position: usize) {
        prefetch(self.at(position));
    }

    #[inline]
    fn at(self, position: usize) -> *mut u8 {
        let offset = position & (self.size - 8);
        // SAFETY: below `start + size`, which `Ring::new` has found inside.
        unsafe { self.start.add(offset) }
    }
}

/// Memory that a test writes as the kernel does.
#[cfg(test)]
pub(super) mod simulated {
    use std::{cell::UnsafeCell, sync::Arc};

    use super::{Memory, Shared};

    #[derive(Debug)]
    pub(in crate::maps) struct Allocation(Box<[UnsafeCell<u64>]>);

    // SAFETY: accesses go through raw pointers and atomics, as those to memory shared with the kernel.
    unsafe impl Sync for Allocation {}
    // SAFETY: bytes belong to no thread.
    unsafe impl Send for Allocation {}

    impl Allocation {
        pub(super) fn start(&self) -> *mut u8 {
            self.0.as_ptr().cast_mut().cast()
        }

        pub(super) fn len(&self) -> usize {
            size_of_val(&*self.0)
        }

        /// Zeros.
        pub(in crate::maps) fn new(bytes: usize) -> Arc<Self> {
            Arc::new(Self((0..bytes.div_ceil(8)).map(|_| 0.into()).collect()))
        }

        /// The same memory, as the code to be tested takes it.
        pub(in crate::maps) fn shared(self: &Arc<Self>) -> Shared {
            Shared(Memory::Simulated(Arc::clone(self)))
        }

        /// Writes bytes that are not atomic: a race with a reader is one that Miri finds.
        pub(in crate::maps) fn write(&self, offset: usize, bytes: &[u8]) {
            assert!(offset + bytes.len() <= self.len());
            // SAFETY: inside; the test is about whether nobody else accesses them.
            unsafe {
                let to = self.start().add(offset);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            }
        }

        /// Reads bytes that are not atomic.
        pub(in crate::maps) fn read(&self, offset: usize, bytes: &mut [u8]) {
            assert!(offset + bytes.len() <= self.len());
            // SAFETY: as above.
            unsafe {
                let from = self.start().add(offset);
                std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
            }
        }
    }
}

// Miri maps no files.
#[cfg(all(test, not(miri)))]
mod tests {
    use std::{fs::File, os::fd::AsFd as _};

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
