//~ SkBuffContext
//~ TcContext
#![no_std]
#![no_main]
use aya_ebpf::{macros::socket_filter, programs::TcContext};

#[socket_filter]
fn filter(_ctx: TcContext) -> i64 {
    0
}

aya_ebpf::panic_handler!();
