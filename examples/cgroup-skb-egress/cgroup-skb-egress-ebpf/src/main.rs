//! Refuses IPv4 packets to addresses in `BLOCKLIST`, and reports every packet through `EVENTS`.
#![no_std]
#![no_main]

use core::mem::offset_of;

use aya_ebpf::{
    macros::{cgroup_skb, map},
    maps::{HashMap, PerfEventArray},
    programs::SkBuffContext,
};
use cgroup_skb_egress_common::PacketLog;
use network_types::ip::Ipv4Hdr;

#[map]
static EVENTS: PerfEventArray<PacketLog> = PerfEventArray::new(0);

#[map]
static BLOCKLIST: HashMap<u32, u32> = HashMap::with_max_entries(1024, 0);

const REFUSE: i32 = 0;
const SEND: i32 = 1;

const ETH_P_IP: u32 = (0x0800_u16).to_be() as u32;

#[cgroup_skb]
fn cgroup_skb_egress(ctx: SkBuffContext) -> i32 {
    decide(&ctx).unwrap_or(REFUSE)
}

/// The decision; an error when the packet is shorter than its header. These programs see packets from
/// the IP header on.
fn decide(ctx: &SkBuffContext) -> Result<i32, i64> {
    if ctx.protocol() != ETH_P_IP {
        return Ok(SEND);
    }
    let destination = u32::from_be_bytes(ctx.load(offset_of!(Ipv4Hdr, dst_addr))?);
    let action = if BLOCKLIST.contains_key(&destination) {
        REFUSE
    } else {
        SEND
    };
    let event = PacketLog {
        ipv4_address: destination,
        action,
    };
    EVENTS.output(ctx, event, 0);
    Ok(action)
}

aya_ebpf::panic_handler!();
