//~ RetProbeContext
//~ ProbeContext
#![no_std]
#![no_main]
use aya_ebpf::{macros::kretprobe, programs::ProbeContext};

#[kretprobe]
fn leave(_ctx: ProbeContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
