//! A hash table that grows, with a program that does what it is asked for.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps,
    macros::{btf_map, map, xdp},
    maps::RHashMap,
    programs::XdpContext,
};
use aya_tests_ebpf::{
    requests::{Key, Value},
    tables,
};

#[map]
static RHASH: RHashMap<Key, Value> = RHashMap::with_max_entries(4, 0);
#[btf_map]
static RHASH_TOO: btf_maps::RHashMap<Key, Value, 4> = btf_maps::RHashMap::new();

tables! {
    rhash: RHASH;
    rhash_too: RHASH_TOO;
}

aya_ebpf::panic_handler!();
