//! Drops IPv4 packets from addresses in `BLOCKLIST` and logs every decision.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::HashMap,
    programs::XdpContext,
};
use aya_log_ebpf::info;
use network_types::{
    eth::{EthHdr, EtherType},
    ip::Ipv4Hdr,
};
use xdp_drop_common::{Address, Entry};

#[map]
static BLOCKLIST: HashMap<Address, Entry> = HashMap::with_max_entries(1024, 0);

#[xdp]
fn xdp_drop(ctx: XdpContext) -> u32 {
    let Some(address) = source(&ctx) else {
        return xdp_action::XDP_PASS;
    };
    let action = if BLOCKLIST.contains_key(&address) {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    };
    info!(&ctx, "SRC: {:i}, ACTION: {}", address, action);
    action
}

/// The source address; `None` for what is not IPv4, or cut short.
#[inline(always)]
fn source(ctx: &XdpContext) -> Option<Address> {
    let ethernet: *const EthHdr = ptr_at(ctx, 0)?;
    // SAFETY: inside the packet, as is the header below; both are plain bytes.
    let Ok(EtherType::Ipv4) = (unsafe { (*ethernet).ether_type() }) else {
        return None;
    };
    let ip: *const Ipv4Hdr = ptr_at(ctx, EthHdr::LEN)?;
    // SAFETY: see above.
    Some(u32::from_be_bytes(unsafe { (*ip).src_addr }))
}

/// Where a `T` lies in the packet, if the packet is long enough. The verifier insists on the comparison.
#[inline(always)]
fn ptr_at<T>(ctx: &XdpContext, offset: usize) -> Option<*const T> {
    let start = ctx.data() + offset;
    (start + size_of::<T>() <= ctx.data_end()).then_some(start as *const T)
}

aya_ebpf::panic_handler!();
