//~ `[u8; 8]: Borrow<u64>`
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
    u32::from(SEEN.insert(1, [0u8; 8], 0).is_ok())
}

aya_ebpf::panic_handler!();
