//! How values lie in the buffers that the kernel reads and writes: a plain value as it is, the values
//! of an element of a per-CPU map one after the other, each at a multiple of 8 bytes.

use std::{borrow::Cow, cell::RefCell};

use super::{MapError, PerCpuValues, Pod, pod};

/// What is got from a map and put into it.
pub(crate) trait Value: Sized {
    /// The bytes of one, if that is the same on all machines.
    const SIZE: Option<usize>;

    /// One that is all zeros.
    fn zeroed() -> Result<Self, MapError>;

    /// Takes the value that `write` puts into a buffer as the kernel does.
    fn fill(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<(), MapError>,
    ) -> Result<(), MapError>;

    /// Gives `read` the value's bytes as the kernel takes them.
    fn bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R;

    /// The value with these bytes; `None` when there are too few of them.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    /// The bytes of several, one after the other.
    fn bytes_of_all(values: &[Self]) -> Cow<'_, [u8]>;
}

impl<V: Pod> Value for V {
    const SIZE: Option<usize> = Some(size_of::<V>());

    #[inline]
    fn zeroed() -> Result<Self, MapError> {
        Ok(pod::zeroed())
    }

    #[inline]
    fn fill(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<(), MapError>,
    ) -> Result<(), MapError> {
        write(pod::bytes_of_mut(self))
    }

    #[inline]
    fn bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(pod::bytes_of(self))
    }

    #[inline]
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        pod::from_prefix(bytes)
    }

    fn bytes_of_all(values: &[Self]) -> Cow<'_, [u8]> {
        Cow::Borrowed(pod::bytes_of_slice(values))
    }
}

impl<V: Pod> Value for PerCpuValues<V> {
    const SIZE: Option<usize> = None;

    #[inline]
    fn zeroed() -> Result<Self, MapError> {
        Self::new()
    }

    #[inline]
    fn fill(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<(), MapError>,
    ) -> Result<(), MapError> {
        if Self::IS_DENSE {
            return write(pod::bytes_of_slice_mut(self.as_mut_slice()));
        }
        scratch(self.layout_size(), |buffer| {
            write(buffer)?;
            self.read(buffer);
            Ok(())
        })
    }

    #[inline]
    fn bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        if Self::IS_DENSE {
            return read(pod::bytes_of_slice(self));
        }
        scratch(self.layout_size(), |buffer| {
            self.write(buffer);
            read(buffer)
        })
    }

    #[inline]
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut values = Self::new().ok()?;
        values.read(bytes);
        Some(values)
    }

    fn bytes_of_all(values: &[Self]) -> Cow<'_, [u8]> {
        let size = values.first().map_or(0, Self::layout_size);
        let mut buffer = vec![0; size * values.len()];
        for (place, values) in buffer.chunks_exact_mut(size.max(1)).zip(values) {
            values.write(place);
        }
        Cow::Owned(buffer)
    }
}

/// Lends `len` bytes of the thread's own memory, which is allocated once. What they are is anybody's
/// guess.
pub(crate) fn scratch<R>(len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
    /// More is not kept.
    const KEPT: usize = 1 << 16;
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    // A thread that is about to end has none.
    let kept = BUFFER.try_with(RefCell::take);
    let mut buffer = kept.unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    let result = f(buffer.get_mut(..len).unwrap_or_default());
    if buffer.len() <= KEPT {
        let _ = BUFFER.try_with(|place| place.replace(buffer));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_memory_is_used_again_and_nests() {
        let first = scratch(100, |outer| {
            outer.fill(1);
            scratch(50, |inner| inner.fill(2));
            assert!(outer.iter().all(|byte| *byte == 1));
            outer.as_ptr()
        });
        assert_eq!(scratch(100, |again| again.as_ptr()), first);
        assert_eq!(scratch(1 << 20, |large| large.len()), 1 << 20);
    }
}
