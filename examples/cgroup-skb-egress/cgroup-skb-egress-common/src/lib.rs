//! What both halves of cgroup-skb-egress share: the event that one sends to the other.
#![no_std]

use bytemuck::{Pod, Zeroable};

/// A packet that a process of the cgroup sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct PacketLog {
    /// Its destination: an IPv4 address as a number in host byte order.
    pub ipv4_address: u32,
    /// What became of it: 1 it was sent, 0 it was refused.
    pub action: i32,
}
