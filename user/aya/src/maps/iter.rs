//! Walking a map: the keys, and the keys with their values.

use std::{marker::PhantomData, mem};

use aya_sys::Errno;
use aya_uapi::MapType;

use super::{MapData, MapError, Pod, batch::Batches, pod, value::scratch};

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

    /// Whether entries are read in batches, from which [`decode`](Self::decode) takes the values.
    #[doc(hidden)]
    fn in_batches(&self) -> bool {
        false
    }

    /// How many bytes there are from one value of a batch to the next.
    #[doc(hidden)]
    #[inline]
    fn stride(&self) -> usize {
        self.map().fd().raw().value_size()
    }

    /// The value that the kernel has written as `bytes`.
    #[doc(hidden)]
    fn decode(&self, bytes: &[u8]) -> Option<V> {
        let _ = bytes;
        None
    }
}

/// Any map whose keys and values have these sizes: what the kernel gives as values, ids of maps and
/// cookies of sockets too. Of other maps the kernel's calls fail.
impl<K: Pod, V: Pod> IterableMap<K, V> for MapData {
    fn map(&self) -> &MapData {
        self
    }

    fn get(&self, key: &K) -> Result<V, MapError> {
        Self::get(self, key, 0)
    }

    fn in_batches(&self) -> bool {
        // Their size decides how many there are in a batch.
        self.check_sizes(size_of::<K>(), size_of::<V>()).is_ok()
    }

    #[inline]
    fn stride(&self) -> usize {
        size_of::<V>()
    }

    #[inline]
    fn decode(&self, bytes: &[u8]) -> Option<V> {
        pod::from_prefix(bytes)
    }
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
/// * A key that stays in the map during the whole walk, and whose value nobody replaces, comes at least
///   once. A key inserted or removed meanwhile may come or not; of a hash map, so may one whose value is
///   replaced, or come twice, for the kernel puts a new element where the walk may have been already.
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

    /// Goes on behind a key.
    fn behind(map: &'coll MapData, key: Option<K>) -> Self {
        let mut keys = Self::new(map);
        if let Some(key) = key {
            keys.next = keys.after(Some(&key));
        }
        keys
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

/// Walks the entries of a map, keys with values.
///
/// # In batches
///
/// Where the kernel can (since 5.6; see [`Feature::MapBatches`]), entries are read many at a time,
/// several times faster than one by one: at first 128, then more with each call, up to 32 KiB. A
/// value is as it was when its batch was read, and an entry may come that was removed since. An entry
/// that stays in the map during the whole walk comes at least once.
///
/// Elsewhere each entry takes two calls: what changes of the map do then is said at [`MapKeys`], and
/// entries removed between finding the key and reading the value are skipped.
///
/// A map of type `BPF_MAP_TYPE_RHASH` moves its entries when it becomes larger or smaller: then entries
/// may be left out or come twice.
///
/// After an error the iterator ends.
///
/// [`Feature::MapBatches`]: crate::features::Feature::MapBatches
#[derive(Debug)]
pub struct MapIter<'coll, K: Pod, V, I: IterableMap<K, V>> {
    source: Source<'coll, K>,
    map: &'coll I,
    /// Whether what is read is taken out.
    take: bool,
    values: PhantomData<fn() -> V>,
}

#[derive(Debug)]
enum Source<'coll, K: Pod> {
    Batches(Batches<'coll>),
    Keys(MapKeys<'coll, K>),
}

impl<'coll, K: Pod, V, I: IterableMap<K, V>> MapIter<'coll, K, V, I> {
    pub(crate) fn new(map: &'coll I) -> Self {
        Self::of(map, false)
    }

    fn of(map: &'coll I, take: bool) -> Self {
        let data = map.map();
        let source = match map.in_batches() && data.may_batch() {
            true => Source::Batches(Batches::new(data, take)),
            false => Source::Keys(MapKeys::new(data)),
        };
        Self {
            source,
            map,
            take,
            values: PhantomData,
        }
    }

    /// The value of a key that was found.
    fn value(&self, key: &K) -> Result<V, MapError> {
        if !self.take {
            return self.map.get(key);
        }
        let map = self.map.map();
        scratch(map.fd().raw().value_size(), |value| {
            map.take_out(pod::bytes_of(key), value)?;
            self.map.decode(value).ok_or(MapError::KeyNotFound)
        })
    }
}

impl<K: Pod, V, I: IterableMap<K, V>> Iterator for MapIter<'_, K, V, I> {
    type Item = Result<(K, V), MapError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.at_hand() {
            Some(entry) => entry,
            None => match self.fetch() {
                Ok(entry) => entry?,
                Err(error) => return Some(Err(*error)),
            },
        };
        Some(Ok(entry))
    }

    /// What `for_each`, `sum` and their like do: a batch at a time, with less between two entries than
    /// a loop over [`next`](Self::next) has.
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(mut self, init: B, mut f: F) -> B {
        let mut state = init;
        loop {
            if let Source::Batches(batches) = &mut self.source {
                for (key, value) in batches.all_at_hand(self.map.stride()) {
                    if let Some(value) = self.map.decode(value) {
                        state = f(state, Ok((key, value)));
                    }
                }
            }
            state = match self.next() {
                Some(entry) => f(state, entry),
                None => return state,
            };
        }
    }
}

impl<K: Pod, V, I: IterableMap<K, V>> MapIter<'_, K, V, I> {
    /// The next entry, if it was read already.
    #[inline]
    fn at_hand(&mut self) -> Option<(K, V)> {
        let Source::Batches(batches) = &mut self.source else {
            return None;
        };
        let (key, value) = batches.at_hand(self.map.stride())?;
        Some((key, self.map.decode(value)?))
    }

    /// The next entry, which is read now. An error is in a box, for else every entry would be moved
    /// about with room for one.
    #[inline(never)]
    fn fetch(&mut self) -> Result<Option<(K, V)>, Box<MapError>> {
        if let Source::Batches(batches) = &mut self.source {
            let is_new = batches.is_new();
            match batches.fill() {
                Ok(false) => return Ok(None),
                Ok(true) => return Ok(self.at_hand()),
                Err(error) if is_new && self.map.map().lacks_batches(&error) => {
                    self.source = Source::Keys(MapKeys::new(self.map.map()));
                }
                Err(error) if error.errno == Errno::EINTR => {
                    let last = batches.last_key();
                    self.source = Source::Keys(MapKeys::behind(self.map.map(), last));
                }
                Err(error) => {
                    batches.end();
                    return Err(self.map.map().refused(error).into());
                }
            }
        }
        loop {
            let Source::Keys(keys) = &mut self.source else {
                return Ok(None);
            };
            let Some(key) = keys.next().transpose()? else {
                return Ok(None);
            };
            match self.value(&key) {
                Ok(value) => return Ok(Some((key, value))),
                Err(MapError::KeyNotFound) => {}
                Err(error) => {
                    if let Source::Keys(keys) = &mut self.source {
                        keys.next = Next::End;
                    }
                    return Err(error.into());
                }
            }
        }
    }
}

/// Takes the entries out of a map, one after the other.
///
/// As [`MapIter`] reads them, this takes them: many at a time, each at once with the reading of its
/// value. Entries that were taken out with the last batch are gone even when the iterator is dropped
/// before it has handed them out.
///
/// Where the kernel lacks batches, each entry is taken by a call of its own (since 5.14), or read and
/// then removed, and a change that a program makes between the two is lost.
#[derive(Debug)]
pub struct MapDrain<'coll, K: Pod, V, I: IterableMap<K, V>> {
    entries: MapIter<'coll, K, V, I>,
    /// How many the walk that goes on has given.
    taken: usize,
}

impl<'coll, K: Pod, V, I: IterableMap<K, V>> MapDrain<'coll, K, V, I> {
    pub(crate) fn new(map: &'coll I) -> Self {
        Self {
            entries: MapIter::of(map, true),
            taken: 0,
        }
    }
}

impl<K: Pod, V, I: IterableMap<K, V>> Iterator for MapDrain<'_, K, V, I> {
    type Item = Result<(K, V), MapError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                self.taken += usize::from(entry.is_ok());
                return Some(entry);
            }
            let map = self.entries.map;
            // Becoming smaller, it moves entries to where the walk has been.
            if map.map().map_type() != MapType::RHASH || self.taken == 0 {
                return None;
            }
            *self = Self::new(map);
        }
    }
}
