//! What the derive refuses.

use bytemuck::{Pod, Zeroable};

/// Three bytes after `kind` are nobody's.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Padded {
    kind: u8,
    address: u32,
}

/// Most bytes are no `bool`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Flag {
    set: bool,
}

#[derive(Clone, Copy, Zeroable)]
#[repr(u8)]
enum Verdict {
    Pass = 0,
    Drop = 1,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Decision {
    verdict: Verdict,
}

/// Rust may order the fields as it likes, and otherwise for the eBPF side.
#[derive(Clone, Copy, Pod, Zeroable)]
struct Unordered {
    address: u32,
}

fn main() {}
