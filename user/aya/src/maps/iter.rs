//! Walking a map: the keys, and the keys with their values.

use std::{marker::PhantomData, mem};

use super::{MapData, MapError, Pod, pod};

/// A map whose entries can be walked.
pub trait IterableMap<K: Pod, V> {
    /// The map behind the handle.
    fn map(&self) -> &MapData;

    /// The value of `key`.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    fn get(&self, key: &K) -> Result<V, MapError>;
}

/// Walks the keys of a map.
///
/// # While the map changes
///
/// The kernel finds the key after a given one, and starts again at the first when the given one
/// is gone. This iterator therefore asks for the next key *before* it hands out the current one:
///
/// * The key just handed out can be removed, and the walk goes on behind it.
/// * Only when the very key that is to come next is removed (by another process, a program, or an
///   LRU map that makes room) does the walk start again. Keys can then come twice, and each such
///   restart needs one removal, so the walk ends when the removals do.
/// * A key that stays in the map during the whole walk comes at least once. A key inserted or
///   removed meanwhile may come or not.
///
/// After an error the iterator ends.
#[derive(Debug)]
pub struct MapKeys<'coll, K: Pod> {
    map: &'coll MapData,
    next: Next<K>,
}

#[derive(Debug)]
enum Next<K> {
    /// Nothing was asked yet.
    First,
    /// Found when the key before it was handed out.
    Known(K),
    /// What the kernel said when asked for the key behind the last one handed out.
    Failed(MapError),
    End,
}

impl<'coll, K: Pod> MapKeys<'coll, K> {
    pub(crate) fn new(map: &'coll MapData) -> Self {
        Self {
            map,
            next: Next::First,
        }
    }

    fn after(&self, key: Option<&K>) -> Next<K> {
        let mut next = pod::zeroed();
        match self
            .map
            .next_key(key.map(pod::bytes_of), pod::bytes_of_mut(&mut next))
        {
            Ok(true) => Next::Known(next),
            Ok(false) => Next::End,
            Err(error) => Next::Failed(error),
        }
    }
}

impl<K: Pod> Iterator for MapKeys<'_, K> {
    type Item = Result<K, MapError>;

    fn next(&mut self) -> Option<Result<K, MapError>> {
        if matches!(self.next, Next::First) {
            self.next = self.after(None);
        }
        match mem::replace(&mut self.next, Next::End) {
            Next::Known(key) => {
                self.next = self.after(Some(&key));
                Some(Ok(key))
            }
            Next::Failed(error) => Some(Err(error)),
            Next::First | Next::End => None,
        }
    }
}

/// Walks the entries of a map, keys with values. Changes of the map meanwhile are described at
/// [`MapKeys`]; entries removed between finding the key and reading the value are skipped.
#[derive(Debug)]
pub struct MapIter<'coll, K: Pod, V, I: IterableMap<K, V>> {
    keys: MapKeys<'coll, K>,
    map: &'coll I,
    values: PhantomData<fn() -> V>,
}

impl<'coll, K: Pod, V, I: IterableMap<K, V>> MapIter<'coll, K, V, I> {
    pub(crate) fn new(map: &'coll I) -> Self {
        Self {
            keys: MapKeys::new(map.map()),
            map,
            values: PhantomData,
        }
    }
}

impl<K: Pod, V, I: IterableMap<K, V>> Iterator for MapIter<'_, K, V, I> {
    type Item = Result<(K, V), MapError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = match self.keys.next()? {
                Ok(key) => key,
                Err(error) => return Some(Err(error)),
            };
            match self.map.get(&key) {
                Ok(value) => return Some(Ok((key, value))),
                Err(MapError::KeyNotFound) => {}
                Err(error) => {
                    self.keys.next = Next::End;
                    return Some(Err(error));
                }
            }
        }
    }
}
