//! Tries that find the longest matching prefix, as routing tables do.

use core::borrow::Borrow;

use crate::{
    bindings::BPF_F_NO_PREALLOC,
    maps::{def::map_type, ops},
};

/// A prefix: the first [`prefix_len`](Self::prefix_len) bits of `data`, from the first byte's highest.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed)]
pub struct Key<K> {
    /// How many bits count.
    pub prefix_len: u32,
    /// The bits, in network byte order.
    pub data: K,
}

impl<K> Key<K> {
    /// The first `prefix_len` bits of `data`.
    pub const fn new(prefix_len: u32, data: K) -> Self {
        Self { prefix_len, data }
    }
}

map_type! {
    /// A trie of prefixes. Since Linux 4.11.
    LpmTrie<K, V>: Key<K> => V, LPM_TRIE,
    /// Room for `max_entries` prefixes; `flags` are creation flags, to which the one that the kernel
    /// insists on (`BPF_F_NO_PREALLOC`) is added.
    with_max_entries(max_entries, flags) = (max_entries, flags | BPF_F_NO_PREALLOC)
}

impl<K, V> LpmTrie<K, V> {
    /// The value of the longest prefix that matches the first bits of `key`.
    #[inline(always)]
    pub fn get(&self, key: &Key<K>) -> Option<&V> {
        // SAFETY: the value lives in the map.
        ops::lookup(self.as_ptr(), key).map(|value| unsafe { value.as_ref() })
    }

    /// Sets the value of a prefix; `flags` as for [`HashMap::insert`](crate::maps::HashMap::insert).
    ///
    /// # Errors
    ///
    /// `-ENOSPC` when the map is full, `-EINVAL` when the prefix is longer than its data.
    #[inline(always)]
    pub fn insert(&self, key: &Key<K>, value: impl Borrow<V>, flags: u64) -> Result<(), i32> {
        ops::update(self.as_ptr(), key, value.borrow(), flags)
    }

    /// Removes exactly this prefix.
    ///
    /// # Errors
    ///
    /// `-ENOENT` when it is not there.
    #[inline(always)]
    pub fn remove(&self, key: &Key<K>) -> Result<(), i32> {
        ops::delete(self.as_ptr(), key)
    }
}
