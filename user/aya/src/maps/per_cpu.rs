//! Values that exist once per CPU.

use std::{fmt, io, ops::Deref};

use super::{MapError, Pod, pod};
use crate::{sys::SyscallError, util};

/// The number of values that an element of a per-CPU map has.
pub(crate) fn possible_cpus() -> Result<usize, MapError> {
    Ok(aya_sys::possible_cpus().map_err(SyscallError::from)?)
}

/// The values of one element of a per-CPU map: as many as the kernel knows
/// [possible CPUs](crate::util::nr_cpus), in the order of their numbers.
///
/// ```no_run
/// use aya::{maps::PerCpuValues, util::nr_cpus};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cpus = nr_cpus().map_err(|(_, error)| error)?;
/// let values = PerCpuValues::try_from(vec![0u32; cpus])?;
/// assert_eq!(values.iter().sum::<u32>(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PerCpuValues<T: Pod> {
    values: Box<[T]>,
}

impl<T: Pod> PerCpuValues<T> {
    /// The kernel lays every CPU's value out at a multiple of 8 bytes.
    const STRIDE: usize = size_of::<T>().next_multiple_of(8);

    /// Memory for one element as the kernel reads and writes it, all zeros.
    pub(crate) fn buffer() -> Result<Vec<u8>, MapError> {
        Ok(vec![0; Self::STRIDE * possible_cpus()?])
    }

    pub(crate) fn from_buffer(buffer: &[u8]) -> Self {
        let values = buffer.chunks_exact(Self::STRIDE.max(1));
        Self {
            values: values.filter_map(pod::from_prefix).collect(),
        }
    }

    pub(crate) fn to_buffer(&self) -> Result<Vec<u8>, MapError> {
        let mut buffer = Self::buffer()?;
        let places = buffer.chunks_exact_mut(Self::STRIDE.max(1));
        for (place, value) in places.zip(&*self.values) {
            let bytes = pod::bytes_of(value);
            if let Some(place) = place.get_mut(..bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        Ok(buffer)
    }
}

impl<T: Pod> TryFrom<Vec<T>> for PerCpuValues<T> {
    type Error = io::Error;

    /// # Errors
    ///
    /// When `values` does not hold exactly one value per possible CPU
    /// ([`io::ErrorKind::InvalidInput`]), or their number cannot be read.
    fn try_from(values: Vec<T>) -> Result<Self, io::Error> {
        let cpus = util::nr_cpus().map_err(|(_, error)| error)?;
        if values.len() != cpus {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{} per-CPU values given, but there are {cpus} possible CPUs: give as many \
                     as `aya::util::nr_cpus()` says",
                    values.len()
                ),
            ));
        }
        Ok(Self {
            values: values.into(),
        })
    }
}

impl<T: Pod> Deref for PerCpuValues<T> {
    type Target = Box<[T]>;

    fn deref(&self) -> &Self::Target {
        &self.values
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for PerCpuValues<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_at_multiples_of_eight_bytes() {
        let cpus = possible_cpus().unwrap();
        let values = PerCpuValues::try_from(vec![[1u8, 2, 3]; cpus]).unwrap();
        let buffer = values.to_buffer().unwrap();
        assert_eq!(buffer.len(), 8 * cpus);
        assert_eq!(buffer.get(..8), Some(&[1, 2, 3, 0, 0, 0, 0, 0][..]));
        assert_eq!(PerCpuValues::from_buffer(&buffer), values);
    }

    #[test]
    fn the_number_of_values_is_checked() {
        let cpus = possible_cpus().unwrap();
        let error = PerCpuValues::try_from(vec![0u64; cpus + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
