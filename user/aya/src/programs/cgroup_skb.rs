//! Packets of a cgroup: what its sockets receive and send.
//!
//! A [`CgroupSkb`] program sees each IP packet, from the IP header on, that a socket of the
//! cgroup's processes receives or sends, and lets it pass (1) or drops it (0).
//!
//! Since kernel 4.10. Which [direction](CgroupSkbAttachType) is said when it is attached; a program
//! whose section says it (`cgroup_skb/egress`) can be attached for that one only if it returns more
//! than 0 and 1.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType}};
//!
//! let mut ebpf = Ebpf::load_file("egress.o")?;
//! let program: &mut CgroupSkb = ebpf.program_mut("egress").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! let cgroup = std::fs::File::open("/sys/fs/cgroup/foo")?;
//! program.attach(cgroup, CgroupSkbAttachType::Egress, CgroupAttachMode::Single)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What happens when the process ends is said at [`CgroupAttachMode`]'s module,
//! [`cgroup`](super::cgroup).

use std::{borrow::Cow, os::fd::AsFd, path::Path};

use aya_uapi::AttachType;

use super::cgroup::{attach_types, links};
use crate::programs::{CgroupAttachMode, ProgramError, ProgramInfo};

pub use super::CgroupSkb;

attach_types! {
    /// Which packets a program sees.
    CgroupSkbAttachType {
        /// Those that are received.
        Ingress = CGROUP_INET_INGRESS,
        /// Those that are sent.
        Egress = CGROUP_INET_EGRESS,
    }
}

links!(CgroupSkb, CgroupSkbLink, CgroupSkbLinkId, "a cgroup");

impl CgroupSkb {
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
        attach_type: CgroupSkbAttachType,
        mode: CgroupAttachMode,
    ) -> Result<CgroupSkbLinkId, ProgramError> {
        self.attach_to_cgroup(cgroup, attach_type.kernel(), mode)
    }

    /// The direction that the program's section, or who opened it, says; `None` where it is only
    /// said when the program is attached.
    pub const fn expected_attach_type(&self) -> &Option<CgroupSkbAttachType> {
        match self.attach_type() {
            Some(AttachType::CGROUP_INET_INGRESS) => &Some(CgroupSkbAttachType::Ingress),
            Some(AttachType::CGROUP_INET_EGRESS) => &Some(CgroupSkbAttachType::Egress),
            _ => &None,
        }
    }

    /// Opens the program pinned at `path`, which was loaded for `attach_type`: the kernel does not
    /// tell. Since kernel 4.4.
    ///
    /// # Errors
    ///
    /// When there is no program of this type at the path, or the process may not open it.
    pub fn from_pin<P: AsRef<Path>>(
        path: P,
        attach_type: CgroupSkbAttachType,
    ) -> Result<Self, ProgramError> {
        let program = Self::open_pin(path.as_ref())?;
        Ok(program.loaded_for(Some(attach_type.kernel())))
    }

    /// A handle for a program that is loaded already, for `attach_type` if it was loaded for one.
    ///
    /// # Errors
    ///
    /// When the program is of another type, or is gone.
    pub fn from_program_info(
        info: ProgramInfo,
        name: Cow<'static, str>,
        attach_type: Option<CgroupSkbAttachType>,
    ) -> Result<Self, ProgramError> {
        let program = Self::open_info(&info, name)?;
        Ok(program.loaded_for(attach_type.map(CgroupSkbAttachType::kernel)))
    }
}
