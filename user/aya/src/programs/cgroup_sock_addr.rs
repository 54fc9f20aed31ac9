//! Addresses of sockets: what a cgroup's processes bind to, connect to, send to and are told.
//!
//! A [`CgroupSockAddr`] program runs on each such call, may write another address in the place of
//! the given one, and allows the call (1) or refuses it with `EPERM` (0).
//!
//! Since kernel 4.17. Which call is said by the section, such as `cgroup/connect4`.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{CgroupAttachMode, CgroupSockAddr}};
//!
//! let mut ebpf = Ebpf::load_file("addresses.o")?;
//! let program: &mut CgroupSockAddr = ebpf.program_mut("rewrite").ok_or("no such program")?.try_into()?;
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

pub use super::CgroupSockAddr;

attach_types! {
    /// Which call a program runs on.
    CgroupSockAddrAttachType {
        /// `bind` of IPv4.
        Bind4 = CGROUP_INET4_BIND,
        /// `connect` of IPv4.
        Connect4 = CGROUP_INET4_CONNECT,
        /// `getpeername` of IPv4. Since 5.8.
        GetPeerName4 = CGROUP_INET4_GETPEERNAME,
        /// `getsockname` of IPv4. Since 5.8.
        GetSockName4 = CGROUP_INET4_GETSOCKNAME,
        /// `sendmsg` and `sendto` of UDP over IPv4 without a connection. Since 4.18.
        UDPSendMsg4 = CGROUP_UDP4_SENDMSG,
        /// `recvmsg` and `recvfrom` of UDP over IPv4 without a connection. Since 5.2.
        UDPRecvMsg4 = CGROUP_UDP4_RECVMSG,
        /// `bind` of IPv6.
        Bind6 = CGROUP_INET6_BIND,
        /// `connect` of IPv6.
        Connect6 = CGROUP_INET6_CONNECT,
        /// `getpeername` of IPv6. Since 5.8.
        GetPeerName6 = CGROUP_INET6_GETPEERNAME,
        /// `getsockname` of IPv6. Since 5.8.
        GetSockName6 = CGROUP_INET6_GETSOCKNAME,
        /// `sendmsg` and `sendto` of UDP over IPv6 without a connection. Since 4.18.
        UDPSendMsg6 = CGROUP_UDP6_SENDMSG,
        /// `recvmsg` and `recvfrom` of UDP over IPv6 without a connection. Since 5.2.
        UDPRecvMsg6 = CGROUP_UDP6_RECVMSG,
        /// `connect` of a Unix socket. Since 6.7.
        ConnectUnix = CGROUP_UNIX_CONNECT,
        /// `getpeername` of a Unix socket. Since 6.7.
        GetPeerNameUnix = CGROUP_UNIX_GETPEERNAME,
        /// `getsockname` of a Unix socket. Since 6.7.
        GetSockNameUnix = CGROUP_UNIX_GETSOCKNAME,
        /// `sendmsg` of a Unix socket. Since 6.7.
        SendMsgUnix = CGROUP_UNIX_SENDMSG,
        /// `recvmsg` of a Unix socket. Since 6.7.
        RecvMsgUnix = CGROUP_UNIX_RECVMSG,
    }
}

links!(
    CgroupSockAddr,
    CgroupSockAddrLink,
    CgroupSockAddrLinkId,
    "a cgroup"
);
opens_with!(CgroupSockAddr, CgroupSockAddrAttachType);

impl CgroupSockAddr {
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
    ) -> Result<CgroupSockAddrLinkId, ProgramError> {
        self.attach_to_cgroup(cgroup, self.known_attach_type()?, mode)
    }
}
