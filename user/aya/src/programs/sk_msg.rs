//! Messages: data that is sent on the sockets of a socket map.
//!
//! A [`SkMsg`] program runs on each `sendmsg` and `sendfile` of the sockets in the map that it is
//! attached to. It lets the data pass (`SK_PASS`), drops it (`SK_DROP`), or hands it to another
//! socket of a map, past the network stack.
//!
//! Since kernel 4.17; bpf_link since 6.10, on older kernels attached by `BPF_PROG_ATTACH`.
//!
//! A socket gets the map's program when it is put into the map and keeps it as long as it is
//! there: attach the program first. Detaching it concerns the sockets that are put in from then
//! on.
//!
//! ```no_run
//! use aya::{Ebpf, maps::{MapData, SockHash}, programs::SkMsg};
//!
//! let mut ebpf = Ebpf::load_file("redirect.o")?;
//! let sockets: SockHash<&MapData, u32> = ebpf.map("SOCKETS").ok_or("no such map")?.try_into()?;
//! let map = sockets.fd().try_clone()?;
//! let program: &mut SkMsg = ebpf.program_mut("redirect").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach(&map)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the process ends
//!
//! Either way the map keeps the program no longer than the map itself exists.

use aya_uapi::AttachType;

use super::cgroup::links;
use crate::{maps::sock::SockMapFd, programs::ProgramError};

pub use super::SkMsg;

links!(SkMsg, SkMsgLink, SkMsgLinkId, "a socket map");

impl SkMsg {
    /// Attaches the program to a socket map: it runs for the sockets that are put in from now on.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the map has a program of this kind already.
    pub fn attach(&mut self, map: &SockMapFd) -> Result<SkMsgLinkId, ProgramError> {
        self.attach_to_sock_map(map, AttachType::SK_MSG_VERDICT)
    }
}
