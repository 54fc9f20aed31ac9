//! Arrays: [`Array`] and [`PerCpuArray`].

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    path::Path,
};

pub use super::fd_array::{CgroupArray, ProgramArray};
use super::{
    BatchError, IterableMap, Map, MapData, MapError, MapIter, MappedArray, MappedArrayMut,
    PerCpuValues, Pod,
    handle::{create, handle, iterable},
    per_cpu::per_cpu,
};
use crate::pin::PinError;

handle! {
    /// An array of a fixed number of values, all zero at first, of type `BPF_MAP_TYPE_ARRAY`
    /// (since kernel 3.19).
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::Array;
    ///
    /// let mut limits: Array<_, u32> = Array::try_from(&mut map)?;
    /// limits.set(0, 1500, 0)?;
    /// assert_eq!(limits.get(&0, 0)?, 1500);
    /// # Ok(())
    /// # }
    /// ```
    Array<V>, key: u32, value: V, from Array
}
create!(Array<V>, key: u32, value: V, Array);

handle! {
    /// An array with one value per CPU at each index, of type `BPF_MAP_TYPE_PERCPU_ARRAY` (since
    /// kernel 4.6).
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::PerCpuArray;
    ///
    /// let packets: PerCpuArray<_, u64> = PerCpuArray::try_from(&map)?;
    /// let total: u64 = packets.get(&0, 0)?.iter().sum();
    /// # Ok(())
    /// # }
    /// ```
    PerCpuArray<V>, key: u32, value: V, from PerCpuArray
}
create!(PerCpuArray<V>, key: u32, value: V, PerCpuArray);

/// The reading side of both arrays; they differ in what an element is and how it is read.
macro_rules! read {
    ($handle:ident, $element:ty, $what:literal) => {
        impl<T: Borrow<MapData>, V: Pod> $handle<T, V> {
            /// The number of elements, which is the map's `max_entries`.
            #[allow(
                clippy::len_without_is_empty,
                reason = "the kernel allows no empty array"
            )]
            pub fn len(&self) -> u32 {
                self.inner.borrow().max_entries()
            }

            #[doc = concat!("A copy of the ", $what, " at `index`.")]
            ///
            /// # Errors
            ///
            /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses.
            pub fn get(&self, index: &u32, flags: u64) -> Result<$element, MapError> {
                let map = self.inner.borrow();
                map.check_bounds(*index)?;
                map.get(index, flags)
            }

            #[doc = concat!("Walks the ", $what, " of all indices, in order.")]
            ///
            /// They are read in batches, as [`MapIter`] says, where the kernel can.
            pub fn iter(&self) -> impl Iterator<Item = Result<$element, MapError>> + '_ {
                MapIter::new(self).map(|entry| Ok(entry?.1))
            }
        }

        impl<T: Borrow<MapData>, V: Pod> IterableMap<u32, $element> for $handle<T, V> {
            fn map(&self) -> &MapData {
                self.inner.borrow()
            }

            fn get(&self, index: &u32) -> Result<$element, MapError> {
                Self::get(self, index, 0)
            }

            iterable!(@methods $element, in_batches);
        }

        impl<T: BorrowMut<MapData>, V: Pod> $handle<T, V> {
            #[doc = concat!("Sets the ", $what, " at as many indices, in order, by few calls where the \
                             kernel can (since 5.6; arrays with a value per CPU since 5.13). Returns \
                             how many that were. `flags` is as for [`set`](Self::set).")]
            ///
            /// # Errors
            ///
            /// [`MapError::OutOfBounds`] and [`MapError::BatchMismatch`] (slices of different
            /// lengths) before anything is set, otherwise at the first that cannot be set, with the
            /// number of those that were.
            pub fn set_batch(
                &mut self,
                indices: &[u32],
                values: &[$element],
                flags: u64,
            ) -> Result<usize, BatchError> {
                let map = self.inner.borrow_mut();
                map.check_all_bounds(indices)?;
                map.insert_batch(indices, values, flags)
            }
        }
    };
}
read!(Array, V, "value");
read!(PerCpuArray, PerCpuValues<V>, "values");
per_cpu!(PerCpuArray<V>, key: u32, check_bounds);

impl<T: Borrow<MapData>, V: Pod> Array<T, V> {
    /// Maps the array into the memory of this process, to be read. The map must have been created
    /// with `BPF_F_MMAPABLE`. Since kernel 5.5.
    ///
    /// # Errors
    ///
    /// [`MapError::UnsupportedMapFlags`] without the flag, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn mmap(&self) -> Result<MappedArray<V>, MapError> {
        MappedArray::new(self.inner.borrow(), false)
    }
}

impl<T: BorrowMut<MapData>, V: Pod> Array<T, V> {
    /// As [`mmap`](Self::mmap), to be written to as well.
    ///
    /// # Errors
    ///
    /// As [`mmap`](Self::mmap), and [`MapError::AccessDenied`] of a frozen map.
    pub fn mmap_mut(&mut self) -> Result<MappedArrayMut<V>, MapError> {
        MappedArrayMut::new(self.inner.borrow())
    }

    /// Sets the value at `index`. `flags` is 0, or `BPF_F_LOCK` for values with a spin lock.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses.
    pub fn set(&mut self, index: u32, value: impl Borrow<V>, flags: u64) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(index)?;
        map.set(&index, value.borrow(), flags)
    }
}

impl<T: BorrowMut<MapData>, V: Pod> PerCpuArray<T, V> {
    /// Sets the values at `index` on all CPUs. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses.
    pub fn set(&mut self, index: u32, values: PerCpuValues<V>, flags: u64) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(index)?;
        map.set(&index, &values, flags)
    }
}
