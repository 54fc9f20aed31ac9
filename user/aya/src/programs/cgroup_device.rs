//! Device files: which ones a cgroup's processes may open or create.
//!
//! A [`CgroupDevice`] program runs on each such access and allows it (1) or refuses it with `EPERM`
//! (0).
//!
//! Since kernel 4.15.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{CgroupAttachMode, CgroupDevice}};
//!
//! let mut ebpf = Ebpf::load_file("devices.o")?;
//! let program: &mut CgroupDevice = ebpf.program_mut("guard").ok_or("no such program")?.try_into()?;
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
use crate::{
    attach,
    links::TypedLink,
    programs::{CgroupAttachMode, ProgramError},
};
use aya_uapi::AttachType;

pub use super::CgroupDevice;

links!(
    CgroupDevice,
    CgroupDeviceLink,
    CgroupDeviceLinkId,
    "a cgroup"
);

impl CgroupDevice {
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
    ) -> Result<CgroupDeviceLinkId, ProgramError> {
        self.attach_to_cgroup(cgroup, AttachType::CGROUP_DEVICE, mode)
    }

    /// Links for the programs on the cgroup, to take them off; dropping a link does. Programs that
    /// are held by a bpf_link are among them, but stay: only their own link takes them off. Since
    /// kernel 4.15.
    ///
    /// # Errors
    ///
    /// When the descriptor is no cgroup, or the process may not ask.
    pub fn query<T: AsFd>(cgroup: T) -> Result<Vec<CgroupDeviceLink>, ProgramError> {
        let held = attach::cgroup::held(cgroup.as_fd(), AttachType::CGROUP_DEVICE)?;
        Ok(held.into_iter().map(TypedLink::new).collect())
    }
}
