//! The older storage of cgroups: a value for each cgroup that a program is attached to.
//!
//! The kernel makes a value when a program that uses the map is attached to a cgroup, and frees it
//! with the attachment; user space reads and changes it. The newer
//! [`CgrpStorage`](super::CgrpStorage) works for any cgroup, and for all types of programs.

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    path::Path,
};

use super::{
    Map, MapData, MapError, MapKeys, MapOptions, PerCpuValues, Pod,
    handle::{create, handle},
    pod,
};
use crate::pin::PinError;

/// Whose value it is: a cgroup's, for programs of one attach type.
///
/// Maps whose keys are 8 bytes have one value per cgroup, whatever the attach type (since kernel
/// 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CgroupStorageKey {
    cgroup: u64,
    attach_type: u32,
}

impl CgroupStorageKey {
    /// The cgroup with this id, which is the inode number of its directory, and the attach type
    /// (`BPF_CGROUP_*`).
    pub const fn new(cgroup_inode_id: u64, attach_type: u32) -> Self {
        Self {
            cgroup: cgroup_inode_id,
            attach_type,
        }
    }

    /// The cgroup's id.
    pub const fn cgroup_inode_id(&self) -> u64 {
        self.cgroup
    }

    /// The attach type; 0 where the map's keys have none.
    pub const fn attach_type(&self) -> u32 {
        self.attach_type
    }

    /// The key of a map that does not tell attach types apart.
    fn small(self, map: &MapData) -> Option<u64> {
        (map.shape().key_size == 8).then_some(self.cgroup)
    }

    /// The bytes of `struct bpf_cgroup_storage_key`.
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let fields = self.cgroup.to_ne_bytes().into_iter();
        let fields = fields.chain(self.attach_type.to_ne_bytes());
        for (place, byte) in bytes.iter_mut().zip(fields) {
            *place = byte;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let attach_type = bytes.get(8..).and_then(pod::from_prefix);
        Self {
            cgroup: pod::from_prefix(bytes).unwrap_or_default(),
            attach_type: attach_type.unwrap_or_default(),
        }
    }

    fn all(map: &MapData) -> impl Iterator<Item = Result<Self, MapError>> {
        // Only keys of the map's size are walked.
        let small = map.shape().key_size == 8;
        let keys = small
            .then(|| MapKeys::<u64>::new(map))
            .into_iter()
            .flatten();
        let small_keys = keys.map(|key| Ok(Self::new(key?, 0)));
        let keys = (!small).then(|| MapKeys::<[u8; 16]>::new(map)).into_iter();
        let large_keys = keys.flatten().map(|key| Ok(Self::from_bytes(&key?)));
        small_keys.chain(large_keys)
    }
}

macro_rules! cgroup_storage {
    (
        $(#[$doc:meta])*
        $handle:ident, value: $value:ty
    ) => {
        handle! {
            $(#[$doc])*
            $handle<V>, value: V, from $handle
        }
        create!(@with $handle[V: Pod], key: [u8; 16], value: V, $handle);

        impl<V: Pod> $handle<MapData, V> {
            /// Creates a map that belongs to no object file, with keys of cgroup and attach type
            /// and the creation flags `flags` (`BPF_F_*`).
            ///
            /// # Errors
            ///
            /// [`MapError::CreateError`] when the kernel refuses.
            pub fn create(flags: u32) -> Result<Self, MapError> {
                Self::create_with("", MapOptions::new().flags(flags))
            }
        }

        impl<T: Borrow<MapData>, V: Pod> $handle<T, V> {
            /// A copy of what the map holds for a cgroup. `flags` is 0, or `BPF_F_LOCK` (4) for
            /// values with a spin lock.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when no program with this map is attached there,
            /// [`MapError::SyscallError`] when the kernel refuses.
            pub fn get(&self, key: CgroupStorageKey, flags: u64) -> Result<$value, MapError> {
                let map = self.inner.borrow();
                match key.small(map) {
                    Some(key) => map.get(&key, flags),
                    None => map.get(&key.bytes(), flags),
                }
            }

            /// Walks the keys in no particular order.
            pub fn keys(&self) -> impl Iterator<Item = Result<CgroupStorageKey, MapError>> {
                CgroupStorageKey::all(self.inner.borrow())
            }
        }

        impl<T: BorrowMut<MapData>, V: Pod> $handle<T, V> {
            /// Changes what the map holds for a cgroup. `flags` is 0 or `BPF_EXIST` (2), which mean
            /// the same: the kernel alone makes and frees values.
            ///
            /// # Errors
            ///
            /// [`MapError::SyscallError`]: `ENOENT` when no program with this map is attached
            /// there.
            pub fn insert(
                &mut self,
                key: CgroupStorageKey,
                value: impl Borrow<$value>,
                flags: u64,
            ) -> Result<(), MapError> {
                let map = self.inner.borrow_mut();
                match key.small(map) {
                    Some(key) => map.set(&key, value.borrow(), flags),
                    None => map.set(&key.bytes(), value.borrow(), flags),
                }
            }
        }
    };
}

cgroup_storage! {
    /// A value per cgroup that a program is attached to, of type `BPF_MAP_TYPE_CGROUP_STORAGE` (since
    /// kernel 4.19).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::{fs, os::unix::fs::MetadataExt as _};
    ///
    /// use aya::maps::cgroup_storage::{CgroupStorage, CgroupStorageKey};
    ///
    /// let cgroup = fs::metadata("/sys/fs/cgroup/app")?.ino();
    /// let packets: CgroupStorage<_, u64> = CgroupStorage::try_from(map)?;
    /// // BPF_CGROUP_INET_EGRESS
    /// println!("{}", packets.get(CgroupStorageKey::new(cgroup, 1), 0)?);
    /// # Ok(())
    /// # }
    /// ```
    CgroupStorage, value: V
}

cgroup_storage! {
    /// As [`CgroupStorage`], with a value for each CPU, of type `BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE`
    /// (since kernel 4.20).
    PerCpuCgroupStorage, value: PerCpuValues<V>
}
