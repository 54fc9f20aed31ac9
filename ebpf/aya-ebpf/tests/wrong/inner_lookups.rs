//~ can be removed while a program refers to them
//~ expected `&u32`, found `&u64`
#![no_std]
#![no_main]
use aya_ebpf::{
    btf_maps::{ArrayOfMaps, HashMap},
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[btf_map]
static OUTER: ArrayOfMaps<HashMap<u32, u64, 8>, 4> = ArrayOfMaps::new();

#[xdp]
fn filter(_ctx: XdpContext) -> u32 {
    let key = 1u64;
    let address = OUTER.get_value_ptr_mut(0, &key);
    u32::from(address.is_some() && OUTER.get_value(0, &1).is_some())
}

aya_ebpf::panic_handler!();
