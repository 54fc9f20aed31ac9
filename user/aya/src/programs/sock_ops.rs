//! TCP connections of a cgroup: their events and parameters.
//!
//! A [`SockOps`] program runs when a connection of the cgroup's processes is made, established,
//! changes its state and more, as its context's `op` says; it may set the connection's parameters
//! and put its socket into a [`SockMap`](crate::maps::SockMap).
//!
//! Since kernel 4.13.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{CgroupAttachMode, SockOps}};
//!
//! let mut ebpf = Ebpf::load_file("connections.o")?;
//! let program: &mut SockOps = ebpf.program_mut("events").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! let cgroup = std::fs::File::open("/sys/fs/cgroup/foo")?;
//! program.attach(cgroup, CgroupAttachMode::Single)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What happens when the process ends is said at [`CgroupAttachMode`]'s module,
//! [`cgroup`](super::cgroup).

use std::os::fd::AsFd;

use super::cgroup::links;
use crate::programs::{CgroupAttachMode, ProgramError};
use aya_uapi::AttachType;

pub use super::SockOps;

links!(SockOps, SockOpsLink, SockOpsLinkId, "a cgroup");

impl SockOps {
    /// Attaches the program to the cgroup that is open as `cgroup`, a folder in a cgroup2 file
    /// system.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, the descriptor is no cgroup, or the cgroup has a program
    /// that admits no other.
    pub fn attach<T: AsFd>(
        &mut self,
        cgroup: T,
        mode: CgroupAttachMode,
    ) -> Result<SockOpsLinkId, ProgramError> {
        self.attach_to_cgroup(cgroup, AttachType::CGROUP_SOCK_OPS, mode)
    }
}
