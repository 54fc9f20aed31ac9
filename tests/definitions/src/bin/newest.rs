//! Types of maps that came after Linux 6.12, in both forms.
#![no_std]
#![no_main]

use aya_tests_definitions_ebpf::both;

both! {
    OLD_POSITIONS, NEW_POSITIONS: InsnArray[4] = with_max_entries(4, 0);
    OLD_GROWING, NEW_GROWING: RHashMap<u32, u64>[4] = with_max_entries(4, 0);
}

aya_ebpf::panic_handler!();
