//! Every type of map in both forms, and maps that hold something from the start.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, xdp_action},
    btf_maps,
    macros::{btf_map, map, xdp},
    maps, programs,
    programs::XdpContext,
};

/// Defines a map of each type, first in the one form, then in the other.
macro_rules! both {
    ($($old:ident, $new:ident: $name:ident $(<$($param:ty),+>)? [$($number:literal),*] = $constructor:ident($($arg:expr),*);)*) => {$(
        #[map]
        static $old: maps::$name $(<$($param),+>)? = maps::$name::$constructor($($arg),*);
        #[btf_map]
        static $new: btf_maps::$name<$($($param,)+)? $($number),*> = btf_maps::$name::new();
    )*};
}

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
    OLD_SOCKETS, NEW_SOCKETS: SockMap[4] = with_max_entries(4, 0);
    OLD_SOCKET_HASH, NEW_SOCKET_HASH: SockHash<u64>[4] = with_max_entries(4, 0);
}

#[map]
static OLD_BLOOM: maps::BloomFilter<u32> =
    maps::BloomFilter::with_max_entries(4, 0).hash_functions(3);
#[btf_map]
static NEW_BLOOM: btf_maps::BloomFilter<u32, 4, 0, 3> = btf_maps::BloomFilter::new();
#[map]
static OLD_RING: maps::RingBuf = maps::RingBuf::with_byte_size(4096, 0);
#[btf_map]
static NEW_RING: btf_maps::RingBuf<u32, 4096> = btf_maps::RingBuf::new();
#[map]
static OLD_EVENTS: maps::PerfEventArray<u32> = maps::PerfEventArray::new(0);
#[btf_map]
static NEW_EVENTS: btf_maps::PerfEventArray = btf_maps::PerfEventArray::new();
#[map]
static OLD_NUMA: maps::HashMap<u32, u32> = maps::HashMap::with_max_entries(4, 0).numa_node(0);
#[btf_map]
static SHALLOW: btf_maps::StackTrace<4, 0, 16> = btf_maps::StackTrace::new();

#[map]
static FIRST: maps::Array<u64> = maps::Array::with_max_entries(2, 0);
#[map]
static SECOND: maps::Array<u64> = maps::Array::with_max_entries(2, 0);
#[map]
static OLD_OUTER: maps::ArrayOfMaps<maps::Array<u64>> =
    maps::ArrayOfMaps::with_max_entries(4, 0, maps::Array::with_max_entries(2, 0))
        .values(&[&FIRST, &SECOND]);

type Inner = btf_maps::HashMap<u32, u64, 8>;

#[btf_map]
static THIRD: Inner = Inner::new();
#[btf_map]
static NEW_OUTER: btf_maps::HashOfMaps<u32, Inner, 4> =
    btf_maps::HashOfMaps::new().values(&[&THIRD]);
/// One without initial values, whose inner maps can have any size.
#[btf_map]
static EMPTY_OUTER: btf_maps::ArrayOfMaps<btf_maps::Array<u32, 1, 0x1000>, 4> =
    btf_maps::ArrayOfMaps::new();
#[map]
static EMPTY_OUTER_HASH: maps::HashOfMaps<[u8; 8], maps::LruHashMap<u32, u64>> =
    maps::HashOfMaps::with_max_entries(4, 0, maps::LruHashMap::with_max_entries(8, 0));

#[map]
static NEXT: maps::ProgramArray =
    maps::ProgramArray::with_max_entries(4, 0).programs(programs![_, passing, renamed]);
#[btf_map]
static NEXT_TOO: btf_maps::ProgramArray<4> =
    btf_maps::ProgramArray::new().programs(programs![renamed]);

/// Writes into the inner maps by name and reads from them through the outer ones.
fn found() -> Result<u64, i32> {
    FIRST.set(1, 10, 0)?;
    SECOND.set(1, 20, 0)?;
    THIRD.insert(7, 30, 0)?;
    let none = OLD_OUTER.get(2).is_none() && EMPTY_OUTER.get(0).is_none();
    // SAFETY: nobody else has the maps.
    let third = unsafe { NEW_OUTER.get_value(&0, &7).copied() };
    match (
        none,
        OLD_OUTER.get_value(0, &1),
        OLD_OUTER.get_value(1, &1),
        third,
    ) {
        (true, Some(first), Some(second), Some(third)) => Ok(first + second + third),
        _ => Err(-1),
    }
}

/// Passes what finds all values in its inner maps.
#[xdp]
fn inner_maps(_ctx: XdpContext) -> u32 {
    match found() {
        Ok(60) => xdp_action::XDP_PASS,
        _ => xdp_action::XDP_DROP,
    }
}

#[xdp]
fn enter(ctx: XdpContext) -> u32 {
    // SAFETY: nothing is held.
    unsafe {
        NEXT.tail_call(&ctx, 0);
        NEXT.tail_call(&ctx, 1);
    }
    xdp_action::XDP_DROP
}

#[xdp]
fn passing(ctx: XdpContext) -> u32 {
    // SAFETY: nothing is held.
    unsafe { NEXT_TOO.tail_call(&ctx, 0) };
    xdp_action::XDP_DROP
}

#[xdp(name = "renamed")]
fn under_another_name(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

aya_ebpf::panic_handler!();

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";
