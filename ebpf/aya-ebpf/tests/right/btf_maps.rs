#![no_std]
#![no_main]
use aya_ebpf::{
    btf_maps::{self, *},
    macros::{btf_map, map, xdp},
    maps, programs,
    programs::XdpContext,
};

#[btf_map]
static ARRAY: Array<u64, 16> = Array::new();
#[btf_map]
pub static mut SHARED: LruHashMap<[u8; 6], u32, 16> = LruHashMap::pinned();
#[map(name = "RECORDS")]
static RING: RingBuf<u32, 4096> = RingBuf::new();
#[btf_map]
static OLD: maps::Array<u64> = maps::Array::with_max_entries(16, 0).numa_node(0);
#[map]
static NEAR: HashMap<u32, u32, 16> = HashMap::new().numa_node(0);
#[map]
static FILTER: maps::BloomFilter<u32> = maps::BloomFilter::pinned(16, 0).hash_functions(2);

type Inner = btf_maps::Array<u64, 4>;
#[btf_map]
static FIRST: Inner = Inner::new();
#[btf_map]
static OUTER: ArrayOfMaps<Inner, 4> = ArrayOfMaps::new().values(&[&FIRST, &FIRST]);
#[map]
static BY_KEY: maps::HashOfMaps<u32, maps::Array<u64>> =
    maps::HashOfMaps::with_max_entries(4, 0, maps::Array::with_max_entries(16, 0)).values(&[&OLD]);
#[map]
static NEXT: maps::ProgramArray =
    maps::ProgramArray::with_max_entries(4, 0).programs(programs![_, counting, last]);

/// Takes maps of either form.
fn increment(array: &maps::Array<u64>, index: u32) -> Option<u64> {
    let value = array.get_ptr_mut(index)?;
    unsafe {
        *value += 1;
        Some(*value)
    }
}

fn count() -> Option<u64> {
    let inner: &Inner = OUTER.get(0)?;
    let sum = increment(inner, 0)? + increment(&ARRAY, 1)? + increment(&OLD, 2)?;
    let nested = unsafe { BY_KEY.get_value(&0, &1).copied() };
    Some(sum + nested? + *OUTER.get_value(1, &2)?)
}

#[xdp]
fn counting(ctx: XdpContext) -> u32 {
    let counted = count().unwrap_or_default();
    let _ = RING.output(&(counted as u32), 0);
    let _ = NEAR.insert(1, 2, 0).and(FILTER.insert(&1, 0));
    unsafe {
        let _ = (*&raw const SHARED).remove([0; 6]);
        NEXT.tail_call(&ctx, 2);
    }
    1
}

#[xdp(name = "last")]
fn another(_ctx: XdpContext) -> u32 {
    2
}

aya_ebpf::panic_handler!();

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
