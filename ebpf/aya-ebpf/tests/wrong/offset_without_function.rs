//~ `offset` needs `function = "…"` too
#![no_std]
#![no_main]
use aya_ebpf::{macros::kprobe, programs::ProbeContext};

#[kprobe(offset = "4")]
fn entry(_ctx: ProbeContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
