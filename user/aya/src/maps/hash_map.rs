//! Hash maps: [`HashMap`], [`PerCpuHashMap`], and their variants that forget the least recently
//! used entries.

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    path::Path,
};

use super::{
    IterableMap, Map, MapData, MapError, MapIter, MapKeys, PerCpuValues, Pod,
    handle::{create, handle, table},
    per_cpu::per_cpu,
};
use crate::pin::PinError;

/// What hash maps alone can do.
macro_rules! take {
    ($handle:ident, $value:ty) => {
        impl<T: BorrowMut<MapData>, K: Pod, V: Pod> $handle<T, K, V> {
            /// Takes out the value of `key`: what it was when it was removed, whatever programs do
            /// meanwhile. `flags` is 0, or `BPF_F_LOCK` (4) for values with a spin lock. Since kernel
            /// 5.14.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when there is none, [`MapError::KernelTooOld`],
            /// [`MapError::SyscallError`] when the kernel refuses.
            pub fn take(&mut self, key: &K, flags: u64) -> Result<$value, MapError> {
                self.inner.borrow_mut().take(key, flags)
            }
        }
    };
}

handle! {
    /// A hash map, of type `BPF_MAP_TYPE_HASH` (since kernel 3.19), `BPF_MAP_TYPE_LRU_HASH`
    /// (since kernel 4.10), which drops what was not used for longest when it is full, or
    /// `BPF_MAP_TYPE_RHASH` (since kernel 7.2), whose memory grows and shrinks with its elements.
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::HashMap;
    ///
    /// let mut blocklist: HashMap<_, u32, u32> = HashMap::try_from(&mut map)?;
    /// blocklist.insert(0x0a00_0001, 1, 0)?;
    /// for entry in blocklist.iter() {
    ///     let (address, hits) = entry?;
    ///     println!("{address:x}: {hits}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    HashMap<K, V>, key: K, value: V, from HashMap | LruHashMap | RHash
}
create!(HashMap<K, V>, key: K, value: V, Hash);
table!(HashMap<K, V>, key: K, value: V);
take!(HashMap, V);

handle! {
    /// A hash map with one value per CPU for each key, of type `BPF_MAP_TYPE_PERCPU_HASH` (since
    /// kernel 4.6) or `BPF_MAP_TYPE_LRU_PERCPU_HASH` (since kernel 4.10).
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::PerCpuHashMap;
    ///
    /// let packets: PerCpuHashMap<_, u32, u64> = PerCpuHashMap::try_from(&map)?;
    /// let total: u64 = packets.get(&0x0a00_0001, 0)?.iter().sum();
    /// # Ok(())
    /// # }
    /// ```
    PerCpuHashMap<K, V>, key: K, value: V, from PerCpuHashMap | PerCpuLruHashMap
}
create!(PerCpuHashMap<K, V>, key: K, value: V, PerCpuHash);
table!(PerCpuHashMap<K, V>, key: K, value: PerCpuValues<V>);
take!(PerCpuHashMap, PerCpuValues<V>);
per_cpu!(PerCpuHashMap<K, V>, key: K);
