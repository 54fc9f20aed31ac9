//! Maps of maps: the number of a request's element is that of an inner map, whose first element it is.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps,
    macros::{btf_map, map, xdp},
    maps::{Array, ArrayOfMaps, HashMap, HashOfMaps},
    programs::XdpContext,
};
use aya_tests_ebpf::requests::{ADD, ENOENT, GET, Value, add, key, number, run};

/// Where the arrays are from the start.
#[map]
static FIRST: Array<Value> = Array::with_max_entries(1, 0);
#[map]
static SECOND: Array<Value> = Array::with_max_entries(1, 0);
#[map]
static ARRAYS: ArrayOfMaps<Array<Value>> =
    ArrayOfMaps::with_max_entries(4, 0, Array::with_max_entries(1, 0)).values(&[&FIRST, &SECOND]);

#[map]
static TABLES: HashOfMaps<[u32; 2], HashMap<u32, Value>> =
    HashOfMaps::with_max_entries(2, 0, HashMap::with_max_entries(8, 0));

#[btf_map]
static BTF_ARRAYS: btf_maps::ArrayOfMaps<btf_maps::Array<Value, 1>, 4> =
    btf_maps::ArrayOfMaps::new();
#[btf_map]
static BTF_TABLES: btf_maps::HashOfMaps<[u32; 2], btf_maps::HashMap<u32, Value, 8>, 2> =
    btf_maps::HashOfMaps::new();

macro_rules! programs {
    ($($program:ident: |$number:ident| $place:expr;)*) => {$(
        #[xdp]
        fn $program(ctx: XdpContext) -> u32 {
            run(&ctx, |request| {
                let $number = request.number;
                let place = $place;
                Some(match request.operation {
                    GET => number(place),
                    ADD => add(place, request.value),
                    _ => Err(-ENOENT),
                })
            })
        }
    )*};
}

programs! {
    arrays: |number| ARRAYS.get_value_ptr_mut(number, &0);
    btf_arrays: |number| BTF_ARRAYS.get_value_ptr_mut(number, &0);
    // SAFETY: inner maps stay until the program has ended.
    tables: |number| unsafe { TABLES.get_value_ptr_mut(&key(number), &0) };
    // SAFETY: as above.
    btf_tables: |number| unsafe { BTF_TABLES.get_value_ptr_mut(&key(number), &0) };
}

aya_ebpf::panic_handler!();
