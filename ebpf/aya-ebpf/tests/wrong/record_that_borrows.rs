//~ must outlive `'static`
#![no_std]
#![no_main]
use aya_ebpf::{macros::map, maps::RingBuf};

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

pub fn report<'a>(name: &'a [u8]) {
    if let Some(mut event) = EVENTS.reserve::<&'a [u8]>(0) {
        event.write(name);
        event.submit(0);
    }
}

aya_ebpf::panic_handler!();
