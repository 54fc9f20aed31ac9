//! Bloom filters, each with a program that does what it is asked for.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps,
    macros::{btf_map, map, xdp},
    maps::BloomFilter,
    programs::XdpContext,
};
use aya_tests_ebpf::requests::{GET, SET, Value, run, value};

#[map]
static BLOOM: BloomFilter<Value> = BloomFilter::with_max_entries(100, 0).hash_functions(2);
#[btf_map]
static BTF_BLOOM: btf_maps::BloomFilter<Value, 100> = btf_maps::BloomFilter::new();

macro_rules! filters {
    ($($program:ident: $map:ident;)*) => {$(
        #[xdp]
        fn $program(ctx: XdpContext) -> u32 {
            run(&ctx, |request| {
                let value = value(request.value);
                Some(match request.operation {
                    GET => $map.contains(&value).map(|()| 0),
                    SET => $map.insert(&value, 0).map(|()| 0),
                    _ => return None,
                })
            })
        }
    )*};
}

filters! {
    bloom: BLOOM;
    btf_bloom: BTF_BLOOM;
}

aya_ebpf::panic_handler!();
