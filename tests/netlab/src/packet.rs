//! Packets made by hand.

use std::net::Ipv4Addr;

use crate::NEAR_ADDRESS;

/// An IPv4 packet with a UDP datagram in it, from any source to the near side's `port`.
///
/// The datagram has no checksum, which UDP over IPv4 permits (RFC 768); the header's is left to the
/// kernel.
///
/// ```
/// let packet = aya_netlab::udp_packet([1, 1, 1, 1].into(), 1000, 2000, b"hello");
/// assert_eq!(packet.len(), 20 + 8 + 5);
/// assert_eq!(packet[12..16], [1, 1, 1, 1]);
/// ```
#[must_use]
pub fn udp_packet(source: Ipv4Addr, source_port: u16, port: u16, payload: &[u8]) -> Vec<u8> {
    const UDP: u8 = 17;
    const LIFETIME: u8 = 64;
    // Above the largest packet this saturates, and sending it fails.
    let length = |header: usize| u16::try_from(header + payload.len()).unwrap_or(u16::MAX);
    let mut packet = vec![0x45, 0];
    packet.extend(length(28).to_be_bytes());
    packet.extend([0, 0, 0, 0, LIFETIME, UDP, 0, 0]);
    packet.extend(source.octets());
    packet.extend(NEAR_ADDRESS.octets());
    packet.extend(source_port.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend(length(8).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}
