//! Whether a handle fits the map that it is made of, and an index the map.

use aya_uapi::MapType;

use super::{MapData, MapError};

impl MapData {
    /// Refuses a map of another type, whatever a [`Map`](super::Map) says of it: a handle that reads memory
    /// which is another type's would take anything for what the kernel has written.
    pub(super) fn check_type(&self, expected: MapType) -> Result<(), MapError> {
        match self.map_type() == expected {
            true => Ok(()),
            false => Err(MapError::InvalidMapType {
                name: Some(self.name().to_owned()),
                map_type: self.map_type().0,
            }),
        }
    }

    pub(crate) fn check_sizes(&self, key: usize, value: usize) -> Result<(), MapError> {
        self.check_key(key)?;
        self.check_value(value)
    }

    pub(crate) fn check_key(&self, size: usize) -> Result<(), MapError> {
        let expected = self.shape().key_size as usize;
        match size == expected {
            true => Ok(()),
            false => Err(MapError::InvalidKeySize {
                name: self.name().to_owned(),
                size,
                expected,
            }),
        }
    }

    pub(crate) fn check_value(&self, size: usize) -> Result<(), MapError> {
        let expected = self.shape().value_size as usize;
        match size == expected {
            true => Ok(()),
            false => Err(MapError::InvalidValueSize {
                name: self.name().to_owned(),
                size,
                expected,
            }),
        }
    }

    #[inline]
    pub(crate) fn check_bounds(&self, index: u32) -> Result<(), MapError> {
        let max_entries = self.shape().max_entries;
        match index < max_entries {
            true => Ok(()),
            false => Err(MapError::OutOfBounds {
                name: self.name().to_owned(),
                index,
                max_entries,
            }),
        }
    }
}
