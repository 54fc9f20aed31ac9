//! What both halves of runc-watch share: the event that one sends to the other.
#![no_std]

/// A process that has become `runc`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RuncEvent {
    /// Its id.
    pub pid: u32,
}
