//~ ring buffer records are aligned to 8 bytes, no more
#![no_std]
#![no_main]
use aya_ebpf::{
    macros::{map, xdp},
    maps::RingBuf,
    programs::XdpContext,
};

#[repr(align(16))]
pub struct Wide([u64; 2]);

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

#[xdp]
fn report(_ctx: XdpContext) -> u32 {
    if let Some(mut event) = EVENTS.reserve::<Wide>(0) {
        event.write(Wide([1, 2]));
        event.submit(0);
    }
    2
}

aya_ebpf::panic_handler!();
