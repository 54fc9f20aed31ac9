//~ no method named `values` found for struct
#![no_std]
#![no_main]
use aya_ebpf::{
    macros::map,
    maps::{Array, HashOfMaps},
};

#[map]
static INNER: Array<u32> = Array::with_max_entries(1, 0);
#[map]
static OUTER: HashOfMaps<u64, Array<u32>> =
    HashOfMaps::<u64, _>::with_max_entries(4, 0, Array::with_max_entries(1, 0)).values(&[&INNER]);

aya_ebpf::panic_handler!();
