//! What both halves of tc-egress share: the types of the map between them.
#![no_std]

/// A destination to block: an IPv4 address as a number in host byte order.
pub type Address = u32;

/// What the map holds for an address. Being there is what counts; the value is unused.
pub type Entry = u32;
