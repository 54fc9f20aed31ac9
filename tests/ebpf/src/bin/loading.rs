//! Maps that the loader finds, changes, and fills: shared by pins and descriptors, with another definition
//! than the compiled one, with maps and programs in them from the start.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{Array, ArrayOfMaps, HashMap, HashOfMaps, ProgramArray},
    programs,
    programs::XdpContext,
};
use bytemuck::{Pod, Zeroable};

/// A value with members to compare.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Flow {
    packets: u32,
    port: u16,
    reserved: [u8; 2],
    bytes: u64,
}

#[map]
static FLOWS: HashMap<u32, Flow> = HashMap::with_max_entries(16, 0);

/// Counts in the flow 0.
#[xdp]
fn count(ctx: XdpContext) -> u32 {
    let length = (ctx.data_end() - ctx.data()) as u64;
    match FLOWS.get_ptr_mut(&0) {
        Some(flow) => {
            // SAFETY: the test runs one program at a time.
            unsafe {
                (*flow).packets += 1;
                (*flow).bytes += length;
            }
        }
        None => {
            let flow = Flow {
                packets: 1,
                port: 7,
                reserved: [0; 2],
                bytes: length,
            };
            let _full = FLOWS.insert(0, flow, 0);
        }
    }
    xdp_action::XDP_PASS
}

#[map]
static FIRST: Array<u64> = Array::with_max_entries(2, 0);
#[map]
static SECOND: Array<u64> = Array::with_max_entries(2, 0);
#[map]
static BY_INDEX: ArrayOfMaps<Array<u64>> =
    ArrayOfMaps::with_max_entries(4, 0, Array::with_max_entries(2, 0)).values(&[&FIRST, &SECOND]);
#[map]
static BY_KEY: HashOfMaps<u32, Array<u64>> =
    HashOfMaps::with_max_entries(4, 0, Array::with_max_entries(2, 0)).values(&[&SECOND, &FIRST]);

/// The sum of what the inner maps hold, weighted by where they are.
#[xdp]
fn inner(_ctx: XdpContext) -> u32 {
    let by_index = |index| BY_INDEX.get_value(index, &1).copied().unwrap_or(0);
    // SAFETY: an array's values stay.
    let by_key = |key: u32| unsafe { BY_KEY.get_value(&key, &1).copied().unwrap_or(0) };
    (by_index(0) + 10 * by_index(1) + 100 * by_key(0) + 1000 * by_key(1)) as u32
}

#[map]
static STAGES: ProgramArray =
    ProgramArray::with_max_entries(4, 0).programs(programs![_, second, third]);

/// Goes on in what is at 2, else at 1, else says 1.
#[xdp]
fn first(ctx: XdpContext) -> u32 {
    // SAFETY: nothing is held.
    unsafe {
        STAGES.tail_call(&ctx, 2);
        STAGES.tail_call(&ctx, 1);
    }
    1
}

#[xdp]
fn second(_ctx: XdpContext) -> u32 {
    2
}

#[xdp]
fn third(_ctx: XdpContext) -> u32 {
    3
}

aya_ebpf::panic_handler!();
