//! A Bloom filter, with a program that does what it is asked for.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{map, xdp},
    maps::BloomFilter,
    programs::XdpContext,
};
use aya_tests_ebpf::requests::{GET, SET, Value, run, value};

#[map]
static BLOOM: BloomFilter<Value> = BloomFilter::with_max_entries(100, 0);

#[xdp]
fn bloom(ctx: XdpContext) -> u32 {
    run(&ctx, |request| {
        let value = value(request.value);
        Some(match request.operation {
            GET => BLOOM.contains(&value).map(|()| 0),
            SET => BLOOM.insert(&value, 0).map(|()| 0),
            _ => return None,
        })
    })
}

aya_ebpf::panic_handler!();
