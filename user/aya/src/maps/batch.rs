//! Many elements by one system call, and one by one where the kernel lacks that.
//!
//! The kernel has had batches since 5.6; not for all types from the beginning, and not each of the
//! four commands for all of them. It says so for a type with `ENOTSUPP`; what `EINVAL` means, the
//! probe of [`Feature::MapBatches`] tells.

use std::{error::Error, fmt, mem, ops::Range, slice::ChunksExact};

use aya_sys::{
    Errno,
    bpf::{Batch, Position},
};
use aya_uapi::bindings::BPF_F_LOCK;

use super::{ENOTSUPP, MapData, MapError, Pod, pod, value::Value};
use crate::features::{Feature, is_unknown};

/// Why a batch ended before its end.
#[derive(Debug)]
pub struct BatchError {
    /// How many elements were done: as many of the first ones of the batch. Of a removal, those that
    /// were not there count too.
    pub done: usize,
    /// Why the next one was not.
    pub error: MapError,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for BatchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message is the inner error's own, so its source comes next.
        self.error.source()
    }
}

impl From<BatchError> for MapError {
    fn from(error: BatchError) -> Self {
        error.error
    }
}

/// The bytes of keys and values that are in memory at once.
const MEMORY: usize = 1 << 15;

/// How many elements the first batch has, so that somebody who wants a few pays for a few.
const FIRST: usize = 128;

/// Reads a map in batches, or empties it. The memory for elements is allocated at the beginning, and
/// again only to be doubled.
#[derive(Debug)]
pub(super) struct Batches<'map> {
    map: &'map MapData,
    take: bool,
    position: Position,
    keys: Vec<u8>,
    values: Vec<u8>,
    /// Elements that the memory has room for.
    room: usize,
    /// Elements that were read, and the one of them that comes next.
    filled: usize,
    next: usize,
}

impl<'map> Batches<'map> {
    pub(super) const fn new(map: &'map MapData, take: bool) -> Self {
        Self {
            map,
            take,
            position: Position::new(),
            keys: Vec::new(),
            values: Vec::new(),
            room: 0,
            filled: 0,
            next: 0,
        }
    }

    /// The next element, if it was read already: its key, and bytes that begin with its value. From one
    /// value to the next there are `stride` bytes.
    #[inline]
    pub(super) fn at_hand<K: Pod>(&mut self, stride: usize) -> Option<(K, &[u8])> {
        let at = self.next;
        if at == self.filled {
            return None;
        }
        self.next += 1;
        let key = self.keys.get(at * size_of::<K>()..)?;
        let value = self.values.get(at * stride..)?;
        Some((pod::from_prefix(key)?, value))
    }

    /// All elements that were read already, as [`at_hand`](Self::at_hand) gives them.
    #[inline]
    pub(super) fn all_at_hand<K: Pod>(
        &mut self,
        stride: usize,
    ) -> impl Iterator<Item = (K, &[u8])> {
        let read = mem::replace(&mut self.next, self.filled)..self.filled;
        let keys = elements(&self.keys, &read, size_of::<K>());
        let values = elements(&self.values, &read, stride);
        keys.zip(values)
            .filter_map(|(key, value)| Some((pod::from_prefix(key)?, value)))
    }

    /// Whether nothing was read yet, so that another way can be tried.
    #[inline]
    pub(super) const fn is_new(&self) -> bool {
        !self.position.has_begun()
    }

    /// The key to go on behind, one by one, when the next one has no value.
    pub(super) fn last_key<K: Pod>(&self) -> Option<K> {
        self.position.last_key().and_then(pod::from_prefix)
    }

    /// Ends the walk.
    pub(super) fn end(&mut self) {
        self.position.end();
        (self.filled, self.next) = (0, 0);
    }

    /// Reads the next batch, when nothing is [at hand](Self::at_hand) any more; `false` at the end.
    pub(super) fn fill(&mut self) -> Result<bool, aya_sys::Error> {
        (self.filled, self.next) = (0, 0);
        let most = self.map.max_entries() as usize;
        let raw = self.map.fd().raw();
        let fit = MEMORY / (raw.key_size() + raw.value_size()).max(1);
        if self.room == 0 {
            self.make_room(FIRST.min(most).min(fit).max(1));
        } else if self.room < most && 2 * self.room <= fit {
            self.make_room(2 * self.room);
        }
        while self.filled == 0 && !self.position.has_ended() {
            let batch = Batch {
                keys: &mut self.keys,
                values: &mut self.values,
            };
            let read = raw.lookup_batch(&mut self.position, batch, self.take, 0);
            match read {
                Ok(count) => self.filled = count.min(self.room),
                // More than there is room for stand together, but not more than all.
                Err(error) if error.errno == Errno::ENOSPC && self.room <= most => {
                    self.make_room(2 * self.room);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled > 0)
    }

    fn make_room(&mut self, elements: usize) {
        let raw = self.map.fd().raw();
        self.room = elements;
        self.keys.resize(elements * raw.key_size(), 0);
        self.values.resize(elements * raw.value_size(), 0);
    }
}

/// The elements of `size` bytes in a range of a buffer of them.
#[inline]
fn elements<'a>(buffer: &'a [u8], range: &Range<usize>, size: usize) -> ChunksExact<'a, u8> {
    let bytes = buffer.get(range.start * size..range.end * size);
    bytes.unwrap_or_default().chunks_exact(size.max(1))
}

impl MapData {
    /// Whether the kernel may do several elements at once.
    pub(super) fn may_batch(&self) -> bool {
        self.features().may_have(Feature::MapBatches)
    }

    /// Whether that is how the kernel refuses a batch because it has none, for this type or at all.
    pub(super) fn lacks_batches(&self, error: &aya_sys::Error) -> bool {
        error.errno == ENOTSUPP || (is_unknown(error) && !self.features().has(Feature::MapBatches))
    }

    pub(super) fn check_all_bounds(&self, indices: &[u32]) -> Result<(), BatchError> {
        let beyond = indices
            .iter()
            .try_for_each(|index| self.check_bounds(*index));
        beyond.map_err(|error| BatchError { done: 0, error })
    }

    /// Sets elements, in order.
    pub(super) fn insert_batch<K: Pod, V: Value>(
        &mut self,
        keys: &[K],
        values: &[V],
        flags: u64,
    ) -> Result<usize, BatchError> {
        let mut done = 0;
        if keys.len() != values.len() {
            let error = MapError::BatchMismatch {
                name: self.name().to_owned(),
                keys: keys.len(),
                values: values.len(),
            };
            return Err(BatchError { done, error });
        }
        // The kernel has no batch of only new, or only old, elements.
        if self.may_batch() && flags & !u64::from(BPF_F_LOCK) == 0 {
            let raw = self.fd().raw();
            let at_once = (MEMORY / raw.value_size().max(1)).max(1);
            for (keys, values) in keys.chunks(at_once).zip(values.chunks(at_once)) {
                let values = V::bytes_of_all(values);
                let (count, result) = raw.update_batch(pod::bytes_of_slice(keys), &values, flags);
                done += count;
                match result {
                    Ok(()) => {}
                    Err(error) if self.lacks_batches(&error) => break,
                    Err(error) => {
                        let error = self.refused(error);
                        return Err(BatchError { done, error });
                    }
                }
            }
        }
        for (key, value) in keys.iter().zip(values).skip(done) {
            match self.set(key, value, flags) {
                Ok(()) => done += 1,
                Err(error) => return Err(BatchError { done, error }),
            }
        }
        Ok(done)
    }

    /// Removes those of the elements that are there; returns how many.
    pub(super) fn remove_batch<K: Pod>(&mut self, keys: &[K]) -> Result<usize, BatchError> {
        let (mut done, mut removed) = (0, 0);
        while self.may_batch()
            && let Some(rest @ [_, ..]) = keys.get(done..)
        {
            let (count, result) = self.fd().raw().delete_batch(pod::bytes_of_slice(rest));
            done += count;
            removed += count;
            match result {
                Ok(()) => {}
                // It is not there: on behind it.
                Err(error) if error.errno == Errno::ENOENT => done += 1,
                Err(error) if self.lacks_batches(&error) => break,
                Err(error) => {
                    let error = self.refused(error);
                    return Err(BatchError { done, error });
                }
            }
        }
        for key in keys.iter().skip(done) {
            match self.remove(key) {
                Ok(()) => removed += 1,
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(BatchError { done, error }),
            }
            done += 1;
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use aya_sys::fake::{self, Call, Reply};
    use aya_uapi::{Cmd, attr};

    use super::*;
    use crate::{
        features::Features,
        maps::{HashMap, MapOptions},
    };

    /// What `walk` gives of a map of 1000 entries on a kernel that answers like `kernel`, with the
    /// commands that it saw after the creation.
    fn walks(
        kernel: fn(&Call) -> Reply,
        walk: fn(&HashMap<MapData, u32, u64>) -> usize,
    ) -> (usize, Vec<Cmd>) {
        let (count, calls) = fake::run(kernel, move || {
            let features = Features::without(&[]);
            let options = MapOptions::new().max_entries(1000).features(features);
            walk(&HashMap::create_with("", options).unwrap())
        });
        let commands = calls.iter().skip(1).filter_map(|call| call.cmd);
        (count, commands.collect())
    }

    #[test]
    fn what_stands_together_needs_room() {
        let kernel = |call: &Call| match call.cmd {
            // The last ones, and as many as there is room for.
            Some(Cmd::MAP_LOOKUP_BATCH) if call.u32(offset_of!(attr::MapBatch, count)) >= 1000 => {
                Reply::Error(Errno::ENOENT)
            }
            Some(Cmd::MAP_LOOKUP_BATCH) => Reply::Error(Errno::ENOSPC),
            _ => Reply::Fd,
        };
        let (count, commands) = walks(kernel, |map| map.iter().map(Result::unwrap).count());
        assert_eq!(count, 1024);
        assert_eq!(commands, [Cmd::MAP_LOOKUP_BATCH; 4]);

        // More than all cannot stand together: there is an end.
        let kernel = |call: &Call| match call.cmd {
            Some(Cmd::MAP_LOOKUP_BATCH) => Reply::Error(Errno::ENOSPC),
            _ => Reply::Fd,
        };
        let (failed, _) = walks(kernel, |map| map.iter().filter(Result::is_err).count());
        assert_eq!(failed, 1);
    }

    #[test]
    fn large_values_are_read_a_few_at_a_time() {
        let kernel = |call: &Call| match call.cmd {
            // The last ones, as many as there is room for.
            Some(Cmd::MAP_LOOKUP_BATCH) => Reply::Error(Errno::ENOENT),
            _ => Reply::Fd,
        };
        let (count, _) = fake::run(kernel, || {
            let options = MapOptions::new().max_entries(1000);
            let map: HashMap<_, u32, [u8; 15_000]> = HashMap::create_with("", options).unwrap();
            map.iter().map(Result::unwrap).count()
        });
        assert_eq!(count, 2);
    }

    #[test]
    fn kernels_without_batches_are_found_out_once() {
        let kernel = |call: &Call| match call.cmd {
            Some(Cmd::MAP_LOOKUP_BATCH | Cmd::MAP_UPDATE_BATCH) => Reply::Error(Errno::EINVAL),
            Some(Cmd::MAP_GET_NEXT_KEY) => Reply::Error(Errno::ENOENT),
            _ => Reply::Fd,
        };
        let (count, commands) = walks(kernel, |map| map.iter().count() + map.iter().count());
        assert_eq!(count, 0);
        assert_eq!(
            commands,
            [
                Cmd::MAP_LOOKUP_BATCH,
                Cmd::MAP_CREATE,
                Cmd::MAP_UPDATE_BATCH,
                Cmd::MAP_GET_NEXT_KEY,
                Cmd::MAP_GET_NEXT_KEY
            ]
        );
    }

    #[test]
    fn a_type_without_batches_says_nothing_of_others() {
        let kernel = |call: &Call| match call.cmd {
            Some(Cmd::MAP_LOOKUP_BATCH) => Reply::Error(ENOTSUPP),
            Some(Cmd::MAP_GET_NEXT_KEY) => Reply::Error(Errno::ENOENT),
            _ => Reply::Fd,
        };
        let (count, commands) = walks(kernel, |map| map.iter().count() + map.iter().count());
        assert_eq!(count, 0);
        assert_eq!(
            commands,
            [
                Cmd::MAP_LOOKUP_BATCH,
                Cmd::MAP_GET_NEXT_KEY,
                Cmd::MAP_LOOKUP_BATCH,
                Cmd::MAP_GET_NEXT_KEY
            ]
        );
    }
}
