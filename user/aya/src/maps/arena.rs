//! [`Arena`]: memory of which programs and user space see the same pages.

use std::{
    borrow::{Borrow, BorrowMut},
    os::fd::AsFd as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use aya_sys::Errno;
use aya_uapi::{MapType, bindings::BPF_F_SEGV_ON_FAULT};

use super::{
    Map, MapData, MapError, MapOptions, Pod,
    handle::{create, from_map},
    pod,
    shared::Shared,
};
use crate::pin::PinError;

/// Memory that programs and this process share, up to 4 GiB of it, of type `BPF_MAP_TYPE_ARENA` (since
/// kernel 6.9).
///
/// Places are named by their offset in bytes, on both sides. A page takes no memory until this process has
/// read or written it, or a program has allocated it, and programs cannot use it before. The whole arena is
/// mapped while the handle lives, and once per process, as it has one address everywhere.
///
/// ```no_run
/// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::Arena;
///
/// // eBPF side: `static SHARED: Arena`, and `SHARED.get::<u64>(64)`
/// let mut shared = Arena::try_from(map)?;
/// shared.set(64, 1_u64)?;
/// println!("{}", shared.get::<u64>(64)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Arena<T> {
    pub(crate) inner: T,
    memory: Shared,
}

from_map!(Arena<> from Arena);

/// A size that every arena has room in, at an address whose lower half is zero: an offset in the arena
/// then is the lower half of an address, which is all that programs have.
const SLOT: u64 = 1 << 32;

/// Where no process has anything: above what is mapped for programs that are not relocated, below where
/// the others are.
const FIRST_SLOT: u64 = 1 << 44;

/// An address for an arena that has none given.
pub(super) fn next_address() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(FIRST_SLOT);
    NEXT.fetch_add(SLOT, Ordering::Relaxed)
}

create!(@with Arena[], key: (), value: (), Arena);

impl Arena<MapData> {
    /// Creates an arena of `pages` pages that belongs to no object file; `flags` are creation flags
    /// (`BPF_F_*`).
    ///
    /// # Errors
    ///
    /// [`MapError::CreateError`] when the kernel refuses, [`MapError::KernelTooOld`] when that is
    /// because it lacks the type, and [`MapError::NotMapped`].
    pub fn create(pages: u32, flags: u32) -> Result<Self, MapError> {
        Self::create_with("", MapOptions::new().max_entries(pages).flags(flags))
    }
}

impl<T: Borrow<MapData>> Arena<T> {
    /// The map behind the handle: its descriptor, sizes and name.
    pub fn data(&self) -> &MapData {
        self.inner.borrow()
    }

    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let data = map.borrow();
        data.check_type(MapType::ARENA)?;
        let flags = data.shape().flags;
        if flags & BPF_F_SEGV_ON_FAULT != 0 {
            return Err(MapError::UnsupportedMapFlags {
                name: data.name().to_owned(),
                flags,
                reason: "to read a page that no program has allocated would end the process, create \
                         the map without BPF_F_SEGV_ON_FAULT",
            });
        }
        let len = (data.max_entries() as usize).saturating_mul(aya_sys::page_size());
        let address = data.shape().map_extra;
        let mapped = match address {
            // Whoever created it left the place to the first who maps it, and 0 is no place.
            0 => Err(aya_sys::Error {
                call: "mmap",
                errno: Errno::EINVAL,
            }
            .into()),
            _ => Shared::map_at(data.fd().as_fd(), address, len),
        };
        let memory = mapped.map_err(|error| MapError::NotMapped {
            name: data.name().to_owned(),
            address,
            error,
        })?;
        Ok(Self { inner: map, memory })
    }

    /// The arena's size in bytes.
    #[allow(
        clippy::len_without_is_empty,
        reason = "the kernel allows no empty arena"
    )]
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// A copy of what is at `offset`, in bytes: numbers of 1, 2, 4 or 8 bytes at a multiple of their size in
    /// one piece, of larger values parts may change meanwhile.
    ///
    /// # Errors
    ///
    /// [`MapError::OutsideOfArena`].
    pub fn get<V: Pod>(&self, offset: usize) -> Result<V, MapError> {
        let mut value = pod::zeroed();
        self.read(offset, pod::bytes_of_mut(&mut value))?;
        Ok(value)
    }

    /// Fills `bytes` with what is at `offset`.
    ///
    /// # Errors
    ///
    /// [`MapError::OutsideOfArena`].
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), MapError> {
        let len = bytes.len();
        let read = self.memory.load(offset, bytes);
        read.ok_or_else(|| self.outside(offset, len))
    }

    fn outside(&self, offset: usize, len: usize) -> MapError {
        MapError::OutsideOfArena {
            name: self.inner.borrow().name().to_owned(),
            offset,
            len,
            size: self.memory.len(),
        }
    }

    /// Pins the map: it outlives the process under `path`, a name in a BPF file system.
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        self.inner.borrow().pin(path)
    }
}

impl<T: BorrowMut<MapData>> Arena<T> {
    /// Puts `value` at `offset`, in bytes: numbers of 1, 2, 4 or 8 bytes at a multiple of their size in one
    /// piece, of larger values a program may see parts.
    ///
    /// # Errors
    ///
    /// [`MapError::OutsideOfArena`].
    pub fn set<V: Pod>(&mut self, offset: usize, value: V) -> Result<(), MapError> {
        self.write(offset, pod::bytes_of(&value))
    }

    /// Puts `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// [`MapError::OutsideOfArena`].
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), MapError> {
        let written = self.memory.store(offset, bytes);
        written.ok_or_else(|| self.outside(offset, bytes.len()))
    }

    /// Adds to the number at `offset` in one step, while programs may do the same, and returns what it
    /// was. Wraps around.
    ///
    /// # Errors
    ///
    /// [`MapError::OutsideOfArena`], also where `offset` is no multiple of 8.
    pub fn fetch_add(&mut self, offset: usize, value: u64) -> Result<u64, MapError> {
        let cell = self.memory.cell::<AtomicU64>(offset);
        let cell = cell.ok_or_else(|| self.outside(offset, size_of::<u64>()))?;
        Ok(cell.fetch_add(value, Ordering::Relaxed))
    }
}
