//~ does not say how large an inner map is
#![no_std]
#![no_main]
use aya_ebpf::{btf_maps::ArrayOfMaps, macros::btf_map, maps::Array};

#[btf_map]
static OUTER: ArrayOfMaps<Array<u32>, 4> = ArrayOfMaps::new();

aya_ebpf::panic_handler!();
