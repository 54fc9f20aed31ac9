//! Maps that are shared by name, in both forms.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps,
    macros::{btf_map, map, xdp},
    maps,
    programs::XdpContext,
};

#[map]
static OLD_RUNS: maps::Array<u64> = maps::Array::pinned(1, 0);
#[btf_map]
static NEW_RUNS: btf_maps::Array<u64, 1> = btf_maps::Array::pinned();

/// Counts its runs, in both.
#[xdp]
fn count(_ctx: XdpContext) -> u32 {
    let mut sum = 0;
    let places = [OLD_RUNS.get_ptr_mut(0), NEW_RUNS.get_ptr_mut(0)];
    for place in places.into_iter().flatten() {
        // SAFETY: one program runs at a time.
        unsafe {
            *place += 1;
            sum += *place;
        }
    }
    sum as u32
}

aya_ebpf::panic_handler!();
