//~ `#[cgroup_sockopt]` needs to know where: `getsockopt`, `setsockopt`
#![no_std]
#![no_main]
use aya_ebpf::{macros::cgroup_sockopt, programs::SockoptContext};

#[cgroup_sockopt]
fn options(_ctx: SockoptContext) -> i32 {
    1
}

aya_ebpf::panic_handler!();
