//! Arrays in the memory of the process: what programs write is there without a system call.

use std::{fmt, marker::PhantomData, ops::Deref, os::fd::AsFd as _};

use aya_uapi::bindings::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG};

use super::{MapData, MapError, Pod, pod, shared::Shared};
use crate::sys::SyscallError;

/// An [`Array`](super::Array) in the memory of this process, to be read. Since kernel 5.5.
///
/// Programs, and other processes, write to the same memory at any time, so values are copied out of
/// it. A number of up to 8 bytes that lies at a multiple of its size is copied at once, also as a field
/// of a larger value; a larger value may be half old and half new.
///
/// The memory stays when the handle, and all else that holds the map, is gone.
///
/// ```no_run
/// use aya::maps::Array;
///
/// // BPF_F_MMAPABLE
/// let counters: Array<_, u64> = Array::create(16, 1 << 10)?;
/// let memory = counters.mmap()?;
/// println!("{}", memory.get(3)?);
/// # Ok::<(), aya::maps::MapError>(())
/// ```
pub struct MappedArray<V> {
    name: String,
    len: u32,
    memory: Shared,
    values: PhantomData<fn() -> V>,
}

impl<V: Pod> MappedArray<V> {
    /// The kernel lays every element out at a multiple of 8 bytes.
    const STRIDE: usize = size_of::<V>().next_multiple_of(8);

    pub(super) fn new(map: &MapData, writable: bool) -> Result<Self, MapError> {
        let flags = map.shape().flags;
        let refused = |reason| MapError::UnsupportedMapFlags {
            name: map.name().to_owned(),
            flags,
            reason,
        };
        if flags & BPF_F_MMAPABLE == 0 {
            return Err(refused(
                "create it with BPF_F_MMAPABLE, or get its elements by `get`",
            ));
        }
        if writable && flags & BPF_F_RDONLY_PROG != 0 {
            return Err(refused(
                "what programs hold for constant cannot be mapped to be written to, create it \
                 without BPF_F_RDONLY_PROG, or use `set`",
            ));
        }
        let len = map.max_entries();
        let size = Self::STRIDE * len as usize;
        let size = size.next_multiple_of(aya_sys::page_size());
        let memory = Shared::map(map.fd().as_fd(), 0, size, writable);
        Ok(Self {
            name: map.name().to_owned(),
            len,
            memory: memory.map_err(|error| map.not_mapped(error))?,
            values: PhantomData,
        })
    }

    /// The number of elements, which is the map's `max_entries`.
    #[allow(
        clippy::len_without_is_empty,
        reason = "the kernel allows no empty array"
    )]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// A copy of the value at `index`, as it is now.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`].
    pub fn get(&self, index: u32) -> Result<V, MapError> {
        let mut value = pod::zeroed();
        let place = self.place(index)?;
        let loaded = self.memory.load(place, pod::bytes_of_mut(&mut value));
        loaded.map(|()| value).ok_or_else(|| self.beyond(index))
    }

    /// Walks the values of all indices, in order, each as it is when it is handed out.
    pub fn iter(&self) -> impl Iterator<Item = V> + '_ {
        (0..self.len).map_while(|index| self.get(index).ok())
    }

    /// Where the element lies.
    fn place(&self, index: u32) -> Result<usize, MapError> {
        match index < self.len {
            true => Ok(Self::STRIDE * index as usize),
            false => Err(self.beyond(index)),
        }
    }

    #[cold]
    fn beyond(&self, index: u32) -> MapError {
        MapError::OutOfBounds {
            name: self.name.clone(),
            index,
            max_entries: self.len,
        }
    }
}

impl<V> fmt::Debug for MappedArray<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedArray")
            .field("name", &self.name)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// An [`Array`](super::Array) in the memory of this process, to be read and written. Since kernel 5.5.
///
/// Reading is that of [`MappedArray`]. What is written, programs see at once, in the same pieces.
/// As long as there is one, the map cannot be frozen.
///
/// ```no_run
/// use aya::maps::Array;
///
/// // BPF_F_MMAPABLE
/// let mut limits: Array<_, u32> = Array::create(16, 1 << 10)?;
/// let mut memory = limits.mmap_mut()?;
/// memory.set(3, 1500)?;
/// assert_eq!(memory.get(3)?, 1500);
/// # Ok::<(), aya::maps::MapError>(())
/// ```
#[derive(Debug)]
pub struct MappedArrayMut<V>(MappedArray<V>);

impl<V: Pod> MappedArrayMut<V> {
    pub(super) fn new(map: &MapData) -> Result<Self, MapError> {
        MappedArray::new(map, true).map(Self)
    }

    /// Sets the value at `index`.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`].
    pub fn set(&mut self, index: u32, value: V) -> Result<(), MapError> {
        let place = self.0.place(index)?;
        let stored = self.0.memory.store(place, pod::bytes_of(&value));
        stored.ok_or_else(|| self.0.beyond(index))
    }
}

impl<V> Deref for MappedArrayMut<V> {
    type Target = MappedArray<V>;

    fn deref(&self) -> &MappedArray<V> {
        &self.0
    }
}

impl MapData {
    /// Why the kernel did not map it.
    fn not_mapped(&self, error: SyscallError) -> MapError {
        let errno = error.errno();
        let call = error.call;
        self.refused(aya_sys::Error { call, errno })
    }
}
