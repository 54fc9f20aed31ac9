//! Maps of maps: [`ArrayOfMaps`] and [`HashOfMaps`].
//!
//! A program finds an inner map by index or key and uses it as any other map. User space puts
//! inner maps in, takes them out and replaces them while programs run: those that are looking at
//! the old one finish with it.
//!
//! All inner maps look alike. What they look like is said when the outer map is created, by its
//! definition in the object or by [`MapOptions::inner`](super::MapOptions::inner).

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
};

use super::{
    BatchError, IterableMap, Map, MapData, MapError, MapIter, MapKeys, Pod,
    handle::{create, handle, iterable, remove_batch},
    is_missing,
};
use crate::pin::PinError;

/// `create_inner` of a handle.
macro_rules! create_inner {
    ($handle:ident[$($param:ident: $bound:ident),*], key: $key:ty) => {
        impl<T: Borrow<MapData>, $($param: $bound),*> $handle<T, $($param),*> {
            /// Creates a map that can be put into this one: like the others, and empty.
            ///
            /// What they look like is known of a map of maps that this process created. Of one
            /// that was found by id, pin or descriptor, a map that is in it serves as the pattern.
            ///
            /// # Errors
            ///
            /// [`MapError::MissingInnerMapDefinition`] when nothing is known and nothing is in it,
            /// and those of [`MapData::create_with`].
            pub fn create_inner(&self) -> Result<V, MapError> {
                let outer = self.inner.borrow();
                if let Some(map) = outer.create_inner()? {
                    return V::from_map_data(map);
                }
                for key in MapKeys::<$key>::new(outer) {
                    match outer.get_map::<_, MapData>(&key?, 0) {
                        Ok(pattern) => return V::from_map_data(pattern.create_alike()?),
                        Err(MapError::KeyNotFound) => {}
                        Err(error) => return Err(error),
                    }
                }
                Err(MapError::MissingInnerMapDefinition {
                    outer_name: outer.name().to_owned(),
                })
            }
        }
    };
}

pub(crate) mod sealed {
    use super::super::{MapData, MapError};

    pub trait FromMapData: Sized {
        fn from_map_data(data: MapData) -> Result<Self, MapError>;
    }

    pub trait InnerMap {
        fn map_data(&self) -> &MapData;
    }
}

/// What a map can be got as: [`MapData`], [`Map`], or a handle that owns its map.
pub trait FromMapData: sealed::FromMapData {}

impl<T: sealed::FromMapData> FromMapData for T {}

/// What can be put into a map of maps: [`MapData`], [`Map`], or a handle.
pub trait InnerMap: sealed::InnerMap {}

impl<T: sealed::InnerMap> InnerMap for T {}

impl sealed::FromMapData for MapData {
    fn from_map_data(data: MapData) -> Result<Self, MapError> {
        Ok(data)
    }
}

impl sealed::FromMapData for Map {
    fn from_map_data(data: MapData) -> Result<Self, MapError> {
        Self::from_map_data(data)
    }
}

impl sealed::InnerMap for MapData {
    fn map_data(&self) -> &MapData {
        self
    }
}

impl sealed::InnerMap for Map {
    fn map_data(&self) -> &MapData {
        self.data()
    }
}

handle! {
    /// An array whose elements are maps, of type `BPF_MAP_TYPE_ARRAY_OF_MAPS` (since kernel 4.12).
    ///
    /// `V` is what its maps are got as and put in: a handle, or [`MapData`].
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::{Array, ArrayOfMaps, MapData};
    ///
    /// let mut outer: ArrayOfMaps<_, Array<MapData, u32>> = ArrayOfMaps::try_from(&mut map)?;
    /// let mut inner = outer.create_inner()?;
    /// inner.set(0, 7, 0)?;
    /// outer.set(0, &inner, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    ArrayOfMaps[V = MapData], from ArrayOfMaps
}
create!(@with ArrayOfMaps[V], key: u32, value: u32, ArrayOfMaps);

handle! {
    /// A hash map whose values are maps, of type `BPF_MAP_TYPE_HASH_OF_MAPS` (since kernel 4.12).
    ///
    /// `V` is what its maps are got as and put in: a handle, or [`MapData`].
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::{HashMap, HashOfMaps, MapData};
    ///
    /// let mut outer: HashOfMaps<_, u32, HashMap<MapData, u32, u64>> =
    ///     HashOfMaps::try_from(&mut map)?;
    /// let inner = outer.create_inner()?;
    /// outer.insert(10, &inner, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    HashOfMaps[K: Pod, V = MapData], key: K, from HashOfMaps
}
create!(@with HashOfMaps[K: Pod, V], key: K, value: u32, HashOfMaps);

impl<T: Borrow<MapData>, V> ArrayOfMaps<T, V> {
    /// The number of places, which is the map's `max_entries`.
    pub fn len(&self) -> u32 {
        self.inner.borrow().max_entries()
    }

    /// Whether there is no place; the kernel allows no such map.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Borrow<MapData>, V: FromMapData> ArrayOfMaps<T, V> {
    /// The map at `index`. Needs `CAP_SYS_ADMIN`. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], [`MapError::KeyNotFound`] when there is none, the errors of
    /// converting a map into `V`, or [`MapError::SyscallError`] when the kernel refuses.
    pub fn get(&self, index: &u32, flags: u64) -> Result<V, MapError> {
        let map = self.inner.borrow();
        map.check_bounds(*index)?;
        map.get_map(index, flags)
    }

    /// Walks the maps with their indices; places without a map are left out.
    pub fn iter(&self) -> MapIter<'_, u32, V, Self> {
        MapIter::new(self)
    }
}

impl<T: Borrow<MapData>, V> ArrayOfMaps<T, V> {
    /// Walks the indices of the maps with their ids, without opening them; in batches where the kernel
    /// can (since 5.14).
    pub fn ids(&self) -> MapIter<'_, u32, u32, MapData> {
        MapIter::new(self.inner.borrow())
    }
}

impl<T: BorrowMut<MapData>, V: InnerMap> ArrayOfMaps<T, V> {
    /// Puts a map at `index`, in the place of what is there. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses: `EINVAL`
    /// for a map that does not look like the others.
    pub fn set(&mut self, index: u32, map: &V, flags: u64) -> Result<(), MapError> {
        let outer = self.inner.borrow_mut();
        outer.check_bounds(index)?;
        outer.set_map(&index, map, flags)
    }

    /// Puts maps at as many indices, in order, by few calls where the kernel can (since 5.14). Returns
    /// how many that were. `flags` is 0.
    ///
    /// # Errors
    ///
    /// At the first that cannot be put, as [`set`](Self::set) does, with the number of those that
    /// were; [`MapError::OutOfBounds`] and [`MapError::BatchMismatch`] (slices of different lengths)
    /// before any is.
    pub fn set_batch(
        &mut self,
        indices: &[u32],
        maps: &[&V],
        flags: u64,
    ) -> Result<usize, BatchError> {
        let outer = self.inner.borrow_mut();
        outer.check_all_bounds(indices)?;
        outer.insert_batch(indices, &descriptors(maps), flags)
    }
}

impl<T: BorrowMut<MapData>, V> ArrayOfMaps<T, V> {
    /// Takes out the map at `index`.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], [`MapError::KeyNotFound`] when there is none, or
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn clear_index(&mut self, index: &u32) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(*index)?;
        map.remove(index)
    }
}
iterable!(ArrayOfMaps[V: FromMapData], key: u32, value: V);
create_inner!(ArrayOfMaps[V: FromMapData], key: u32);

impl<T: Borrow<MapData>, K: Pod, V> HashOfMaps<T, K, V> {
    /// Walks the keys in no particular order.
    pub fn keys(&self) -> MapKeys<'_, K> {
        MapKeys::new(self.inner.borrow())
    }

    /// Walks the keys with the ids of their maps, without opening these; in batches where the kernel can
    /// (since 5.14).
    pub fn ids(&self) -> MapIter<'_, K, u32, MapData> {
        MapIter::new(self.inner.borrow())
    }
}

impl<T: Borrow<MapData>, K: Pod, V: FromMapData> HashOfMaps<T, K, V> {
    /// The map behind `key`. Needs `CAP_SYS_ADMIN`. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, the errors of converting a map into `V`, or
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn get(&self, key: &K, flags: u64) -> Result<V, MapError> {
        self.inner.borrow().get_map(key, flags)
    }

    /// Walks the maps with their keys, in no particular order, one call for each of both.
    pub fn iter(&self) -> MapIter<'_, K, V, Self> {
        MapIter::new(self)
    }
}

impl<T: BorrowMut<MapData>, K: Pod, V: InnerMap> HashOfMaps<T, K, V> {
    /// Puts a map behind `key`, in the place of what is there. `flags` is `BPF_ANY` (0),
    /// `BPF_NOEXIST` (1: only new keys) or `BPF_EXIST` (2: only keys that are there).
    ///
    /// # Errors
    ///
    /// [`MapError::Full`], or [`MapError::SyscallError`] when the kernel refuses: `EINVAL` for a
    /// map that does not look like the others, `EEXIST` and `ENOENT` as the flags say.
    pub fn insert(&mut self, key: impl Borrow<K>, map: &V, flags: u64) -> Result<(), MapError> {
        self.inner.borrow_mut().set_map(key.borrow(), map, flags)
    }

    /// Puts maps behind as many keys, in order, by few calls where the kernel can (since 5.14).
    /// Returns how many that were. `flags` is as for [`insert`](Self::insert); with `BPF_NOEXIST` or
    /// `BPF_EXIST` each takes a call.
    ///
    /// # Errors
    ///
    /// At the first that cannot be put, as [`insert`](Self::insert) does, with the number of those
    /// that were; [`MapError::BatchMismatch`] for slices of different lengths.
    pub fn insert_batch(
        &mut self,
        keys: &[K],
        maps: &[&V],
        flags: u64,
    ) -> Result<usize, BatchError> {
        let outer = self.inner.borrow_mut();
        outer.insert_batch(keys, &descriptors(maps), flags)
    }
}

impl<T: BorrowMut<MapData>, K: Pod, V> HashOfMaps<T, K, V> {
    /// Removes `key` and takes out its map.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn remove(&mut self, key: &K) -> Result<(), MapError> {
        self.inner.borrow_mut().remove(key)
    }
}
iterable!(HashOfMaps[K: Pod, V: FromMapData], key: K, value: V);
remove_batch!(HashOfMaps[K: Pod, V], key: K);
create_inner!(HashOfMaps[K: Pod, V: FromMapData], key: K);

/// The maps as the kernel takes them.
fn descriptors<V: InnerMap>(maps: &[&V]) -> Vec<i32> {
    let fd = |map: &&V| map.map_data().fd().as_fd().as_raw_fd();
    maps.iter().map(fd).collect()
}

impl MapData {
    /// The map that the value of `key` stands for.
    fn get_map<K: Pod, V: FromMapData>(&self, key: &K, flags: u64) -> Result<V, MapError> {
        let mut gone = None;
        loop {
            let id: u32 = self.get(key, flags)?;
            match Self::from_id(id) {
                // Another map may have taken its place meanwhile.
                Err(MapError::SyscallError(error)) if is_missing(&error) && gone != Some(id) => {
                    gone = Some(id);
                }
                found => return V::from_map_data(found?),
            }
        }
    }

    fn set_map<K: Pod>(
        &mut self,
        key: &K,
        map: &impl InnerMap,
        flags: u64,
    ) -> Result<(), MapError> {
        let fd = map.map_data().fd().as_fd().as_raw_fd();
        self.set_fd(key, fd, flags)
    }
}
