//! Maps that hold others, or programs, from the start.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps,
    macros::{btf_map, map, xdp},
    maps, programs,
    programs::XdpContext,
};

#[map]
static FIRST: maps::Array<u64> = maps::Array::with_max_entries(2, 0);
#[map]
static SECOND: maps::Array<u64> = maps::Array::with_max_entries(2, 0);
#[map]
static BY_INDEX: maps::ArrayOfMaps<maps::Array<u64>> =
    maps::ArrayOfMaps::with_max_entries(4, 0, maps::Array::with_max_entries(2, 0))
        .values(&[&FIRST, &SECOND]);

type Inner = btf_maps::HashMap<u32, u64, 8>;

#[btf_map]
static THIRD: Inner = Inner::new();
#[btf_map]
static BY_KEY: btf_maps::HashOfMaps<u32, Inner, 4> = btf_maps::HashOfMaps::new().values(&[&THIRD]);
#[map]
static NEXT: maps::ProgramArray =
    maps::ProgramArray::with_max_entries(4, 0).programs(programs![_, passing, renamed]);
#[btf_map]
static NEXT_TOO: btf_maps::ProgramArray<4> =
    btf_maps::ProgramArray::new().programs(programs![renamed]);

/// Writes into the inner maps by name and reads from them through the outer ones.
fn found() -> Result<u64, i32> {
    FIRST.set(1, 10, 0)?;
    SECOND.set(1, 20, 0)?;
    THIRD.insert(7, 30, 0)?;
    let none = BY_INDEX.get(2).is_none();
    // SAFETY: nobody else has the maps.
    let third = unsafe { BY_KEY.get_value(&0, &7).copied() };
    match (
        none,
        BY_INDEX.get_value(0, &1),
        BY_INDEX.get_value(1, &1),
        third,
    ) {
        (true, Some(first), Some(second), Some(third)) => Ok(first + second + third),
        _ => Err(-1),
    }
}

/// Passes what finds all values in its inner maps.
#[xdp]
fn inner_maps(_ctx: XdpContext) -> u32 {
    match found() {
        Ok(60) => xdp_action::XDP_PASS,
        _ => xdp_action::XDP_DROP,
    }
}

#[xdp]
fn enter(ctx: XdpContext) -> u32 {
    // SAFETY: nothing is held.
    unsafe {
        NEXT.tail_call(&ctx, 0);
        NEXT.tail_call(&ctx, 1);
    }
    xdp_action::XDP_DROP
}

#[xdp]
fn passing(ctx: XdpContext) -> u32 {
    // SAFETY: nothing is held.
    unsafe { NEXT_TOO.tail_call(&ctx, 0) };
    xdp_action::XDP_DROP
}

#[xdp(name = "renamed")]
fn under_another_name(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

aya_ebpf::panic_handler!();

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";
