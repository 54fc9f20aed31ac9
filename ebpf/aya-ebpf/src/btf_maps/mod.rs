//! Map types that have their sizes and flags in their types.
//!
//! They are those of [`maps`] in another spelling: a reference to one is a reference to
//! the other, which has the operations. What comes out in the object is the same, too.
//!
//! ```
//! use aya_ebpf::{btf_maps::HashMap, macros::btf_map, maps};
//!
//! #[btf_map]
//! static BLOCKLIST: HashMap<u32, u32, 1024> = HashMap::new();
//!
//! fn block(list: &maps::HashMap<u32, u32>, address: u32) -> Result<(), i32> {
//!     list.insert(&address, &1, 0)
//! }
//!
//! fn block_here(address: u32) -> Result<(), i32> {
//!     block(&BLOCKLIST, address)
//! }
//! # fn main() {}
//! ```
//!
//! A map type has the parameters of its namesake, then how many entries it has room for, then creation
//! flags, 0 if they are left out. They can be inner maps of maps of maps, which need a template for
//! these: the type says it all.

mod def;
mod typed;

use crate::maps;
pub use crate::maps::{
    CgroupStorage, CgrpStorage, InodeStorage, PerCpuCgroupStorage, SafeInnerLookup, SkStorage,
    TaskStorage,
};
pub use def::MapDef;
use def::btf_maps;

btf_maps! {
    /// An array.
    Array<T>[MAX_ENTRIES, FLAGS = 0]: maps::Array<T> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// An array with one value per index and CPU.
    PerCpuArray<T>[MAX_ENTRIES, FLAGS = 0]: maps::PerCpuArray<T> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A hash table.
    HashMap<K, V>[MAX_ENTRIES, FLAGS = 0]: maps::HashMap<K, V> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A hash table that forgets the least recently used entry when it is full.
    LruHashMap<K, V>[MAX_ENTRIES, FLAGS = 0]: maps::LruHashMap<K, V> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A hash table with one value per key and CPU.
    PerCpuHashMap<K, V>[MAX_ENTRIES, FLAGS = 0]: maps::PerCpuHashMap<K, V> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A [`PerCpuHashMap`] that forgets the least recently used entry when it is full.
    LruPerCpuHashMap<K, V>[MAX_ENTRIES, FLAGS = 0]: maps::LruPerCpuHashMap<K, V> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A hash table that grows and shrinks with its entries.
    RHashMap<K, V>[MAX_ENTRIES, FLAGS = 0]: maps::RHashMap<K, V> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A trie of prefixes.
    LpmTrie<K, V>[MAX_ENTRIES, FLAGS = 0]: maps::LpmTrie<K, V> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// First in, first out.
    Queue<T>[MAX_ENTRIES, FLAGS = 0]: maps::Queue<T> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Last in, first out.
    Stack<T>[MAX_ENTRIES, FLAGS = 0]: maps::Stack<T> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// A Bloom filter.
    BloomFilter<T>[MAX_ENTRIES, FLAGS = 0, HASH_FUNCS = 5]: maps::BloomFilter<T> =
        with_max_entries(MAX_ENTRIES, FLAGS).hash_functions(HASH_FUNCS);
    /// A store of call stacks.
    StackTrace[MAX_ENTRIES, FLAGS = 0, DEPTH = 127]: maps::StackTrace =
        with_max_entries(MAX_ENTRIES, FLAGS).depth(DEPTH);
    /// A perf event array whose records are strings of bytes.
    PerfEventByteArray[FLAGS = 0]: maps::PerfEventByteArray = new(FLAGS);
    /// An array of programs of one kind.
    ProgramArray[MAX_ENTRIES, FLAGS = 0]: maps::ProgramArray = with_max_entries(MAX_ENTRIES, FLAGS);
    /// An array of cgroups.
    CgroupArray[MAX_ENTRIES, FLAGS = 0]: maps::CgroupArray = with_max_entries(MAX_ENTRIES, FLAGS);
    /// CPUs.
    CpuMap[MAX_ENTRIES, FLAGS = 0]: maps::CpuMap = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Network devices, by index.
    DevMap[MAX_ENTRIES, FLAGS = 0]: maps::DevMap = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Network devices, by any number.
    DevMapHash[MAX_ENTRIES, FLAGS = 0]: maps::DevMapHash = with_max_entries(MAX_ENTRIES, FLAGS);
    /// AF_XDP sockets, by queue.
    XskMap[MAX_ENTRIES, FLAGS = 0]: maps::XskMap = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Sockets by slot.
    SockMap[MAX_ENTRIES, FLAGS = 0]: maps::SockMap = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Sockets by key.
    SockHash<K>[MAX_ENTRIES, FLAGS = 0]: maps::SockHash<K> = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Sockets that share ports, by slot; `T` is what user space gets for one: with `u64` its cookie.
    ReusePortSockArrayImpl<T>[MAX_ENTRIES, FLAGS = 0]: maps::ReusePortSockArray =
        with_max_entries(MAX_ENTRIES, FLAGS).value_size(size_of::<T>());
    /// Maps by index, each like `V`.
    ArrayOfMaps<V: MapDef>[MAX_ENTRIES, FLAGS = 0]: maps::ArrayOfMaps<V> =
        with_max_entries(MAX_ENTRIES, FLAGS; V::TEMPLATE);
    /// Maps by key, each like `V`.
    HashOfMaps<K, V: MapDef>[MAX_ENTRIES, FLAGS = 0]: maps::HashOfMaps<K, V> =
        with_max_entries(MAX_ENTRIES, FLAGS; V::TEMPLATE);
    /// A perf event array.
    PerfEventArray[FLAGS = 0]: maps::PerfEventByteArray = new(FLAGS);
    /// Positions of instructions, by slot.
    InsnArray[MAX_ENTRIES, FLAGS = 0]: maps::InsnArray = with_max_entries(MAX_ENTRIES, FLAGS);
    /// Memory that programs and user space share, of `PAGES` pages.
    Arena[PAGES, FLAGS = 0]: maps::Arena = with_pages(PAGES, FLAGS);
    /// A ring buffer whose records are `T`s, of `MAX_ENTRIES` bytes.
    RingBuf<T>[MAX_ENTRIES, FLAGS = 0]: maps::RingBuf = with_byte_size(MAX_ENTRIES, FLAGS);
    /// A ring buffer from user space, of `MAX_ENTRIES` bytes.
    UserRingBuf[MAX_ENTRIES, FLAGS = 0]: maps::UserRingBuf = with_byte_size(MAX_ENTRIES, FLAGS);
}

/// Sockets that share ports, by slot.
pub type ReusePortSockArray<const MAX_ENTRIES: usize, const FLAGS: usize = 0> =
    ReusePortSockArrayImpl<u32, MAX_ENTRIES, FLAGS>;

/// The types under the names of modules of their own, where existing programs find them.
macro_rules! modules {
    ($($module:ident: $($name:ident),+;)*) => {$(
        /// Where existing programs find it.
        pub mod $module {
            pub use super::{$($name),+};
        }
    )*};
}

modules! {
    arena: Arena;
    array: Array;
    bloom_filter: BloomFilter;
    cgroup_array: CgroupArray;
    cgroup_storage: CgroupStorage, PerCpuCgroupStorage;
    cgrp_storage: CgrpStorage;
    cpu_map: CpuMap;
    dev_map: DevMap;
    dev_map_hash: DevMapHash;
    hash_map: HashMap, LruHashMap, LruPerCpuHashMap, PerCpuHashMap, RHashMap;
    inode_storage: InodeStorage;
    insn_array: InsnArray;
    of_maps: ArrayOfMaps, HashOfMaps;
    per_cpu_array: PerCpuArray;
    perf_event_array: PerfEventArray;
    perf_event_byte_array: PerfEventByteArray;
    program_array: ProgramArray;
    queue: Queue;
    reuseport_sock_array: ReusePortSockArray, ReusePortSockArrayImpl;
    ring_buf: RingBuf;
    sk_storage: SkStorage;
    sock_hash: SockHash;
    sock_map: SockMap;
    stack: Stack;
    stack_trace: StackTrace;
    task_storage: TaskStorage;
    user_ring_buf: UserRingBuf;
    xsk_map: XskMap;
}

/// Where existing programs find it, and its keys.
pub mod lpm_trie {
    pub use super::LpmTrie;
    pub use crate::maps::lpm_trie::Key;
}
