//! What can be a map's key or value, and what the compiler says about the rest.

#[path = "../../../log/aya-log-ebpf/tests/ui_support/mod.rs"]
mod ui_support;

use aya::Pod;

fn is_pod<T: Pod>() {}

/// As the `-common` crate of a project defines them.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Derived {
    address: u32,
    ports: [u16; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Vouched {
    address: u32,
}

// SAFETY: an integer.
unsafe impl Pod for Vouched {}

#[derive(Clone, Copy)]
#[repr(C)]
struct Generic<T>(T);

// SAFETY: nothing but what is plain data itself.
unsafe impl<T: Pod> Pod for Generic<T> {}

#[test]
fn plain_data_is_accepted() {
    is_pod::<Derived>();
    is_pod::<[[Derived; 7]; 33]>();
    is_pod::<Vouched>();
    is_pod::<Generic<Vouched>>();
    is_pod::<Generic<Derived>>();
}

#[test]
fn the_rest_is_refused() {
    ui_support::refused("the_rest_is_refused", "tests/ui/*.rs");
}
