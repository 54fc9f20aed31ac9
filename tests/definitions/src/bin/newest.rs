//! Types of maps that came after Linux 6.12, in both forms.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::InsnArray,
    programs::XdpContext,
};
use aya_tests_definitions_ebpf::both;

both! {
    OLD_POSITIONS, NEW_POSITIONS: InsnArray[4] = with_max_entries(4, 0);
    OLD_GROWING, NEW_GROWING: RHashMap<u32, u64>[4] = with_max_entries(4, 0);
}

/// Where the instructions of [`pass`] are.
#[map]
static OF_PASS: InsnArray = InsnArray::with_max_entries(2, 0);

#[xdp]
fn pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

aya_ebpf::panic_handler!();
