//! Maps that XDP programs redirect packets with: to an interface ([`DevMap`], [`DevMapHash`]), a CPU
//! ([`CpuMap`]) or an AF_XDP socket ([`XskMap`]).
//!
//! An element can name a second XDP program, which runs on the packet where it arrives: loaded for
//! that, as its section says (`xdp/devmap`, `xdp/cpumap`). The map's values must have room for it,
//! as those of maps that are created here have; before Linux 5.15 programs that use such a map cannot
//! be attached in [`XdpMode::Skb`](crate::programs::XdpMode::Skb).

use std::{
    borrow::{Borrow, BorrowMut},
    error::Error,
    fmt,
    marker::PhantomData,
    num::NonZeroU32,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
};

use aya_sys::Errno;
use aya_uapi::bindings::BPF_EXIST;

pub use super::fd_array::XskMap;
use super::{
    IterableMap, Map, MapData, MapError, MapIter, MapKeys,
    handle::{create, handle, iterable},
    pod,
};
use crate::{pin::PinError, programs::ProgramFd};

/// Values of a [`CpuMap`].
pub mod cpu_map {
    pub use super::{CpuMap, CpuMapValue};
}

/// Values of a [`DevMap`] and a [`DevMapHash`].
pub mod dev_map {
    pub use super::{DevMap, DevMapHash, DevMapValue};
}

/// Why an element could not be put into a map that packets are redirected with.
#[derive(Debug)]
pub enum XdpMapError {
    /// The map's values have no room for a program: it was created so, or by a kernel that knows
    /// none there (before 5.8 for interfaces, 5.9 for CPUs).
    ChainedProgramNotSupported,
    /// All else.
    MapError(MapError),
}

impl fmt::Display for XdpMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChainedProgramNotSupported => f.write_str(
                "the map's values have no room for a program: create it with values of 8 bytes, \
                 on Linux 5.8 or newer for interfaces, 5.9 for CPUs",
            ),
            Self::MapError(error) => error.fmt(f),
        }
    }
}

impl Error for XdpMapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ChainedProgramNotSupported => None,
            // The message is the inner error's own, so its source comes next.
            Self::MapError(error) => error.source(),
        }
    }
}

impl From<MapError> for XdpMapError {
    fn from(error: MapError) -> Self {
        Self::MapError(error)
    }
}

/// What a [`DevMap`] or [`DevMapHash`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevMapValue {
    /// The interface that packets go to, by index.
    pub if_index: u32,
    /// The id of the program that runs there, if there is one.
    pub prog_id: Option<NonZeroU32>,
}

/// What a [`CpuMap`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuMapValue {
    /// How many packets wait for the CPU at most.
    pub queue_size: u32,
    /// The id of the program that runs there, if there is one.
    pub prog_id: Option<NonZeroU32>,
}

impl From<(u32, u32)> for DevMapValue {
    fn from((if_index, program): (u32, u32)) -> Self {
        Self {
            if_index,
            prog_id: NonZeroU32::new(program),
        }
    }
}

impl From<(u32, u32)> for CpuMapValue {
    fn from((queue_size, program): (u32, u32)) -> Self {
        Self {
            queue_size,
            prog_id: NonZeroU32::new(program),
        }
    }
}

/// A number, and a program to be run: what `struct bpf_devmap_val` and `struct bpf_cpumap_val` are.
impl MapData {
    fn target<V: From<(u32, u32)>>(&self, key: u32, flags: u64) -> Result<V, MapError> {
        let [target, program] = match self.shape().value_size {
            4 => [self.get(&key, flags)?, 0],
            _ => self.get(&key, flags)?,
        };
        Ok(V::from((target, program)))
    }

    fn set_target(
        &mut self,
        key: u32,
        target: u32,
        program: Option<&ProgramFd>,
        flags: u64,
    ) -> Result<(), XdpMapError> {
        // 0 is no program.
        let program = program.map(|program| program.as_fd().as_raw_fd().unsigned_abs());
        let value = [target, program.unwrap_or_default()];
        let mut value = pod::bytes_of(&value);
        if self.shape().value_size == 4 {
            if program.is_some() {
                return Err(XdpMapError::ChainedProgramNotSupported);
            }
            value = pod::bytes_of(&target);
        }
        self.update(pod::bytes_of(&key), value, flags)
            .map_err(|error| match flags {
                // The kernel may have meant these.
                flags if flags > u64::from(BPF_EXIST) => error,
                _ => self.bad_target(error, program.is_some()),
            })?;
        Ok(())
    }

    /// Says of a refusal what was wrong with the target or its program, where the kernel's number tells.
    fn bad_target(&self, error: MapError, program: bool) -> MapError {
        let MapError::SyscallError(error) = error else {
            return error;
        };
        let for_cpus = self.shape().map_type == aya_uapi::MapType::CPUMAP;
        let reason = match (error.errno(), for_cpus, program) {
            (Errno::EINVAL, true, true) => {
                "the program is not for CPUs: give it a section `xdp/cpumap`"
            }
            // Some kernels say it of any program that they refuse.
            (Errno::ENOMEM, true, true) => {
                "the program is not for CPUs (give it a section `xdp/cpumap`), or memory is short"
            }
            (Errno::ENODEV, true, _) => "the machine has no such CPU",
            (Errno::EOVERFLOW, true, _) => "a CPU's queue holds 16384 packets at most",
            (Errno::EINVAL, false, true) => {
                "this network namespace has no interface of that index, or the program is not for \
                 interfaces: give it a section `xdp/devmap`"
            }
            (Errno::EINVAL, false, false) => {
                "this network namespace has no interface of that index: look it up by its name"
            }
            _ => return error.into(),
        };
        let name = self.name().to_owned();
        MapError::InvalidTarget {
            name,
            reason,
            error,
        }
    }
}

/// The maps of these whose elements are numbered.
macro_rules! targets {
    ($handle:ident, $value:ty, $what:literal, $set:ident($index:ident, $target:ident), $target_doc:literal) => {
        create!($handle<>, key: u32, value: u64, $handle);

        impl<T: Borrow<MapData>> $handle<T> {
            /// The number of places, which is the map's `max_entries`.
            #[allow(clippy::len_without_is_empty, reason = "the kernel allows no empty array")]
            pub fn len(&self) -> u32 {
                self.inner.borrow().max_entries()
            }

            #[doc = concat!("The ", $what, " at an index. `flags` is 0.")]
            ///
            /// # Errors
            ///
            /// [`MapError::OutOfBounds`], [`MapError::KeyNotFound`] when there is none, or
            /// [`MapError::SyscallError`] when the kernel refuses.
            pub fn get(&self, $index: u32, flags: u64) -> Result<$value, MapError> {
                let map = self.inner.borrow();
                map.check_bounds($index)?;
                map.target($index, flags)
            }

            /// Walks all places, in order: those where nothing is give [`MapError::KeyNotFound`].
            pub fn iter(&self) -> impl Iterator<Item = Result<$value, MapError>> + '_ {
                (0..self.len()).map(|index| self.get(index, 0))
            }
        }

        impl<T: BorrowMut<MapData>> $handle<T> {
            #[doc = concat!("Puts a ", $what, " at an index, and a program that runs there. ", $target_doc)]
            /// `flags` is 0.
            ///
            /// # Errors
            ///
            /// [`XdpMapError::ChainedProgramNotSupported`] for a program in a map without room for
            /// it; [`MapError::OutOfBounds`]; [`MapError::InvalidTarget`] for what does not exist, and
            /// for a program that was not loaded for this; or [`MapError::SyscallError`] when the kernel
            /// refuses for another reason.
            pub fn $set(
                &mut self,
                $index: u32,
                $target: u32,
                program: Option<&ProgramFd>,
                flags: u64,
            ) -> Result<(), XdpMapError> {
                let map = self.inner.borrow_mut();
                map.check_bounds($index)?;
                map.set_target($index, $target, program, flags)
            }

            #[doc = concat!("Takes out the ", $what, " at an index, if there is one.")]
            ///
            /// # Errors
            ///
            /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses.
            pub fn unset(&mut self, $index: u32) -> Result<(), MapError> {
                let map = self.inner.borrow_mut();
                map.check_bounds($index)?;
                map.remove(&$index)
            }
        }
    };
}

handle! {
    /// Network interfaces by number, of type `BPF_MAP_TYPE_DEVMAP` (since kernel 4.14; programs in it
    /// since 5.8).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::xdp::DevMap;
    ///
    /// let mut ports = DevMap::try_from(map)?;
    /// ports.set(0, 3, None, 0)?;
    /// assert_eq!(ports.get(0, 0)?.if_index, 3);
    /// # Ok(())
    /// # }
    /// ```
    DevMap<>, key: u32, from DevMap
}
targets!(
    DevMap,
    DevMapValue,
    "network interface",
    set(index, target_if_index),
    "The interface is given by its index."
);

handle! {
    /// CPUs by number, of type `BPF_MAP_TYPE_CPUMAP` (since kernel 4.15; programs in it since 5.9). A
    /// thread of the kernel on that CPU goes on with the packets that are redirected to it.
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::xdp::CpuMap;
    ///
    /// let mut cpus = CpuMap::try_from(map)?;
    /// // Up to 192 packets wait for CPU 1.
    /// cpus.set(1, 192, None, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    CpuMap<>, key: u32, from CpuMap
}
targets!(
    CpuMap,
    CpuMapValue,
    "CPU",
    set(cpu_index, queue_size),
    "`queue_size` is how many packets wait for it at most, up to 16384."
);

handle! {
    /// Network interfaces by any 32-bit key, of type `BPF_MAP_TYPE_DEVMAP_HASH` (since kernel 5.4;
    /// programs in it since 5.8).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::xdp::DevMapHash;
    ///
    /// let mut customers = DevMapHash::try_from(map)?;
    /// customers.insert(70_000, 3, None, 0)?;
    /// assert_eq!(customers.get(70_000, 0)?.if_index, 3);
    /// # Ok(())
    /// # }
    /// ```
    DevMapHash<>, key: u32, from DevMapHash
}
create!(DevMapHash<>, key: u32, value: u64, DevMapHash);

impl<T: Borrow<MapData>> DevMapHash<T> {
    /// The network interface behind `key`. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn get(&self, key: u32, flags: u64) -> Result<DevMapValue, MapError> {
        self.inner.borrow().target(key, flags)
    }

    /// Walks the entries in no particular order.
    pub fn iter(&self) -> MapIter<'_, u32, DevMapValue, Self> {
        MapIter::new(self)
    }

    /// Walks the keys in no particular order.
    pub fn keys(&self) -> MapKeys<'_, u32> {
        MapKeys::new(self.inner.borrow())
    }
}

impl<T: BorrowMut<MapData>> DevMapHash<T> {
    /// Puts the interface with index `target_if_index` behind `key`, and a program that runs there.
    /// `flags` is `BPF_ANY` (0), `BPF_NOEXIST` (1: only new keys) or `BPF_EXIST` (2: only keys that
    /// are there).
    ///
    /// # Errors
    ///
    /// [`XdpMapError::ChainedProgramNotSupported`] for a program in a map without room for it;
    /// [`MapError::Full`]; [`MapError::InvalidTarget`] for an interface that does not exist, and for a
    /// program that was not loaded for this; or [`MapError::SyscallError`] when the kernel refuses for
    /// another reason.
    pub fn insert(
        &mut self,
        key: u32,
        target_if_index: u32,
        program: Option<&ProgramFd>,
        flags: u64,
    ) -> Result<(), XdpMapError> {
        let map = self.inner.borrow_mut();
        map.set_target(key, target_if_index, program, flags)
    }

    /// Removes `key` and its interface.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn remove(&mut self, key: u32) -> Result<(), MapError> {
        self.inner.borrow_mut().remove(&key)
    }
}

impl<T: Borrow<MapData>> IterableMap<u32, DevMapValue> for DevMapHash<T> {
    fn map(&self) -> &MapData {
        self.inner.borrow()
    }

    fn get(&self, key: &u32) -> Result<DevMapValue, MapError> {
        Self::get(self, *key, 0)
    }
}
iterable!(@into_iter DevMapHash[], key: u32, value: DevMapValue);
