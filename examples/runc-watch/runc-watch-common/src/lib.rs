//! What both halves of runc-watch share: the event that one sends to the other.
#![no_std]

use bytemuck::{Pod, Zeroable};

/// A process that has become `runc`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct RuncEvent {
    /// Its id.
    pub pid: u32,
}
