//! Memory that programs and user space share.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps,
    macros::{btf_map, map, xdp},
    maps::Arena,
    programs::XdpContext,
};
use aya_tests_ebpf::requests::{ADD, GET, HALF, SET, SUM, run};

#[map]
static SHARED: Arena = Arena::with_pages(4, 0);
#[btf_map]
static OTHER: btf_maps::Arena<1> = btf_maps::Arena::new();
/// Has its address from the program.
#[map]
static FIXED: Arena = Arena::with_pages(2, 0).mapped_at(0x2000_0000_0000);

/// What is asked for is an offset.
macro_rules! programs {
    ($($program:ident: $arena:ident;)*) => {$(
        #[xdp]
        fn $program(ctx: XdpContext) -> u32 {
            run(&ctx, |request| {
                let at = $arena.get::<u64>(request.number);
                match request.operation {
                    GET => {}
                    SET => at.store(request.value),
                    ADD => at.add(request.value),
                    HALF => $arena.get::<u32>(request.number).at(1).store(request.value as u32),
                    SUM => {
                        let mut sum = 0;
                        for index in 0..(request.value as u32 & 15) {
                            sum += at.at(index).load();
                        }
                        return Some(Ok(sum));
                    }
                    _ => return None,
                }
                Some(Ok(at.load()))
            })
        }
    )*};
}

programs! {
    shared: SHARED;
    other: OTHER;
    fixed: FIXED;
}

aya_ebpf::panic_handler!();
