//! Maps of maps: programs find a map behind a key, and go on in it. User space replaces the inner maps
//! while programs run.
//!
//! The kernel must know what the inner maps look like before there is one, so the definition has a
//! template: a map that is never created, of the inner maps' type, sizes and flags. Inner maps may have
//! room for more or fewer entries; arrays only where they and the template have `BPF_F_INNER_MAP` (Linux
//! 5.10).
//!
//! ```
//! use aya_ebpf::{macros::map, maps::{Array, ArrayOfMaps}};
//!
//! #[map]
//! static TODAY: Array<u64> = Array::with_max_entries(24, 0);
//! #[map]
//! static YESTERDAY: Array<u64> = Array::with_max_entries(24, 0);
//! #[map]
//! static DAYS: ArrayOfMaps<Array<u64>> =
//!     ArrayOfMaps::with_max_entries(7, 0, Array::with_max_entries(24, 0))
//!         .values(&[&TODAY, &YESTERDAY]);
//!
//! fn at_noon(day: u32) -> Option<u64> {
//!     DAYS.get_value(day, &12).copied()
//! }
//! # fn main() {}
//! ```

use core::ptr::NonNull;

use crate::maps::{Map, SafeInnerLookup, def::map_type, ops};

/// What a map of maps holds: maps from the start, and what all of them look like.
#[derive(Debug)]
#[repr(C)]
pub struct OfMaps<M: 'static> {
    pub(crate) values: &'static [&'static M],
    inner: M,
}

impl<M> OfMaps<M> {
    const fn new(inner: M) -> Self {
        Self { values: &[], inner }
    }
}

map_type! {
    /// Maps by index. Since Linux 4.12.
    ArrayOfMaps<M: 'static>: u32 => u32, ARRAY_OF_MAPS,
    /// Room for `max_entries` maps that look like `template`; `flags` are creation flags.
    with_max_entries(max_entries, flags; template: M) = (max_entries, flags),
    OfMaps<M> = OfMaps::new(template)
}

map_type! {
    /// Maps by key. Since Linux 4.12.
    HashOfMaps<K, M: 'static>: K => u32, HASH_OF_MAPS,
    /// Room for `max_entries` maps that look like `template`; `flags` are creation flags.
    with_max_entries(max_entries, flags; template: M) = (max_entries, flags),
    OfMaps<M> = OfMaps::new(template)
}

impl<M> ArrayOfMaps<M> {
    /// Holds these maps from the start, from index 0 on.
    pub const fn values(mut self, maps: &'static [&'static M]) -> Self {
        self.definition().content().values = maps;
        self
    }

    /// The map at `index`, `None` where there is none.
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<&M> {
        // SAFETY: an inner map's address stands for it and stays valid while the program runs.
        ops::lookup(self.as_ptr(), &index).map(|map| unsafe { map.as_ref() })
    }
}

impl<M: Map> ArrayOfMaps<M> {
    /// The address of the value of `key` in the map at `index`; `None` where there is no map or no
    /// value.
    #[inline(always)]
    pub fn get_value_ptr_mut(&self, index: u32, key: &M::Key) -> Option<*mut M::Value> {
        self.get(index)
            .and_then(|map| value_of(map, key))
            .map(NonNull::as_ptr)
    }

    /// The value of `key` in the map at `index`; `None` where there is no map or no value.
    #[inline(always)]
    pub fn get_value(&self, index: u32, key: &M::Key) -> Option<&M::Value>
    where
        M: SafeInnerLookup,
    {
        // SAFETY: values of such maps exist as long as the map, and start as zeros.
        self.get(index)
            .and_then(|map| value_of(map, key))
            .map(|value| unsafe { value.as_ref() })
    }
}

impl<M> HashOfMaps<u32, M> {
    /// Holds these maps from the start, behind the keys 0, 1, 2 and so on.
    pub const fn values(mut self, maps: &'static [&'static M]) -> Self {
        self.definition().content().values = maps;
        self
    }
}

impl<K, M> HashOfMaps<K, M> {
    /// The map of `key`, `None` where there is none.
    ///
    /// # Safety
    ///
    /// None that the kernel does not keep: an inner map that user space takes out meanwhile stays
    /// until the program has ended. The function is unsafe for those who write it so.
    #[inline(always)]
    pub unsafe fn get(&self, key: &K) -> Option<&M> {
        // SAFETY: an inner map's address stands for it and stays valid while the program runs.
        ops::lookup(self.as_ptr(), key).map(|map| unsafe { map.as_ref() })
    }
}

impl<K, M: Map> HashOfMaps<K, M> {
    /// The value of `inner_key` in the map of `key`; `None` where there is no map or no value.
    ///
    /// # Safety
    ///
    /// As for [`HashMap::get`](crate::maps::HashMap::get) of the inner map.
    #[inline(always)]
    pub unsafe fn get_value(&self, key: &K, inner_key: &M::Key) -> Option<&M::Value> {
        // SAFETY: the caller's promise.
        unsafe { self.get_value_ptr_mut(key, inner_key).map(|value| &*value) }
    }

    /// The address of the value of `inner_key` in the map of `key`; `None` where there is no map or no
    /// value.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get).
    #[inline(always)]
    pub unsafe fn get_value_ptr_mut(&self, key: &K, inner_key: &M::Key) -> Option<*mut M::Value> {
        // SAFETY: the caller's promise.
        let map = unsafe { self.get(key) }?;
        value_of(map, inner_key).map(NonNull::as_ptr)
    }
}

/// The value of `key` in an inner map, whose address is what the kernel found.
#[inline(always)]
fn value_of<M: Map>(map: &M, key: &M::Key) -> Option<NonNull<M::Value>> {
    ops::lookup(core::ptr::from_ref(map).cast_mut().cast(), key)
}
