//! The system calls of the BPF subsystem, one safe function each.
//!
//! | module | what |
//! | --- | --- |
//! | [`bpf`] | the commands of bpf(2): maps, programs, links, BTF, objects |
//! | [`perf`] | perf events, which probes and event arrays need |
//! | [`netlink`] | programs on network interfaces, for kernels without links for them |
//! | [`socket`] | programs on sockets |
//! | [`epoll`] | one descriptor that stands for several |
//! | [`poll`] | waiting for one descriptor |
//! | [`mmap`] | memory shared with the kernel |
//! | [`memlock`] | the limit on locked memory, for kernels before 5.11 |
//! | `fake` | a stand-in for the kernel, for tests (feature `fake`) |
//!
//! Every call goes through one place (`call`), where the stand-in takes it off. Functions check what
//! the kernel cannot (buffer sizes), add no policy (what to try on an old kernel is `aya`'s business)
//! and return one [`Error`].

pub mod bpf;
mod call;
mod cpu;
pub mod epoll;
mod error;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod memlock;
pub mod mmap;
pub mod netlink;
pub mod perf;
pub mod poll;
mod process;
pub mod socket;

pub use cpu::{online_cpus, possible_cpus};
pub use error::{Errno, Error, Result};
pub use mmap::page_size;
pub use process::pidfd_open;
