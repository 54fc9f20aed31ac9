//~ unknown argument `hook`; known:
//~ `function = "…"`
#![no_std]
#![no_main]
use aya_ebpf::{macros::fentry, programs::FEntryContext};

#[fentry(hook = "vfs_read")]
fn read(_ctx: FEntryContext) -> u32 {
    0
}

aya_ebpf::panic_handler!();
