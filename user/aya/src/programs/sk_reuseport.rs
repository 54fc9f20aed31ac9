//! Sockets that share a port (`SO_REUSEPORT`): which of them gets a flow.
//!
//! An [`SkReuseport`] program runs on each datagram without a connected socket of its own, and on the
//! first packet of each TCP connection. It picks a socket of a map by `bpf_sk_select_reuseport`
//! ([`ReusePortSockArray`](crate::maps::ReusePortSockArray), since 5.7 also a map of sockets) and returns
//! `SK_PASS`, or drops the packet by `SK_DROP`. Where it picks none, the kernel picks by the flow's hash.
//!
//! A program for [`SelectOrMigrate`](SkReuseportAttachType::SelectOrMigrate) (section
//! `sk_reuseport/migrate`) also runs when a listener is closed, for each connection that nobody has
//! accepted there yet: another listener takes it over, where it would be reset otherwise.
//!
//! Since kernel 4.19.
//!
//! ```no_run
//! use std::net::UdpSocket;
//!
//! use aya::{Ebpf, programs::SkReuseport};
//!
//! # fn sharing_a_port() -> std::io::Result<UdpSocket> { UdpSocket::bind("0.0.0.0:4000") }
//! let mut ebpf = Ebpf::load_file("select.o")?;
//! let program: &mut SkReuseport = ebpf.program_mut("select").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! // Any socket of the group, or the first one before it is bound.
//! let socket = sharing_a_port()?;
//! program.attach(&socket)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the process ends
//!
//! There is no link: the group of sockets holds the program, whatever becomes of the handle, until it is
//! detached or the last socket is closed.

use super::{
    cgroup::{attach_types, opens_with},
    socket_filter::on_sockets,
};

pub use super::{SkReuseport, SocketFilterError as SkReuseportError};

attach_types! {
    /// What a program is asked.
    SkReuseportAttachType {
        /// Which socket gets a new flow.
        Select = SK_REUSEPORT_SELECT,
        /// The same, and who takes over the connections of a listener that is closed. Since 5.14.
        SelectOrMigrate = SK_REUSEPORT_SELECT_OR_MIGRATE,
    }
}

opens_with!(SkReuseport, SkReuseportAttachType);

on_sockets! {
    SkReuseport: Reuseport, SkReuseportError, "the sockets that share the port of this one (detaching since kernel 5.2)";
}
