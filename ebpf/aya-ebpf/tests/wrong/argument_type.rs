//~ Argument
//~ Pair
#![no_std]
#![no_main]
use aya_ebpf::{macros::fentry, programs::FEntryContext};

struct Pair(u64, u64);

#[fentry]
fn read(ctx: FEntryContext) -> u32 {
    let Pair(a, b) = ctx.arg(0);
    (a + b) as u32
}

aya_ebpf::panic_handler!();
