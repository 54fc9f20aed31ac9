//! Drops IPv4 packets to addresses in `BLOCKLIST` as they leave, and logs every decision.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_PIPE, TC_ACT_SHOT},
    macros::{classifier, map},
    maps::HashMap,
    programs::TcContext,
};
use aya_log_ebpf::info;
use network_types::{
    eth::{EthHdr, EtherType},
    ip::Ipv4Hdr,
};
use tc_egress_common::{Address, Entry};

#[map]
static BLOCKLIST: HashMap<Address, Entry> = HashMap::with_max_entries(1024, 0);

#[classifier]
fn tc_egress(ctx: TcContext) -> i32 {
    decide(&ctx).unwrap_or(TC_ACT_SHOT)
}

/// The decision; an error when the packet is shorter than its headers.
fn decide(ctx: &TcContext) -> Result<i32, i64> {
    let ethernet: EthHdr = ctx.load(0)?;
    let Ok(EtherType::Ipv4) = ethernet.ether_type() else {
        return Ok(TC_ACT_PIPE);
    };
    let ip: Ipv4Hdr = ctx.load(EthHdr::LEN)?;
    let destination = u32::from_be_bytes(ip.dst_addr);
    let action = if BLOCKLIST.contains_key(&destination) {
        TC_ACT_SHOT
    } else {
        TC_ACT_PIPE
    };
    info!(ctx, "DEST {:i}, ACTION {}", destination, action);
    Ok(action)
}

aya_ebpf::panic_handler!();
