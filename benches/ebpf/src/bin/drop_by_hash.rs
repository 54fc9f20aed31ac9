//! Drops IPv4 packets whose source is in a hash map. Beside `benches/c/drop_by_hash.bpf.c`.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::HashMap,
    programs::XdpContext,
};
use network_types::{
    eth::{EthHdr, EtherType},
    ip::Ipv4Hdr,
};

#[map]
static BLOCKLIST: HashMap<u32, u32> = HashMap::with_max_entries(1024, 0);

#[xdp]
fn drop_by_hash(ctx: XdpContext) -> u32 {
    match verdict(&ctx) {
        Some(verdict) => verdict,
        None => xdp_action::XDP_ABORTED,
    }
}

/// `None` for packets that are cut short.
#[inline(always)]
fn verdict(ctx: &XdpContext) -> Option<u32> {
    let ethernet: *const EthHdr = ptr_at(ctx, 0)?;
    // SAFETY: inside the packet, as is the header below; both are plain bytes.
    if unsafe { (*ethernet).ether_type } != EtherType::Ipv4.into() {
        return Some(xdp_action::XDP_PASS);
    }
    let ip: *const Ipv4Hdr = ptr_at(ctx, EthHdr::LEN)?;
    // SAFETY: see above.
    let source = u32::from_be_bytes(unsafe { (*ip).src_addr });
    Some(match BLOCKLIST.contains_key(&source) {
        true => xdp_action::XDP_DROP,
        false => xdp_action::XDP_PASS,
    })
}

/// Where a `T` lies in the packet, if the packet is long enough.
#[inline(always)]
fn ptr_at<T>(ctx: &XdpContext, offset: usize) -> Option<*const T> {
    let start = ctx.data() + offset;
    (start + size_of::<T>() <= ctx.data_end()).then_some(start as *const T)
}

aya_ebpf::panic_handler!();
