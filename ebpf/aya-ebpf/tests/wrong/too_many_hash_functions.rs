//~ a Bloom filter has at most 15 hash functions
#![no_std]
#![no_main]
use aya_ebpf::{btf_maps::BloomFilter, macros::btf_map};

#[btf_map]
static SEEN: BloomFilter<u32, 8, 0, 16> = BloomFilter::new();

aya_ebpf::panic_handler!();
