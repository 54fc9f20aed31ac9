//! Logs where TCP and UDP packets come from and lets everything pass.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::info;
use network_types::{
    eth::{EthHdr, EtherType},
    ip::{IpProto, Ipv4Hdr},
    tcp::TcpHdr,
    udp::UdpHdr,
};

#[xdp]
fn xdp_log(ctx: XdpContext) -> u32 {
    if let Some((address, port)) = source(&ctx) {
        info!(&ctx, "SRC IP: {:i}, SRC PORT: {}", address, port);
    }
    xdp_action::XDP_PASS
}

/// Source address and port; `None` for what is not TCP or UDP on IPv4, or cut short.
#[inline(always)]
fn source(ctx: &XdpContext) -> Option<(u32, u16)> {
    const TRANSPORT: usize = EthHdr::LEN + Ipv4Hdr::LEN;

    let ethernet: *const EthHdr = ptr_at(ctx, 0)?;
    // SAFETY: inside the packet, as are the headers below; all are plain bytes.
    let Ok(EtherType::Ipv4) = (unsafe { (*ethernet).ether_type() }) else {
        return None;
    };
    let ip: *const Ipv4Hdr = ptr_at(ctx, EthHdr::LEN)?;
    // SAFETY: see above.
    let (address, protocol) = unsafe { (u32::from_be_bytes((*ip).src_addr), (*ip).proto) };
    let port = match protocol {
        IpProto::Tcp => {
            let tcp: *const TcpHdr = ptr_at(ctx, TRANSPORT)?;
            // SAFETY: see above.
            unsafe { u16::from_be_bytes((*tcp).source) }
        }
        IpProto::Udp => {
            let udp: *const UdpHdr = ptr_at(ctx, TRANSPORT)?;
            // SAFETY: see above.
            unsafe { (*udp).src_port() }
        }
        _ => return None,
    };
    Some((address, port))
}

/// Where a `T` lies in the packet, if the packet is long enough. The verifier insists on the comparison.
#[inline(always)]
fn ptr_at<T>(ctx: &XdpContext, offset: usize) -> Option<*const T> {
    let start = ctx.data() + offset;
    (start + size_of::<T>() <= ctx.data_end()).then_some(start as *const T)
}

aya_ebpf::panic_handler!();
