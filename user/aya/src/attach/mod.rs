//! Attaching: one mechanism per file.

use std::os::fd::{AsFd, OwnedFd};

use aya_sys::{
    Errno,
    bpf::{self, LinkTarget},
    netlink,
};
use aya_uapi::AttachType;

use crate::{
    features::{Feature, Features},
    links::Attachment,
    programs::{ProgramError, ProgramFd},
};

pub(crate) mod cgroup;
pub(crate) mod perf;
pub(crate) mod probe;
pub(crate) mod sock_map;
pub(crate) mod socket;
pub(crate) mod tc;
pub(crate) mod tracing;
pub(crate) mod xdp;

/// The index of the interface called `name`.
pub(crate) fn interface_index(name: &str) -> Result<u32, ProgramError> {
    netlink::interface_index(name).map_err(|error| match error.errno {
        Errno::ENODEV => ProgramError::UnknownInterface {
            name: name.to_owned(),
        },
        _ => error.into(),
    })
}

/// Attaches by a bpf_link, which `feature` stands for, and on kernels without one by `otherwise`.
///
/// `EINVAL` is what a kernel without answers. One that has the link answers so, too, when it dislikes the
/// program or the place; the other way then fails as well, and says why.
fn by_link(
    features: &Features,
    feature: Feature,
    link: impl FnOnce() -> aya_sys::Result<OwnedFd>,
    explain: impl FnOnce(aya_sys::Error) -> ProgramError,
    otherwise: impl FnOnce() -> Result<Attachment, ProgramError>,
) -> Result<Attachment, ProgramError> {
    if !features.may_have(feature) {
        return otherwise();
    }
    match link() {
        Ok(fd) => Ok(Attachment::Fd(fd)),
        Err(error) if error.errno == Errno::EINVAL => {
            let attachment = otherwise()?;
            features.lacks(feature);
            Ok(attachment)
        }
        Err(error) => Err(explain(error)),
    }
}

/// Whether the program is among those that `BPF_PROG_ATTACH` has put on a hook; yes where the kernel cannot
/// be asked.
fn is_attached(
    target: LinkTarget<'_>,
    attach_type: AttachType,
    program: &ProgramFd,
) -> aya_sys::Result<bool> {
    match bpf::prog_query(target, attach_type, 0) {
        Ok(hook) => Ok(hook.prog_ids.contains(&bpf::prog_info(program.as_fd())?.id)),
        Err(error) if error.errno == Errno::EINVAL => Ok(true),
        Err(error) => Err(error),
    }
}
