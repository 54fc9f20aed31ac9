//! Every type of map that Linux 5.10 has, in both forms.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{BPF_F_INNER_MAP, BPF_F_NO_PREALLOC},
    btf_maps,
    macros::{btf_map, map, xdp},
    maps,
    programs::XdpContext,
};
use aya_tests_definitions_ebpf::both;

both! {
    OLD_ARRAY, NEW_ARRAY: Array<u64>[4] = with_max_entries(4, 0);
    OLD_CPU_ARRAY, NEW_CPU_ARRAY: PerCpuArray<u32>[4] = with_max_entries(4, 0);
    OLD_HASH, NEW_HASH: HashMap<u32, u64>[4, 1] = with_max_entries(4, BPF_F_NO_PREALLOC);
    OLD_LRU, NEW_LRU: LruHashMap<[u8; 6], u64>[4] = with_max_entries(4, 0);
    OLD_CPU_HASH, NEW_CPU_HASH: PerCpuHashMap<u32, u64>[4] = with_max_entries(4, 0);
    OLD_CPU_LRU, NEW_CPU_LRU: LruPerCpuHashMap<u32, u64>[4] = with_max_entries(4, 0);
    OLD_TRIE, NEW_TRIE: LpmTrie<[u8; 4], u32>[4] = with_max_entries(4, 0);
    OLD_QUEUE, NEW_QUEUE: Queue<u32>[4] = with_max_entries(4, 0);
    OLD_STACK, NEW_STACK: Stack<u32>[4] = with_max_entries(4, 0);
    OLD_TRACES, NEW_TRACES: StackTrace[4] = with_max_entries(4, 0);
    OLD_BYTES, NEW_BYTES: PerfEventByteArray[0] = new(0);
    OLD_PROGRAMS, NEW_PROGRAMS: ProgramArray[4] = with_max_entries(4, 0);
    OLD_CGROUPS, NEW_CGROUPS: CgroupArray[4] = with_max_entries(4, 0);
    OLD_CPUS, NEW_CPUS: CpuMap[4] = with_max_entries(4, 0);
    OLD_DEVICES, NEW_DEVICES: DevMap[4] = with_max_entries(4, 0);
    OLD_DEVICE_HASH, NEW_DEVICE_HASH: DevMapHash[4] = with_max_entries(4, 0);
    OLD_XSKS, NEW_XSKS: XskMap[4] = with_max_entries(4, 0);
    OLD_PORTS, NEW_PORTS: ReusePortSockArray[4] = with_max_entries(4, 0);
    OLD_CGROUP, NEW_CGROUP: CgroupStorage<u64>[] = new();
    OLD_CPU_CGROUP, NEW_CPU_CGROUP: PerCpuCgroupStorage<u64>[] = new();
    OLD_OF_SOCKETS, NEW_OF_SOCKETS: SkStorage<u64>[] = new();
    OLD_OF_INODES, NEW_OF_INODES: InodeStorage<u64>[] = new();
    OLD_SOCKETS, NEW_SOCKETS: SockMap[4] = with_max_entries(4, 0);
    OLD_SOCKET_HASH, NEW_SOCKET_HASH: SockHash<u64>[4] = with_max_entries(4, 0);
}

#[map]
static OLD_RING: maps::RingBuf = maps::RingBuf::with_byte_size(4096, 0);
#[btf_map]
static NEW_RING: btf_maps::RingBuf<u32, 4096> = btf_maps::RingBuf::new();
#[map]
static OLD_EVENTS: maps::PerfEventArray<u32> = maps::PerfEventArray::new(0);
#[btf_map]
static NEW_EVENTS: btf_maps::PerfEventArray = btf_maps::PerfEventArray::new();
#[map]
static ON_NODE: maps::HashMap<u32, u32> = maps::HashMap::with_max_entries(4, 0).numa_node(0);
#[btf_map]
static COOKIES: btf_maps::reuseport_sock_array::ReusePortSockArrayImpl<u64, 4> =
    btf_maps::reuseport_sock_array::ReusePortSockArrayImpl::new();
#[btf_map]
static SHALLOW: btf_maps::StackTrace<4, 0, 16> = btf_maps::StackTrace::new();

/// Maps of maps without initial values, whose inner maps can have any size.
#[map]
static OLD_OUTER: maps::ArrayOfMaps<maps::Array<u32>> =
    maps::ArrayOfMaps::with_max_entries(4, 0, maps::Array::with_max_entries(1, BPF_F_INNER_MAP));
#[btf_map]
static NEW_OUTER: btf_maps::ArrayOfMaps<btf_maps::Array<u32, 1, { BPF_F_INNER_MAP as usize }>, 4> =
    btf_maps::ArrayOfMaps::new();
#[map]
static OLD_OUTER_HASH: maps::HashOfMaps<[u8; 8], maps::LruHashMap<u32, u64>> =
    maps::HashOfMaps::with_max_entries(4, 0, maps::LruHashMap::with_max_entries(8, 0));
#[btf_map]
static NEW_OUTER_HASH: btf_maps::HashOfMaps<[u8; 8], btf_maps::LruHashMap<u32, u64, 8>, 4> =
    btf_maps::HashOfMaps::new();

/// Uses maps of one form as if they were of the other.
fn in_both(array: &maps::Array<u64>, hash: &maps::HashMap<u32, u64>) -> Result<u64, i32> {
    hash.insert(1, 2, 0)?;
    array.set(1, 3, 0)?;
    match (hash.get_ptr(&1), array.get(1)) {
        // SAFETY: nobody else has the map.
        (Some(one), Some(other)) => Ok(unsafe { *one } + *other),
        _ => Err(-1),
    }
}

#[xdp]
fn sum(_ctx: XdpContext) -> u32 {
    let old = in_both(&OLD_ARRAY, &OLD_HASH).unwrap_or(0);
    let new = in_both(&NEW_ARRAY, &NEW_HASH).unwrap_or(0);
    (old * 10 + new) as u32
}

aya_ebpf::panic_handler!();

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";
