//! The few requests to the kernel's routing sockets (`rtnetlink(7)`) that make a network.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
        socket,
    },
};

// Numbers of linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/veth.h and their like.
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;
const IFF_UP: u32 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u16 = 10;

/// An interface's address with the length of its network's prefix.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    /// The address itself.
    pub address: Ipv4Addr,
    /// Bits of the prefix.
    pub bits: u8,
}

/// A route to a network, or to everything, by an interface.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The network; `None` is the default route.
    pub to: Option<Address>,
    /// The interface's index.
    pub interface: u32,
}

/// The index of an interface in this thread's namespace.
///
/// # Errors
/// When there is none of that name.
pub fn index_of(name: &str) -> io::Result<u32> {
    nix::net::if_::if_nametoindex(name).map_err(io::Error::from)
}

/// Creates a pair of connected interfaces, one here and its peer in another namespace.
///
/// # Errors
/// Those of the kernel: no privilege, no `veth`, a name that is taken.
pub fn add_veth(
    here: (&str, [u8; 6]),
    there: (&str, [u8; 6]),
    namespace: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut request = Message::new(RTM_NEWLINK, NLM_F_CREATE);
    request.link(0, 0);
    request.interface(here);
    request.nest(IFLA_LINKINFO, |info| {
        info.attribute(IFLA_INFO_KIND, b"veth");
        info.nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |peer| {
                peer.link(0, 0);
                peer.interface(there);
                peer.attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
            });
        });
    });
    request.send()
}

/// Removes an interface (and a pair's other end with it).
///
/// # Errors
/// Those of the kernel.
pub fn delete(interface: u32) -> io::Result<()> {
    let mut request = Message::new(RTM_DELLINK, 0);
    request.link(interface, 0);
    request.send()
}

/// Brings an interface up.
///
/// # Errors
/// Those of the kernel.
pub fn set_up(interface: u32) -> io::Result<()> {
    let mut request = Message::new(RTM_NEWLINK, 0);
    request.link(interface, IFF_UP);
    request.send()
}

/// Keeps an interface from giving itself an IPv6 address, and with that from sending on its own.
///
/// # Errors
/// Those of the kernel, except that it may have no IPv6 at all.
pub fn silence_ipv6(interface: u32) -> io::Result<()> {
    let mut request = Message::new(RTM_NEWLINK, 0);
    request.link(interface, 0);
    request.nest(IFLA_AF_SPEC, |families| {
        families.nest(AF_INET6, |inet6| {
            inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
        });
    });
    match request.send() {
        Err(error) if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => Ok(()),
        result => result,
    }
}

/// Gives an interface an address.
///
/// # Errors
/// Those of the kernel.
pub fn add_address(interface: u32, Address { address, bits }: Address) -> io::Result<()> {
    let mut request = Message::new(RTM_NEWADDR, NLM_F_CREATE);
    request.bytes(&[AF_INET, bits, 0, 0]);
    request.bytes(&interface.to_ne_bytes());
    request.attribute(IFA_LOCAL, &address.octets());
    request.attribute(IFA_ADDRESS, &address.octets());
    request.send()
}

/// Tells an interface a neighbour's hardware address, so that it need not ask.
///
/// # Errors
/// Those of the kernel.
pub fn add_neighbour(interface: u32, address: Ipv4Addr, mac: [u8; 6]) -> io::Result<()> {
    let mut request = Message::new(RTM_NEWNEIGH, NLM_F_CREATE);
    request.bytes(&[AF_INET, 0, 0, 0]);
    request.bytes(&interface.to_ne_bytes());
    request.bytes(&NUD_PERMANENT.to_ne_bytes());
    request.bytes(&[0, 0]);
    request.attribute(NDA_DST, &address.octets());
    request.attribute(NDA_LLADDR, &mac);
    request.send()
}

/// Adds a route.
///
/// # Errors
/// Those of the kernel.
pub fn add_route(Route { to, interface }: Route) -> io::Result<()> {
    let mut request = Message::new(RTM_NEWROUTE, NLM_F_CREATE);
    let bits = to.map_or(0, |to| to.bits);
    request.bytes(&[
        AF_INET,
        bits,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_STATIC,
        RT_SCOPE_LINK,
        RTN_UNICAST,
    ]);
    request.bytes(&[0; 4]);
    if let Some(to) = to {
        request.attribute(RTA_DST, &to.address.octets());
    }
    request.attribute(RTA_OIF, &interface.to_ne_bytes());
    request.send()
}

/// A request in the making. Every part begins at a multiple of four bytes.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut message = Self(vec![0; 4]); // the length, known at the end
        message.bytes(&kind.to_ne_bytes());
        message.bytes(&(flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        message.bytes(&[0; 8]); // sequence and port: one request, one answer
        message
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The body of all requests about links, `struct ifinfomsg`.
    fn link(&mut self, index: u32, flags: u32) {
        self.bytes(&[0; 4]);
        self.bytes(&index.to_ne_bytes());
        self.bytes(&flags.to_ne_bytes());
        self.bytes(&flags.to_ne_bytes()); // which flags to change: those
    }

    /// What both ends of a pair have.
    fn interface(&mut self, (name, mac): (&str, [u8; 6])) {
        self.attribute(IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat());
        self.attribute(IFLA_ADDRESS, &mac);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |inside| inside.bytes(value));
    }

    /// An attribute whose value is whatever the closure adds.
    fn nest(&mut self, kind: u16, add: impl FnOnce(&mut Self)) {
        let mut inside = Self(Vec::new());
        add(&mut inside);
        // Requests here are a few hundred bytes.
        let length = u16::try_from(4 + inside.0.len()).unwrap_or(u16::MAX);
        self.bytes(&length.to_ne_bytes());
        self.bytes(&kind.to_ne_bytes());
        self.bytes(&inside.0);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Sends the request in this thread's namespace and waits for its answer.
    fn send(mut self) -> io::Result<()> {
        let length = u32::try_from(self.0.len()).map_err(io::Error::other)?;
        if let Some(field) = self.0.get_mut(..4) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
        let route = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        sendto(
            route.as_raw_fd(),
            &self.0,
            &NetlinkAddr::new(0, 0),
            MsgFlags::empty(),
        )?;
        let mut answer = [0; 4096];
        let length = recv(route.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        match answer.get(..length) {
            // A header of 16 bytes, its kind at 4, then the negated error.
            Some(
                [
                    _,
                    _,
                    _,
                    _,
                    k0,
                    k1,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    e0,
                    e1,
                    e2,
                    e3,
                    ..,
                ],
            ) if u16::from_ne_bytes([*k0, *k1]) == NLMSG_ERROR => {
                match i32::from_ne_bytes([*e0, *e1, *e2, *e3]) {
                    0 => Ok(()),
                    error => Err(io::Error::from_raw_os_error(-error)),
                }
            }
            _ => Err(io::Error::other("netlink: an answer of an unknown kind")),
        }
    }
}
