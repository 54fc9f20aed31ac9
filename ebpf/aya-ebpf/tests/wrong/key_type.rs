//~ mismatched types
//~ expected `&u32`, found `&u64`
#![no_std]
#![no_main]
use aya_ebpf::{
    macros::{map, xdp},
    maps::HashMap,
    programs::XdpContext,
};

#[map]
static SEEN: HashMap<u32, u64> = HashMap::with_max_entries(16, 0);

#[xdp]
fn filter(_ctx: XdpContext) -> u32 {
    let key = 1u64;
    let seen = unsafe { SEEN.get(&key) }.is_some();
    u32::from(seen)
}

aya_ebpf::panic_handler!();
