//! What the programs of the integration tests share: reading packets, and requests in them.
#![no_std]

pub mod requests;

use aya_ebpf::programs::XdpContext;

/// Where the IPv4 header begins.
pub const IPV4: usize = 14;
/// Where the IPv4 header holds the source address.
pub const SOURCE: usize = IPV4 + 12;
/// Where a datagram's payload begins.
pub const PAYLOAD: usize = IPV4 + 20 + 8;

/// Reads a value of the packet as it stands there, if the packet is long enough.
#[inline(always)]
pub fn read<T: Copy>(ctx: &XdpContext, offset: usize) -> Option<T> {
    let at = ctx.data() + offset;
    if at + size_of::<T>() > ctx.data_end() {
        return None;
    }
    // SAFETY: the bytes are inside the packet, and callers read integers and arrays of them only.
    Some(unsafe { (at as *const T).read_unaligned() })
}

/// The packet's IPv4 source address.
#[inline(always)]
pub fn source(ctx: &XdpContext) -> Option<u32> {
    const IPV4_TYPE: [u8; 2] = [8, 0];
    if read::<[u8; 2]>(ctx, 12)? != IPV4_TYPE {
        return None;
    }
    read::<u32>(ctx, SOURCE).map(u32::from_be)
}
