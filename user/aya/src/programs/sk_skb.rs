//! Streams: data that arrives at the sockets of a socket map.
//!
//! A [`SkSkb`] program is one of three [kinds](SkSkbKind), as its section says (`sk_skb` alone is a
//! verdict). A verdict lets data pass to its socket (`SK_PASS`), drops it (`SK_DROP`), or hands it to
//! another socket of a map. A stream parser says where a message ends, so that its stream verdict sees
//! whole messages.
//!
//! Since kernel 4.14; bpf_link since 6.10, on older kernels attached by `BPF_PROG_ATTACH`.
//!
//! A socket gets the map's programs when it is put into the map and keeps them as long as it is
//! there: attach the programs first. Detaching them concerns the sockets that are put in from then
//! on.
//!
//! ```no_run
//! use aya::{Ebpf, maps::{MapData, SockMap}, programs::SkSkb};
//!
//! let mut ebpf = Ebpf::load_file("redirect.o")?;
//! let sockets: SockMap<&MapData> = ebpf.map("SOCKETS").ok_or("no such map")?.try_into()?;
//! let map = sockets.fd().try_clone()?;
//! for name in ["parser", "verdict"] {
//!     let program: &mut SkSkb = ebpf.program_mut(name).ok_or("no such program")?.try_into()?;
//!     program.load()?;
//!     program.attach(&map)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use aya_uapi::AttachType;

use super::cgroup::{attach_types, links, opens_with};
use crate::{maps::sock::SockMapFd, programs::ProgramError};

pub use super::SkSkb;

attach_types! {
    /// What a program decides.
    SkSkbKind {
        /// Where a message of the stream ends.
        StreamParser = SK_SKB_STREAM_PARSER,
        /// What becomes of a message that a stream parser found.
        StreamVerdict = SK_SKB_STREAM_VERDICT,
        /// What becomes of data, without a parser; for datagrams, too. Since 5.13.
        Verdict = SK_SKB_VERDICT,
    }
}

links!(SkSkb, SkSkbLink, SkSkbLinkId, "a socket map");
opens_with!(SkSkb, SkSkbKind);

impl SkSkb {
    /// Attaches the program to a socket map: it runs for the sockets that are put in from now on.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the map has a program of this kind already.
    pub fn attach(&mut self, map: &SockMapFd) -> Result<SkSkbLinkId, ProgramError> {
        // A section without a kind is one for kernels and tools that ask when it is attached.
        let attach_type = self.attach_type().unwrap_or(AttachType::SK_SKB_VERDICT);
        self.attach_to_sock_map(map, attach_type)
    }
}
