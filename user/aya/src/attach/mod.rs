//! Attaching: one mechanism per file.

use aya_sys::{Errno, netlink};

use crate::programs::ProgramError;

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
