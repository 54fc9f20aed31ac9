//! Maps: the data that programs and user space share.
//!
//! A loaded object gives each of its maps as a [`Map`], which says what type of map it is;
//! `try_from` turns it into the handle of that type, which knows the types of keys and values. A
//! handle can borrow the map or own it, to be moved to a task or thread:
//!
//! ```
//! use aya::maps::{HashMap, Map, MapError, RingBuf};
//!
//! fn block(blocklist: &mut Map, events: Map) -> Result<(), MapError> {
//!     let mut blocklist: HashMap<_, u32, u32> = HashMap::try_from(blocklist)?;
//!     blocklist.insert(0x0a00_0001, 0, 0)?;
//!
//!     let mut events = RingBuf::try_from(events)?;
//!     while let Some(event) = events.next() {
//!         println!("{event:x?}");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Keys and values are [`Pod`] types whose size must be the map's; that is checked once, when the
//! handle is made.
//!
//! # Inside
//!
//! `pod` turns values into bytes, `data` creates and finds maps, `elements` does the system calls on
//! one element and `batch` those on many, `value` lays values out for them, `iter` walks, `handle`
//! holds what all handles share, and each other file is one family of maps. The enums come from the
//! map table of `aya-uapi`.

use std::{fmt, io, path::Path};

use crate::{pin::PinError, sys::SyscallError};

pub mod arena;
pub mod array;
mod batch;
pub mod bloom_filter;
pub mod cgroup_storage;
mod checks;
mod data;
mod elements;
mod error;
mod exclusive;
mod fd_array;
mod guess;
mod handle;
pub mod hash_map;
mod info;
pub mod insn_array;
mod iter;
pub mod lpm_trie;
mod mapped;
pub mod of_maps;
mod options;
mod per_cpu;
pub mod perf;
pub(crate) mod pod;
pub mod queue;
#[cfg(any(feature = "async_tokio", feature = "async_std"))]
mod readiness;
mod record;
mod reuse;
pub mod ring_buf;
mod shape;
pub(crate) mod shared;
pub mod sock;
pub mod stack_trace;
mod storage;
pub mod struct_ops;
pub(crate) mod types;
pub mod user_ring_buf;
mod value;
mod wait;
pub mod xdp;

/// [`Stack`], under the name of a module of its own.
pub mod stack {
    pub use super::queue::Stack;
}

/// [`SkStorage`], under the name of a module of its own.
pub mod sk_storage {
    pub use super::storage::SkStorage;
}

/// [`InodeStorage`], under the name of a module of its own.
pub mod inode_storage {
    pub use super::storage::InodeStorage;
}

/// [`TaskStorage`], and the descriptors that it takes.
pub mod task_storage {
    pub use super::storage::{TaskStorage, pidfd};
}

/// [`CgrpStorage`], under the name of a module of its own.
pub mod cgrp_storage {
    pub use super::storage::CgrpStorage;
}

pub use arena::Arena;
pub use array::{Array, PerCpuArray};
pub use batch::BatchError;
pub use bloom_filter::BloomFilter;
pub use cgroup_storage::{CgroupStorage, PerCpuCgroupStorage};
pub use data::{MapData, MapFd};
pub(crate) use data::{create_error, pin_error, put_initial};
pub(crate) use elements::ENOTSUPP;
pub use error::MapError;
pub use fd_array::{CgroupArray, ProgramArray, ReusePortSockArray, XskMap};
pub use hash_map::{HashMap, PerCpuHashMap};
pub use info::{MapInfo, MapType, loaded_maps};
pub use insn_array::{InsnArray, InsnPosition};
pub use iter::{IterableMap, MapDrain, MapIter, MapKeys};
pub use lpm_trie::LpmTrie;
pub use mapped::{MappedArray, MappedArrayMut};
pub use of_maps::{ArrayOfMaps, FromMapData, HashOfMaps, InnerMap};
pub use options::MapOptions;
pub use per_cpu::PerCpuValues;
#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use perf::AsyncPerfEventArray;
pub use perf::PerfEventArray;
pub use pod::Pod;
pub use queue::{Queue, Stack};
pub use record::Record;
pub use reuse::{MapDifference, ReusePolicy};
pub(crate) use reuse::{Types, Wanted};
#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use ring_buf::AsyncRingBuf;
pub use ring_buf::RingBuf;
pub use shape::MapShape;
pub use sock::{SockHash, SockMap};
pub use stack_trace::StackTraceMap;
pub use storage::{CgrpStorage, InodeStorage, SkStorage, TaskStorage};
pub use struct_ops::{StructOps, StructOpsError, StructOpsState, StructOpsTarget};
#[cfg(any(feature = "async_tokio", feature = "async_std"))]
pub use user_ring_buf::AsyncUserRingBuf;
pub use user_ring_buf::UserRingBuf;
pub use xdp::{CpuMap, DevMap, DevMapHash};

macro_rules! map_enum {
    ($($(#[doc = $doc:literal])* $handle:ident: $map_type:ident { $($row:tt)* })*) => {
        /// A map of any type.
        ///
        /// `try_from` makes the handle of the map's type out of it, of a `&Map` or of a
        /// `&mut Map`.
        #[derive(Debug)]
        pub enum Map {
            $(
                $(#[doc = $doc])*
                $handle(MapData),
            )*
            /// A map of a type that is newer than this crate.
            Unsupported(MapData),
        }

        impl Map {
            /// A map by its type.
            ///
            /// # Errors
            ///
            /// None at present: types that this crate does not know are
            /// [`Unsupported`](Self::Unsupported).
            pub fn from_map_data(data: MapData) -> Result<Self, MapError> {
                Ok(match data.map_type() {
                    $(aya_uapi::MapType::$map_type => Self::$handle(data),)*
                    _ => Self::Unsupported(data),
                })
            }

            /// The map behind the handle: its descriptor, sizes and name.
            pub fn data(&self) -> &MapData {
                match self {
                    $(Self::$handle(data))|* | Self::Unsupported(data) => data,
                }
            }

            pub(crate) fn data_mut(&mut self) -> &mut MapData {
                match self {
                    $(Self::$handle(data))|* | Self::Unsupported(data) => data,
                }
            }

            pub(crate) fn into_data(self) -> MapData {
                match self {
                    $(Self::$handle(data))|* | Self::Unsupported(data) => data,
                }
            }
        }
    };
}
aya_uapi::for_each_map!(map_enum);

impl Map {
    /// Pins the map: it outlives the process under `path`, a name in a BPF file system.
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        self.data().pin(path)
    }

    /// Forbids user space to change the map from now on, as [`MapData::freeze`] says. Since kernel
    /// 5.2.
    ///
    /// # Errors
    ///
    /// As [`MapData::freeze`].
    pub fn freeze(&self) -> Result<(), MapError> {
        self.data().freeze()
    }

    /// Why this map does not become the handle that was asked for.
    fn unexpected(&self) -> MapError {
        match self {
            Self::Unsupported(data) => MapError::Unsupported {
                name: data.name().to_owned(),
                map_type: data.map_type().0,
            },
            other => MapError::InvalidMapType {
                name: Some(other.data().name().to_owned()),
                map_type: other.data().map_type().0,
            },
        }
    }
}

/// Whether the kernel refused because what was asked for is not there.
fn is_missing(error: &SyscallError) -> bool {
    error.io_error.kind() == io::ErrorKind::NotFound
}

/// Prints a map type's name, or its number if it has none here.
struct TypeName(u32);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map_type = aya_uapi::MapType(self.0);
        match aya_uapi::MapType::ALL.contains(&map_type) {
            true => map_type.fmt(f),
            false => self.0.fmt(f),
        }
    }
}
