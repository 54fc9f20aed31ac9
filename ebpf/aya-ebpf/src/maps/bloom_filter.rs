//! Bloom filters: sets that answer "no" for certain and "yes" probably.

use core::mem::MaybeUninit;

use crate::{
    helpers::generated as raw,
    maps::{def::map_type, ops},
};

map_type! {
    /// A Bloom filter. Since Linux 5.16.
    BloomFilter<T>: () => T, BLOOM_FILTER,
    /// A filter sized for `max_entries` values; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl<T> BloomFilter<T> {
    /// Every value sets this many bits, 1 to 15: more make wrong answers rarer and operations slower.
    /// The kernel takes 5 where nothing is said.
    pub const fn hash_functions(mut self, count: u32) -> Self {
        assert!(count <= 15, "a Bloom filter has at most 15 hash functions");
        self.definition().set_extra(count as u64);
        self
    }

    /// Whether `value` may have been inserted.
    ///
    /// # Errors
    ///
    /// `-ENOENT` when it was not.
    #[inline(always)]
    pub fn contains(&self, value: &T) -> Result<(), i32> {
        // The helper's description says that it writes the value, as it does for other maps. So Linux 7.2
        // forgets at the next branch what is on the stack, and refuses the program for reading it, unless
        // it is written right here.
        let mut copy = MaybeUninit::<T>::uninit();
        // SAFETY: bytes of the caller's, which nobody takes for a `T`.
        unsafe { copy.as_mut_ptr().write_volatile(core::ptr::read(value)) };
        // SAFETY: the map's values are `T`; the helper only reads here.
        ops::check(unsafe { raw::bpf_map_peek_elem(self.as_ptr(), copy.as_mut_ptr().cast()) })
    }

    /// Inserts `value`; `flags` must be `BPF_ANY` (0).
    ///
    /// # Errors
    ///
    /// A negative error number.
    #[inline(always)]
    pub fn insert(&self, value: &T, flags: u64) -> Result<(), i32> {
        // SAFETY: the map's values are `T`.
        ops::check(unsafe { raw::bpf_map_push_elem(self.as_ptr(), ops::address(value), flags) })
    }
}
