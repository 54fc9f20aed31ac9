//! Write eBPF programs in Rust: contexts, maps and helpers.
//!
//! A program is a function with an attribute from [`macros`], a map is a static with
//! [`#[map]`](macro@macros::map):
//!
//! ```
//! use aya_ebpf::{
//!     bindings::xdp_action,
//!     macros::{map, xdp},
//!     maps::Array,
//!     programs::XdpContext,
//! };
//!
//! #[map]
//! static PACKETS: Array<u64> = Array::with_max_entries(1, 0);
//!
//! #[xdp]
//! fn count(ctx: XdpContext) -> u32 {
//!     if let Some(packets) = PACKETS.get_ptr_mut(0) {
//!         // SAFETY: the map's value is valid while the program runs.
//!         unsafe { aya_ebpf::atomic_add_u64(packets, 1) };
//!     }
//!     xdp_action::XDP_PASS
//! }
//! # fn main() {}
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`macros`] | attributes for programs and maps |
//! | [`programs`](mod@programs) | the contexts that programs are given |
//! | [`maps`] | memory shared with user space and between runs |
//! | [`btf_maps`] | the same, with their sizes in their types |
//! | [`helpers`] | functions that the kernel offers |
//! | [`bindings`] | the kernel's constants and structures |
//! | [`cty`] | C's types |
//!
//! The crate compiles for the host too, so that `cargo check`, `clippy` and `doc` work on eBPF crates
//! as on any other. What only exists inside the kernel (helpers, map operations) panics there.
//!
//! # Panics
//!
//! A program that panics leaves with the value of its type that does no harm (`XDP_ABORTED` and the
//! like): the linker puts this in the place of the `#[panic_handler]`, whatever that does.
//! [`panic_handler!`] writes one.
#![no_std]

pub use aya_ebpf_macros as macros;

mod args;
pub mod bindings;
pub mod btf_maps;
pub mod cty;
mod global;
pub mod helpers;
pub mod maps;
mod panic;
pub mod programs;

pub use args::Argument;
pub use global::{Global, GlobalInteger, GlobalMut, atomic_add_u64, check_bounds_signed};
pub use panic::abort;
pub use programs::EbpfContext;
/// The former name of [`EbpfContext`].
pub use programs::EbpfContext as BpfContext;

#[doc(hidden)]
pub mod __private {
    #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
    pub use crate::{only_in_the_kernel, panic::host_main};
}

/// What stands in for the kernel when code of this crate runs anywhere else.
#[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
#[cold]
pub fn only_in_the_kernel(what: &str) -> ! {
    panic!("{what}: can only be called by an eBPF program in the kernel")
}
