//! Sockets of a cgroup: when they are made, bound and released.
//!
//! A [`CgroupSock`] program runs when a process of the cgroup makes an internet socket, has bound
//! it to an address, or releases it, and allows that (1) or refuses it with `EPERM` (0).
//!
//! Since kernel 4.10. Which event is said by the section, such as `cgroup/sock_create`.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{CgroupAttachMode, CgroupSock}};
//!
//! let mut ebpf = Ebpf::load_file("sockets.o")?;
//! let program: &mut CgroupSock = ebpf.program_mut("guard").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! let cgroup = std::fs::File::open("/sys/fs/cgroup/foo")?;
//! program.attach(cgroup, CgroupAttachMode::Single)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What happens when the process ends is said at [`CgroupAttachMode`]'s module,
//! [`cgroup`](super::cgroup).

use std::os::fd::AsFd;

use super::cgroup::{attach_types, links, opens_with};
use crate::programs::{CgroupAttachMode, ProgramError};

pub use super::CgroupSock;

attach_types! {
    /// When a program runs.
    CgroupSockAttachType {
        /// After an IPv4 socket was bound. Since 4.17.
        PostBind4 = CGROUP_INET4_POST_BIND,
        /// After an IPv6 socket was bound. Since 4.17.
        PostBind6 = CGROUP_INET6_POST_BIND,
        /// When a socket is made.
        SockCreate = CGROUP_INET_SOCK_CREATE,
        /// When a socket is released. Since 5.9.
        SockRelease = CGROUP_INET_SOCK_RELEASE,
    }
}

links!(CgroupSock, CgroupSockLink, CgroupSockLinkId, "a cgroup");
opens_with!(CgroupSock, CgroupSockAttachType);

impl CgroupSock {
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
    ) -> Result<CgroupSockLinkId, ProgramError> {
        self.attach_to_cgroup(cgroup, self.known_attach_type()?, mode)
    }
}
