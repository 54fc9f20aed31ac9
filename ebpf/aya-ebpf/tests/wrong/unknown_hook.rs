//~ unknown argument `outgress`
//~ `egress`
#![no_std]
#![no_main]
use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};

#[cgroup_skb(outgress)]
fn packets(_ctx: SkBuffContext) -> i32 {
    1
}

aya_ebpf::panic_handler!();
