//~ `offset` is a number
#![no_std]
#![no_main]
use aya_ebpf::{macros::uprobe, programs::ProbeContext};

#[uprobe(path = "/bin/bash", function = "readline", offset = "four")]
fn entry(_ctx: ProbeContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
