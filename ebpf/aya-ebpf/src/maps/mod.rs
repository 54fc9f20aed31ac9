//! Maps: memory shared with user space, between programs and between runs.
//!
//! A map is a `static` with [`#[map]`](macro@crate::macros::map). Its type says how keys lead to values,
//! the type's parameters what they are. All operations are calls of the kernel, made by `ops`; every
//! map type is a row of its file's macro.
//!
//! [`btf_maps`](crate::btf_maps) has the same types with their sizes as parameters.
//!
//! Errors are the kernel's negative error numbers.

mod def;
mod lost;
mod ops;

pub mod arena;
pub mod array;
pub mod bloom_filter;
pub mod cgroup_array;
pub mod cgroup_storage;
pub mod hash_map;
pub mod insn_array;
pub mod lpm_trie;
pub mod of_maps;
pub mod perf;
pub mod program_array;
pub mod queue;
pub mod ring_buf;
pub mod sock;
pub mod stack_trace;
pub mod storage;
pub mod user_ring_buf;
pub mod xdp;

/// The module's former place.
pub mod per_cpu_array {
    pub use super::array::PerCpuArray;
}

/// Where existing programs find it.
pub mod reuseport_sock_array {
    pub use super::sock::ReusePortSockArray;
}

/// Where existing programs find it.
pub mod sock_hash {
    pub use super::sock::SockHash;
}

/// Where existing programs find it.
pub mod sock_map {
    pub use super::sock::SockMap;
}

/// The module's former place.
pub mod stack {
    pub use super::queue::Stack;
}

pub use arena::{Arena, ArenaPtr};
pub use array::{Array, PerCpuArray};
pub use bloom_filter::BloomFilter;
pub use cgroup_array::CgroupArray;
pub use cgroup_storage::{CgroupStorage, PerCpuCgroupStorage};
#[doc(hidden)]
pub use def::is_map;
pub use def::{Map, SafeInnerLookup, aya_map_def};
pub use hash_map::{HashMap, LruHashMap, LruPerCpuHashMap, PerCpuHashMap, RHashMap};
pub use insn_array::InsnArray;
pub use lost::CountLost;
pub use lpm_trie::LpmTrie;
pub use of_maps::{ArrayOfMaps, HashOfMaps};
pub(crate) use ops::check;
pub use perf::{PerfEventArray, PerfEventByteArray};
pub use program_array::ProgramArray;
pub use queue::{Queue, Stack};
pub use ring_buf::RingBuf;
pub use sock::{ReusePortSockArray, SockHash, SockMap};
pub use stack_trace::StackTrace;
pub use storage::{CgrpStorage, InodeStorage, SkStorage, TaskStorage};
pub use user_ring_buf::UserRingBuf;
pub use xdp::{CpuMap, DevMap, DevMapHash, XskMap};
