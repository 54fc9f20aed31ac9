//! Types of maps that came between Linux 6.1 and 6.12, in both forms.
#![no_std]
#![no_main]

use aya_ebpf::{macros::map, maps::Arena};
use aya_tests_definitions_ebpf::both;

both! {
    OLD_OF_CGROUPS, NEW_OF_CGROUPS: CgrpStorage<u64>[] = new();
}

/// The other one is in an object of its own.
#[map]
static OLD_ARENA: Arena = Arena::with_pages(4, 0);

aya_ebpf::panic_handler!();
