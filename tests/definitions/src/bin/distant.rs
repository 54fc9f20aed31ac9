//! A map whose memory is to be on a NUMA node that no machine has.
#![no_std]
#![no_main]

use aya_ebpf::{macros::map, maps::HashMap};

#[map]
static DISTANT: HashMap<u32, u32> = HashMap::with_max_entries(4, 0).numa_node(1023);

aya_ebpf::panic_handler!();
