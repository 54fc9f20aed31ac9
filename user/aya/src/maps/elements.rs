//! The system calls on one element of a map, and what the kernel's refusals mean.
//!
//! The sizes of the types were checked when the handle was made. Nothing here allocates, or makes
//! text, unless the kernel refuses.

use std::{fs, os::fd::AsRawFd as _, os::fd::RawFd};

use aya_sys::Errno;
use aya_uapi::{
    MapType,
    bindings::{BPF_F_RDONLY, BPF_F_WRONLY},
    maps::Ops,
};

use super::{MapData, MapError, Pod, pod, value::Value};
use crate::{features::Feature, sys::SyscallError, util::KernelVersion};

/// How the kernel refuses what a type of map never does; its headers have no name for it.
pub(crate) const ENOTSUPP: Errno = Errno(524);

impl MapData {
    /// Copies the value of `key` into `value`.
    #[inline(always)]
    pub(crate) fn lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), MapError> {
        self.fd()
            .raw()
            .lookup(key, value, flags)
            .map_err(|error| self.missing(error, MapError::KeyNotFound))
    }

    #[inline(always)]
    pub(crate) fn get<K: Pod, V: Value>(&self, key: &K, flags: u64) -> Result<V, MapError> {
        let mut value = V::zeroed()?;
        self.get_into(key, &mut value, flags)?;
        Ok(value)
    }

    #[inline(always)]
    pub(crate) fn get_into<K: Pod, V: Value>(
        &self,
        key: &K,
        value: &mut V,
        flags: u64,
    ) -> Result<(), MapError> {
        value.fill(|bytes| self.lookup(pod::bytes_of(key), bytes, flags))
    }

    #[inline(always)]
    pub(crate) fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), MapError> {
        self.fd()
            .raw()
            .update(key, value, flags)
            .map_err(|error| self.refused(error))
    }

    #[inline(always)]
    pub(crate) fn set<K: Pod, V: Value>(
        &mut self,
        key: &K,
        value: &V,
        flags: u64,
    ) -> Result<(), MapError> {
        value.bytes(|bytes| self.update(pod::bytes_of(key), bytes, flags))
    }

    /// Puts a value into a map without keys.
    pub(crate) fn push<V: Pod>(&mut self, value: &V, flags: u64) -> Result<(), MapError> {
        self.update(&[], pod::bytes_of(value), flags)
    }

    /// Takes a value out of a map without keys.
    pub(crate) fn pop<V: Pod>(&mut self, flags: u64) -> Result<V, MapError> {
        let mut value = pod::zeroed();
        let bytes = pod::bytes_of_mut(&mut value);
        self.fd()
            .raw()
            .take(&[], bytes, flags)
            .map_err(|error| self.missing(error, MapError::ElementNotFound))?;
        Ok(value)
    }

    /// Asks a map without keys for `value`, which becomes what it answers.
    pub(crate) fn probe<V: Pod>(&self, mut value: V, flags: u64) -> Result<V, MapError> {
        self.fd()
            .raw()
            .lookup(&[], pod::bytes_of_mut(&mut value), flags)
            .map_err(|error| self.missing(error, MapError::ElementNotFound))?;
        Ok(value)
    }

    /// Puts the object behind `fd` into the map. The kernel keeps a reference of its own.
    pub(crate) fn set_fd<K: Pod>(&self, key: &K, fd: RawFd, flags: u64) -> Result<(), MapError> {
        let key = pod::bytes_of(key);
        // Maps of sockets have room for what the kernel gives back in a descriptor's place.
        match self.shape().value_size {
            8 => self.update(key, &i64::from(fd).to_ne_bytes(), flags),
            _ => self.update(key, &fd.to_ne_bytes(), flags),
        }
    }

    #[inline]
    pub(crate) fn remove<K: Pod>(&mut self, key: &K) -> Result<(), MapError> {
        self.delete(pod::bytes_of(key))
    }

    #[inline]
    pub(crate) fn delete(&self, key: &[u8]) -> Result<(), MapError> {
        self.fd()
            .raw()
            .delete(key)
            .map_err(|error| self.missing(error, MapError::KeyNotFound))
    }

    /// Takes out the element of `key`, at once. Since kernel 5.14.
    pub(crate) fn take<K: Pod, V: Value>(&mut self, key: &K, flags: u64) -> Result<V, MapError> {
        let mut value = V::zeroed()?;
        value.fill(|bytes| {
            let taken = self.take_at_once(pod::bytes_of(key), bytes, flags);
            taken.map_err(|error| match error.errno {
                ENOTSUPP => self.too_old("taking elements out of", 5, 14),
                _ => self.missing(error, MapError::KeyNotFound),
            })
        })?;
        Ok(value)
    }

    /// Takes out the element of `key`, at once where the kernel can, else by reading and removing it.
    pub(crate) fn take_out(&self, key: &[u8], value: &mut [u8]) -> Result<(), MapError> {
        match self.take_at_once(key, value, 0) {
            Ok(()) => Ok(()),
            Err(error) if error.errno == ENOTSUPP => {
                self.lookup(key, value, 0)?;
                self.delete(key)
            }
            Err(error) => Err(self.missing(error, MapError::KeyNotFound)),
        }
    }

    /// `ENOTSUPP` where the kernel cannot.
    fn take_at_once(&self, key: &[u8], value: &mut [u8], flags: u64) -> aya_sys::Result<()> {
        const REFUSED: aya_sys::Error = aya_sys::Error {
            call: "bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)",
            errno: ENOTSUPP,
        };
        let row = aya_uapi::maps::map(self.map_type());
        if !row.is_some_and(|row| row.ops.has(Ops::TAKE))
            || !self.features().may_have(Feature::HashTake)
        {
            return Err(REFUSED);
        }
        let taken = self.fd().raw().take(key, value, flags);
        // Before 4.20 there was no such command.
        let unknown =
            |error: &aya_sys::Error| error.errno == Errno::EINVAL && flags == 0 && !key.is_empty();
        match taken {
            Err(error) if error.errno == ENOTSUPP || unknown(&error) => {
                self.features().lacks(Feature::HashTake);
                Err(REFUSED)
            }
            other => other,
        }
    }

    /// Puts the key behind `key`, or the first one, into `next`; `false` when there is none.
    pub(crate) fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<bool, MapError> {
        self.fd()
            .raw()
            .next_key(key, next)
            .map_err(|error| self.refused(error))
    }

    /// `absent` where the kernel says that there is no such element.
    #[cold]
    pub(crate) fn missing(&self, error: aya_sys::Error, absent: MapError) -> MapError {
        match error.errno {
            Errno::ENOENT => absent,
            _ => self.refused(error),
        }
    }

    /// What the kernel's refusal of something with elements means.
    #[cold]
    pub(crate) fn refused(&self, error: aya_sys::Error) -> MapError {
        let full = || MapError::Full {
            name: self.name().to_owned(),
            max_entries: self.max_entries(),
        };
        match error.errno {
            Errno::E2BIG => full(),
            // How tries say it; maps of sockets say something else with it.
            Errno::ENOSPC if self.map_type() == MapType::LPM_TRIE => full(),
            Errno::EPERM => match self.closed_to_user_space() {
                Some(reason) => MapError::AccessDenied {
                    name: self.name().to_owned(),
                    reason,
                },
                None => SyscallError::from(error).into(),
            },
            _ => SyscallError::from(error).into(),
        }
    }

    /// Why user space may not do everything with the map.
    fn closed_to_user_space(&self) -> Option<&'static str> {
        let flags = self.shape().flags;
        if flags & BPF_F_WRONLY != 0 {
            return Some(
                "user space may not read it: create it without BPF_F_WRONLY, or leave the \
                 reading to programs",
            );
        }
        if flags & BPF_F_RDONLY != 0 {
            return Some(
                "user space may not change it: create it without BPF_F_RDONLY, or leave the \
                 writing to programs",
            );
        }
        match self.is_frozen() {
            Ok(true) => Some("it is frozen: change it before it is, or create another map"),
            _ => None,
        }
    }

    /// That the kernel is too old for doing `what` with the map.
    #[cold]
    pub(crate) fn too_old(&self, what: &str, major: u8, minor: u8) -> MapError {
        MapError::KernelTooOld {
            name: self.name().to_owned(),
            what: format!("{what} maps of type {}", self.map_type()),
            since: KernelVersion::new(major, minor, 0),
        }
    }

    /// Whether user space can no longer change the map ([`freeze`](Self::freeze)). Since kernel 5.2.
    ///
    /// # Errors
    ///
    /// [`MapError::IoError`] when `/proc` cannot be read.
    pub fn is_frozen(&self) -> Result<bool, MapError> {
        // Older kernels do not freeze, and say nothing about it.
        Ok(self.told("frozen:")?.is_some_and(|frozen| frozen != 0))
    }

    /// The memory that the kernel counts for the map, in bytes; 0 where it does not tell (before 4.9).
    ///
    /// # Errors
    ///
    /// [`MapError::IoError`] when `/proc` cannot be read.
    pub fn memlock(&self) -> Result<u64, MapError> {
        Ok(self.told("memlock:")?.unwrap_or_default())
    }

    /// A number that the kernel tells about the descriptor.
    fn told(&self, field: &str) -> Result<Option<u64>, MapError> {
        let path = format!("/proc/self/fdinfo/{}", self.fd().raw().as_raw_fd());
        let text = fs::read_to_string(path).map_err(|error| ("/proc/self/fdinfo", error))?;
        let value = text.lines().find_map(|line| line.strip_prefix(field));
        Ok(value.and_then(|value| value.trim().parse().ok()))
    }

    /// Forbids user space to change the map from now on; programs still can. It cannot be undone.
    /// Since kernel 5.2.
    ///
    /// A map that is frozen, and was created with `BPF_F_RDONLY_PROG`, is constant to the verifier.
    ///
    /// # Errors
    ///
    /// [`MapError::AccessDenied`] when it is frozen already, or is mapped to be written to;
    /// [`MapError::SyscallError`] when the kernel refuses for another reason.
    pub fn freeze(&self) -> Result<(), MapError> {
        self.fd().raw().freeze().map_err(|error| match error.errno {
            Errno::EBUSY => MapError::AccessDenied {
                name: self.name().to_owned(),
                reason: "it is frozen already, or mapped into memory to be written to: freeze it \
                         once, when nobody writes any more",
            },
            _ => self.refused(error),
        })
    }
}
