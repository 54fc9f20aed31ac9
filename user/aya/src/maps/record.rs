//! [`Record`]: what a program sent.

use std::ops::Deref;

use super::{MapError, Pod, pod};

/// What a program sent through a channel, in the place where it wrote it. Its address is a multiple of
/// 8 in ring buffers.
///
/// ```no_run
/// # fn example(mut map: aya::maps::Map) -> Result<(), aya::maps::MapError> {
/// use aya::maps::RingBuf;
///
/// let mut events = RingBuf::try_from(&mut map)?;
/// while let Some(event) = events.next() {
///     let pid: u32 = event.read()?;
///     println!("process {pid}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    bytes: &'a [u8],
    map: &'a str,
}

impl<'a> Record<'a> {
    #[inline]
    pub(super) const fn new(map: &'a str, bytes: &'a [u8]) -> Self {
        Self { bytes, map }
    }

    /// The record's bytes.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The record as a `T`.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidRecordSize`] when it has not exactly the size of a `T`.
    #[inline]
    pub fn read<T: Pod>(&self) -> Result<T, MapError> {
        match self.split()? {
            (value, []) => Ok(value),
            _ => Err(self.wrong_size::<T>()),
        }
    }

    /// A `T` at the beginning of the record, and the bytes that follow it.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidRecordSize`] when the record is shorter than a `T`.
    #[inline]
    pub fn split<T: Pod>(&self) -> Result<(T, &'a [u8]), MapError> {
        let (Some(value), Some(rest)) = (
            pod::from_prefix(self.bytes),
            self.bytes.get(size_of::<T>()..),
        ) else {
            return Err(self.wrong_size::<T>());
        };
        Ok((value, rest))
    }

    #[cold]
    fn wrong_size<T>(&self) -> MapError {
        MapError::InvalidRecordSize {
            name: self.map.to_owned(),
            size: size_of::<T>(),
            found: self.bytes.len(),
        }
    }
}

impl Deref for Record<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        let record = Record::new("EVENTS", &[1, 0, 0, 0, 2, 0]);
        assert_eq!(
            record.split::<[u8; 4]>().unwrap(),
            ([1, 0, 0, 0], &[2, 0][..])
        );
        assert_eq!(
            record.read::<[u16; 3]>().unwrap().map(u16::to_le),
            [1, 0, 2]
        );
        for error in [
            record.read::<u32>().unwrap_err(),
            record.split::<u64>().unwrap_err(),
        ] {
            assert!(
                error
                    .to_string()
                    .starts_with("map `EVENTS` sent a record of 6 bytes")
            );
        }
    }
}
