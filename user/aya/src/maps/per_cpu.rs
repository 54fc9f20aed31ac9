//! Values that exist once per CPU.

use std::{fmt, io, ops::Deref};

use super::{MapData, MapError, Pod, pod, value::scratch};
use crate::{features::Feature, sys::SyscallError, util};

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

    /// Whether the values lie in memory as the kernel lays them out.
    pub(crate) const IS_DENSE: bool = Self::STRIDE == size_of::<T>();

    /// Zero for each possible CPU. To be filled again and again, without new memory each time
    /// ([`PerCpuArray::get_into`](super::PerCpuArray::get_into)).
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the number of possible CPUs cannot be read.
    pub fn new() -> Result<Self, MapError> {
        Self::all(pod::zeroed())
    }

    /// The same value for each possible CPU.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn all(value: T) -> Result<Self, MapError> {
        Ok(Self {
            values: vec![value; possible_cpus()?].into(),
        })
    }

    /// The values, to be changed. Their number stays.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// The bytes that the kernel reads and writes.
    pub(crate) fn layout_size(&self) -> usize {
        Self::STRIDE * self.values.len()
    }

    /// Takes the values from where the kernel has written them.
    pub(crate) fn read(&mut self, buffer: &[u8]) {
        let places = buffer.chunks_exact(Self::STRIDE.max(1));
        for (place, value) in places.zip(&mut self.values) {
            if let Some(read) = pod::from_prefix(place) {
                *value = read;
            }
        }
    }

    /// Puts the values where the kernel reads them, with zeros between them.
    pub(crate) fn write(&self, buffer: &mut [u8]) {
        let places = buffer.chunks_exact_mut(Self::STRIDE.max(1));
        for (place, value) in places.zip(&self.values) {
            put(place, value);
        }
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

/// What a handle with a value for each CPU can do besides.
macro_rules! per_cpu {
    ($handle:ident<$($param:ident),*>, key: $key:ty $(, $check:ident)?) => {
        impl<T: Borrow<MapData>, $($param: Pod),*> $handle<T, $($param),*> {
            /// Puts the values of `key` into `values`, without new memory. `flags` is 0.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the
            /// kernel refuses; `values` holds anything then.
            pub fn get_into(
                &self,
                key: &$key,
                values: &mut PerCpuValues<V>,
                flags: u64,
            ) -> Result<(), MapError> {
                let map = self.inner.borrow();
                $(map.$check(*key)?;)?
                map.get_into(key, values, flags)
            }

            /// A copy of one CPU's value of `key`. Kernels before 7.0 copy those of all.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when there is none, [`MapError::NoSuchCpu`],
            /// [`MapError::SyscallError`] when the kernel refuses.
            pub fn get_cpu(&self, key: &$key, cpu: u32) -> Result<V, MapError> {
                let map = self.inner.borrow();
                $(map.$check(*key)?;)?
                map.get_cpu(key, cpu)
            }
        }

        impl<T: BorrowMut<MapData>, $($param: Pod),*> $handle<T, $($param),*> {
            /// Sets one CPU's value of `key`, and leaves the others alone. `flags` is as for all.
            /// Since kernel 7.0.
            ///
            /// # Errors
            ///
            /// [`MapError::NoSuchCpu`], [`MapError::KernelTooOld`], [`MapError::Full`], or
            /// [`MapError::SyscallError`] when the kernel refuses.
            pub fn set_cpu(
                &mut self,
                key: &$key,
                cpu: u32,
                value: impl Borrow<V>,
                flags: u64,
            ) -> Result<(), MapError> {
                let map = self.inner.borrow_mut();
                $(map.$check(*key)?;)?
                map.set_cpu(key, cpu, value.borrow(), flags)
            }

            /// Sets the values of `key` on all CPUs to the same. `flags` is as for all.
            ///
            /// # Errors
            ///
            /// [`MapError::Full`], or [`MapError::SyscallError`] when the kernel refuses.
            pub fn set_all(
                &mut self,
                key: &$key,
                value: impl Borrow<V>,
                flags: u64,
            ) -> Result<(), MapError> {
                let map = self.inner.borrow_mut();
                $(map.$check(*key)?;)?
                map.set_all(key, value.borrow(), flags)
            }
        }
    };
}
pub(super) use per_cpu;

/// One CPU's value, and all of them alike.
impl MapData {
    pub(super) fn get_cpu<K: Pod, V: Pod>(&self, key: &K, cpu: u32) -> Result<V, MapError> {
        self.check_cpu(cpu)?;
        let (raw, key) = (self.fd().raw(), pod::bytes_of(key));
        let place = raw.stride() * cpu as usize;
        scratch(raw.value_size(), |buffer| {
            let at = self.features().try_with(Feature::OneCpu, |one| {
                if one {
                    let buffer = buffer.get_mut(..raw.stride()).unwrap_or_default();
                    raw.lookup_on(key, cpu, buffer).map(|()| 0)
                } else {
                    raw.lookup(key, buffer, 0).map(|()| place)
                }
            });
            let at = at.map_err(|error| self.missing(error, MapError::KeyNotFound))?;
            let value = buffer.get(at..).and_then(pod::from_prefix);
            // It is there: the buffer has room for all.
            Ok(value.unwrap_or_else(pod::zeroed))
        })
    }

    pub(super) fn set_cpu<K: Pod, V: Pod>(
        &mut self,
        key: &K,
        cpu: u32,
        value: &V,
        flags: u64,
    ) -> Result<(), MapError> {
        self.check_cpu(cpu)?;
        let (raw, key) = (self.fd().raw(), pod::bytes_of(key));
        let set = self.features().try_with(Feature::OneCpu, |one| {
            if !one {
                return Ok(false);
            }
            scratch(raw.stride(), |buffer| {
                put(buffer, value);
                raw.update_on(key, cpu, buffer, flags).map(|()| true)
            })
        });
        match set {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.too_old("setting one CPU's value in", 7, 0)),
            Err(error) => Err(self.refused(error)),
        }
    }

    pub(super) fn set_all<K: Pod, V: Pod>(
        &mut self,
        key: &K,
        value: &V,
        flags: u64,
    ) -> Result<(), MapError> {
        let raw = self.fd().raw();
        scratch(raw.value_size(), |buffer| {
            for place in buffer.chunks_exact_mut(raw.stride().max(1)) {
                put(place, value);
            }
            self.update(pod::bytes_of(key), buffer, flags)
        })
    }

    /// Whether the machine may have the CPU.
    fn check_cpu(&self, cpu: u32) -> Result<(), MapError> {
        let possible = possible_cpus()?;
        match (cpu as usize) < possible {
            true => Ok(()),
            false => Err(MapError::NoSuchCpu {
                name: self.name().to_owned(),
                cpu,
                possible,
            }),
        }
    }
}

/// Puts a value, and zeros behind it, where the kernel reads it.
fn put<V: Pod>(place: &mut [u8], value: &V) {
    let bytes = pod::bytes_of(value);
    if let Some((value, padding)) = place.split_at_mut_checked(bytes.len()) {
        value.copy_from_slice(bytes);
        padding.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_at_multiples_of_eight_bytes() {
        let cpus = possible_cpus().unwrap();
        let values = PerCpuValues::try_from(vec![[1u8, 2, 3]; cpus]).unwrap();
        let mut buffer = vec![0xff; values.layout_size()];
        values.write(&mut buffer);
        assert_eq!(buffer.len(), 8 * cpus);
        assert_eq!(buffer.get(..8), Some(&[1, 2, 3, 0, 0, 0, 0, 0][..]));
        let mut again = PerCpuValues::new().unwrap();
        again.read(&buffer);
        assert_eq!(again, values);
        assert_eq!(again, PerCpuValues::all([1, 2, 3]).unwrap());
    }

    #[test]
    fn the_number_of_values_is_checked() {
        let cpus = possible_cpus().unwrap();
        let error = PerCpuValues::try_from(vec![0u64; cpus + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
