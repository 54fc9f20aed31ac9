//! Socket options: what a cgroup's processes ask and set by `getsockopt` and `setsockopt`.
//!
//! A [`CgroupSockopt`] program runs on each such call, after the kernel's own `getsockopt` and
//! before its `setsockopt`. It allows the call (1), refuses it with `EPERM` (0), or changes value
//! and result.
//!
//! Since kernel 5.3. Which of the two calls is said by the section: `cgroup/getsockopt` or
//! `cgroup/setsockopt`.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{CgroupAttachMode, CgroupSockopt}};
//!
//! let mut ebpf = Ebpf::load_file("options.o")?;
//! let program: &mut CgroupSockopt = ebpf.program_mut("guard").ok_or("no such program")?.try_into()?;
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

pub use super::CgroupSockopt;

attach_types! {
    /// Which call a program runs on.
    CgroupSockoptAttachType {
        /// `getsockopt`.
        Get = CGROUP_GETSOCKOPT,
        /// `setsockopt`.
        Set = CGROUP_SETSOCKOPT,
    }
}

links!(
    CgroupSockopt,
    CgroupSockoptLink,
    CgroupSockoptLinkId,
    "a cgroup"
);
opens_with!(CgroupSockopt, CgroupSockoptAttachType);

impl CgroupSockopt {
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
    ) -> Result<CgroupSockoptLinkId, ProgramError> {
        self.attach_to_cgroup(cgroup, self.known_attach_type()?, mode)
    }
}
