//! [`BloomFilter`]: a set that knows for sure what it does not hold.

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    path::Path,
};

use super::{
    Map, MapData, MapError, Pod,
    handle::{create, handle},
};
use crate::pin::PinError;

handle! {
    /// A set of values that may claim to hold what it does not, never the other way round, of type
    /// `BPF_MAP_TYPE_BLOOM_FILTER` (since kernel 5.16). Nothing can be taken out.
    BloomFilter<V>, key: (), value: V, from BloomFilter
}
create!(BloomFilter<V>, key: (), value: V, BloomFilter);

impl<T: Borrow<MapData>, V: Pod> BloomFilter<T, V> {
    /// Whether the set may hold `value`. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::ElementNotFound`] when it does not hold it for sure, [`MapError::SyscallError`]
    /// when the kernel refuses.
    pub fn contains(&self, value: impl Borrow<V>, flags: u64) -> Result<(), MapError> {
        self.inner.borrow().probe(*value.borrow(), flags).map(drop)
    }
}

impl<T: BorrowMut<MapData>, V: Pod> BloomFilter<T, V> {
    /// Adds `value`. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn insert(&mut self, value: impl Borrow<V>, flags: u64) -> Result<(), MapError> {
        self.inner.borrow_mut().push(value.borrow(), flags)
    }
}
