//! What the kernel says about maps: [`MapInfo`], [`MapType`], [`loaded_maps`].

use std::{
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use aya_sys::bpf;
use aya_uapi::bindings::bpf_map_info;

use super::{MapError, MapFd, MapShape};
use crate::{pin, sys::SyscallError};

/// What the kernel says about a map.
#[derive(Debug, Clone, Copy)]
#[doc(alias = "bpf_map_info")]
pub struct MapInfo(bpf_map_info);

impl MapInfo {
    pub(crate) fn from_fd(fd: BorrowedFd<'_>) -> Result<Self, MapError> {
        Ok(Self(bpf::map_info(fd).map_err(SyscallError::from)?))
    }

    /// The map with this id. Needs `CAP_SYS_ADMIN`. Since kernel 4.13.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`]: `ENOENT` when there is no such map.
    pub fn from_id(id: u32) -> Result<Self, MapError> {
        let fd = bpf::map_get_fd_by_id(id).map_err(SyscallError::from)?;
        Self::from_fd(fd.as_fd())
    }

    /// The map pinned at `path`.
    ///
    /// # Errors
    ///
    /// [`MapError::PinError`] when there is none.
    pub fn from_pin<P: AsRef<Path>>(path: P) -> Result<Self, MapError> {
        let fd = pin::open_as(path.as_ref(), pin::MAP)
            .map_err(|error| MapError::PinError { name: None, error })?;
        Self::from_fd(fd.as_fd())
    }

    /// The map's type.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidMapType`] for types newer than this crate.
    pub fn map_type(&self) -> Result<MapType, MapError> {
        let map_type = MapType::try_from(self.0.type_);
        map_type.map_err(|_| MapError::InvalidMapType {
            name: Some(String::from_utf8_lossy(self.name()).into_owned()),
            map_type: self.0.type_,
        })
    }

    /// The number that names the map as long as it exists.
    pub const fn id(&self) -> u32 {
        self.0.id
    }

    /// The size of a key, in bytes.
    pub const fn key_size(&self) -> u32 {
        self.0.key_size
    }

    /// The size of a value, in bytes; of per-CPU maps, of one CPU's value.
    pub const fn value_size(&self) -> u32 {
        self.0.value_size
    }

    /// The number of entries, or the size of a ring buffer in bytes.
    pub const fn max_entries(&self) -> u32 {
        self.0.max_entries
    }

    /// The creation flags, `BPF_F_*`.
    pub const fn map_flags(&self) -> u32 {
        self.0.map_flags
    }

    /// The name that the kernel kept, at most 15 bytes. Empty before kernel 4.15.
    pub fn name(&self) -> &[u8] {
        let name = &self.0.name;
        let end = name.iter().position(|byte| *byte == 0);
        name.get(..end.unwrap_or(name.len())).unwrap_or_default()
    }

    /// The name, if it is UTF-8; what this crate creates is.
    pub fn name_as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.name()).ok()
    }

    /// What the map's type makes of it: the number of hash functions of a bloom filter, where an
    /// arena is mapped. Since kernel 5.16.
    pub const fn map_extra(&self) -> u64 {
        self.0.map_extra
    }

    /// The number of the BTF that describes keys and values; 0 without. Since kernel 4.18.
    pub const fn btf_id(&self) -> u32 {
        self.0.btf_id
    }

    /// The type of a key in that BTF; 0 without.
    pub const fn btf_key_type_id(&self) -> u32 {
        self.0.btf_key_type_id
    }

    /// The type of a value in that BTF; 0 without.
    pub const fn btf_value_type_id(&self) -> u32 {
        self.0.btf_value_type_id
    }

    /// The interface whose device holds the map, by index; 0 for all others. Since kernel 4.16.
    pub const fn ifindex(&self) -> u32 {
        self.0.ifindex
    }

    /// A descriptor of the map. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`]: `ENOENT` when the map is gone.
    pub fn fd(&self) -> Result<MapFd, MapError> {
        let fd = bpf::map_get_fd_by_id(self.0.id).map_err(SyscallError::from)?;
        MapFd::open(fd)
    }

    pub(crate) const fn shape(&self) -> MapShape {
        MapShape {
            map_type: aya_uapi::MapType(self.0.type_),
            key_size: self.0.key_size,
            value_size: self.0.value_size,
            max_entries: self.0.max_entries,
            flags: self.0.map_flags,
            map_extra: self.0.map_extra,
        }
    }
}

/// The maps that are loaded now, of all processes, by rising id. Needs `CAP_SYS_ADMIN`. Since
/// kernel 4.13.
///
/// A map that vanishes between the finding of its id and the look at it is left out. After an
/// error the iterator ends.
///
/// ```no_run
/// for map in aya::maps::loaded_maps() {
///     let map = map?;
///     println!("{} {:?}", map.id(), map.name_as_str());
/// }
/// # Ok::<(), aya::maps::MapError>(())
/// ```
pub fn loaded_maps() -> impl Iterator<Item = Result<MapInfo, MapError>> {
    let mut last = Some(0);
    std::iter::from_fn(move || {
        loop {
            let found = match bpf::map_get_next_id(last.take()?) {
                Ok(None) => return None,
                Ok(Some(id)) => {
                    last = Some(id);
                    MapInfo::from_id(id)
                }
                Err(error) => Err(SyscallError::from(error).into()),
            };
            match found {
                // It has gone meanwhile.
                Err(MapError::SyscallError(error)) if super::is_missing(&error) => {}
                Err(error) => {
                    last = None;
                    return Some(Err(error));
                }
                info => return Some(info),
            }
        }
    })
}

macro_rules! map_types {
    ($($name:ident = $constant:ident),* $(,)?) => {
        /// The type of a map, `BPF_MAP_TYPE_*`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u32)]
        pub enum MapType {
            $(
                #[doc = concat!("`BPF_MAP_TYPE_", stringify!($constant), "`")]
                $name = aya_uapi::MapType::$constant.0,
            )*
        }

        impl TryFrom<u32> for MapType {
            type Error = MapError;

            /// # Errors
            ///
            /// [`MapError::InvalidMapType`] for numbers that this crate does not know.
            fn try_from(map_type: u32) -> Result<Self, MapError> {
                match aya_uapi::MapType(map_type) {
                    $(aya_uapi::MapType::$constant => Ok(Self::$name),)*
                    _ => Err(MapError::InvalidMapType {
                        name: None,
                        map_type,
                    }),
                }
            }
        }
    };
}

map_types! {
    Unspecified = UNSPEC,
    Hash = HASH,
    Array = ARRAY,
    ProgramArray = PROG_ARRAY,
    PerfEventArray = PERF_EVENT_ARRAY,
    PerCpuHash = PERCPU_HASH,
    PerCpuArray = PERCPU_ARRAY,
    StackTrace = STACK_TRACE,
    CgroupArray = CGROUP_ARRAY,
    LruHash = LRU_HASH,
    LruPerCpuHash = LRU_PERCPU_HASH,
    LpmTrie = LPM_TRIE,
    ArrayOfMaps = ARRAY_OF_MAPS,
    HashOfMaps = HASH_OF_MAPS,
    DevMap = DEVMAP,
    SockMap = SOCKMAP,
    CpuMap = CPUMAP,
    XskMap = XSKMAP,
    SockHash = SOCKHASH,
    CgroupStorage = CGROUP_STORAGE,
    ReuseportSockArray = REUSEPORT_SOCKARRAY,
    PerCpuCgroupStorage = PERCPU_CGROUP_STORAGE,
    Queue = QUEUE,
    Stack = STACK,
    SkStorage = SK_STORAGE,
    DevMapHash = DEVMAP_HASH,
    StructOps = STRUCT_OPS,
    RingBuf = RINGBUF,
    InodeStorage = INODE_STORAGE,
    TaskStorage = TASK_STORAGE,
    BloomFilter = BLOOM_FILTER,
    UserRingBuf = USER_RINGBUF,
    CgrpStorage = CGRP_STORAGE,
    Arena = ARENA,
    InsnArray = INSN_ARRAY,
    RHash = RHASH,
}

impl From<MapType> for aya_uapi::MapType {
    fn from(map_type: MapType) -> Self {
        Self(map_type as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_kernel_has_a_name() {
        for map_type in aya_uapi::MapType::ALL {
            let named = MapType::try_from(map_type.0).unwrap();
            assert_eq!(aya_uapi::MapType::from(named), *map_type);
        }
        assert!(matches!(
            MapType::try_from(9999),
            Err(MapError::InvalidMapType {
                name: None,
                map_type: 9999
            })
        ));
    }
}
