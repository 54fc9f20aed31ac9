//~ mismatched types
//~ Array<u32>
#![no_std]
#![no_main]
use aya_ebpf::{
    macros::map,
    maps::{Array, ArrayOfMaps},
};

#[map]
static OTHER: Array<u64> = Array::with_max_entries(1, 0);
#[map]
static OUTER: ArrayOfMaps<Array<u32>> =
    ArrayOfMaps::with_max_entries(4, 0, Array::with_max_entries(1, 0)).values(&[&OTHER]);

aya_ebpf::panic_handler!();
