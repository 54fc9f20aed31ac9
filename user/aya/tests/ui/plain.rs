//! What the bound refuses, and how it says what to do.

use std::net::Ipv4Addr;

fn is_pod<T: aya::Pod>() {}

#[derive(Clone, Copy)]
#[repr(C)]
struct Flow {
    address: u32,
}

fn main() {
    is_pod::<Flow>();
    is_pod::<Ipv4Addr>();
    is_pod::<bool>();
}
