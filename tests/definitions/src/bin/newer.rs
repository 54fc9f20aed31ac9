//! Types of maps that came between Linux 5.10 and 6.1, in both forms.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps,
    macros::{btf_map, map},
    maps,
};
use aya_tests_definitions_ebpf::both;

both! {
    OLD_OF_TASKS, NEW_OF_TASKS: TaskStorage<u64>[] = new();
    OLD_ORDERS, NEW_ORDERS: UserRingBuf[4096] = with_byte_size(4096, 0);
}

#[map]
static OLD_BLOOM: maps::BloomFilter<u32> =
    maps::BloomFilter::with_max_entries(4, 0).hash_functions(3);
#[btf_map]
static NEW_BLOOM: btf_maps::BloomFilter<u32, 4, 0, 3> = btf_maps::BloomFilter::new();

aya_ebpf::panic_handler!();
