//! What both halves of packet-payload share: the head of the records that one sends to the other.
#![no_std]

use bytemuck::{Pod, Zeroable};

/// What is known of a packet; its bytes follow in the record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Head {
    /// Its length in bytes.
    pub length: u32,
    /// The interface it arrived at, by index.
    pub interface: u32,
}
