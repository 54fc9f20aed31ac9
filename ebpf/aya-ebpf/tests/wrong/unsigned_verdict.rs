//~ a program with a `LsmContext` cannot return `u32`
#![no_std]
#![no_main]
use aya_ebpf::{macros::lsm, programs::LsmContext};

#[lsm(hook = "file_open")]
fn open(_ctx: LsmContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
