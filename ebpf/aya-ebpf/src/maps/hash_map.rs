//! Hash tables.

use core::borrow::Borrow;

use crate::{
    bindings::BPF_F_NO_PREALLOC,
    maps::{def::map_type, ops},
};

/// Defines hash tables, one row each.
macro_rules! hash_maps {
    ($($(#[$doc:meta])* $name:ident: $map_type:ident $(with $flag:ident)?,)*) => {$(
        map_type! {
            $(#[$doc])*
            $name<K, V>: K => V, $map_type,
            /// A map with room for `max_entries` entries; `flags` are `BPF_F_NO_PREALLOC` and the like.
            with_max_entries(max_entries, flags) = (max_entries, flags $(| $flag)?)
        }

        impl<K, V> $name<K, V> {
            /// The value of `key`.
            ///
            /// # Safety
            ///
            /// Nothing stops other programs, CPUs or user space from writing the value, or from
            /// removing it and reusing its memory for another key, while the reference is held. The
            /// caller must make sure that this does not happen or does not matter.
            #[inline(always)]
            pub unsafe fn get(&self, key: &K) -> Option<&V> {
                // SAFETY: the value lives in the map; the rest is the caller's promise.
                ops::lookup(self.as_ptr(), key).map(|value| unsafe { value.as_ref() })
            }

            /// Whether `key` is there.
            #[inline(always)]
            pub fn contains_key(&self, key: &K) -> bool {
                self.get_ptr(key).is_some()
            }

            /// The address of the value of `key`, for reading.
            #[inline(always)]
            pub fn get_ptr(&self, key: &K) -> Option<*const V> {
                self.get_ptr_mut(key).map(<*mut V>::cast_const)
            }

            /// The address of the value of `key`. It stays valid while the program runs, but other
            /// writers are not kept out: see [`get`](Self::get).
            #[inline(always)]
            pub fn get_ptr_mut(&self, key: &K) -> Option<*mut V> {
                ops::lookup(self.as_ptr(), key).map(|value| value.as_ptr())
            }

            /// Sets the value of `key`, given by reference or by value.
            ///
            /// `flags`: `BPF_ANY` (0) for either case, `BPF_NOEXIST` only if the key is new,
            /// `BPF_EXIST` only if it is there.
            ///
            /// # Errors
            ///
            /// `-E2BIG` when the map is full, `-EEXIST` or `-ENOENT` by `flags`, `-ENOMEM`.
            #[inline(always)]
            pub fn insert(
                &self,
                key: impl Borrow<K>,
                value: impl Borrow<V>,
                flags: u64,
            ) -> Result<(), i32> {
                ops::update(self.as_ptr(), key.borrow(), value.borrow(), flags)
            }

            /// Removes `key`, given by reference or by value.
            ///
            /// # Errors
            ///
            /// `-ENOENT` when it is not there.
            #[inline(always)]
            pub fn remove(&self, key: impl Borrow<K>) -> Result<(), i32> {
                ops::delete(self.as_ptr(), key.borrow())
            }
        }
    )*};
}

hash_maps! {
    /// A hash table. Since Linux 3.19.
    ///
    /// ```
    /// use aya_ebpf::{macros::map, maps::HashMap};
    ///
    /// #[map]
    /// static BLOCKLIST: HashMap<u32, u32> = HashMap::with_max_entries(1024, 0);
    ///
    /// fn is_blocked(address: u32) -> bool {
    ///     // SAFETY: the value is not read.
    ///     unsafe { BLOCKLIST.get(&address) }.is_some()
    /// }
    /// # fn main() {}
    /// ```
    HashMap: HASH,
    /// A hash table that forgets the least recently used entry when it is full. Since Linux 4.10.
    LruHashMap: LRU_HASH,
    /// A hash table with one value per key and CPU; programs see that of the CPU they run on. Since
    /// Linux 4.6.
    PerCpuHashMap: PERCPU_HASH,
    /// A [`PerCpuHashMap`] that forgets the least recently used entry when it is full. Since Linux 4.10.
    LruPerCpuHashMap: LRU_PERCPU_HASH,
    /// A hash table that grows and shrinks with its entries, up to `max_entries`. Since Linux 7.2.
    RHashMap: RHASH with BPF_F_NO_PREALLOC,
}
