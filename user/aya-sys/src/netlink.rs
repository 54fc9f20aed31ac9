//! XDP programs on network interfaces by rtnetlink, which kernels before 5.9 need, and interface names.

use std::{
    ffi::CString,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use aya_uapi::bindings::{
    IFLA_XDP, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_EXPECTED_FD, IFLA_XDP_FD, IFLA_XDP_FLAGS,
    IFLA_XDP_HW_PROG_ID, IFLA_XDP_PROG_ID, IFLA_XDP_SKB_PROG_ID, NLM_F_ACK, NLM_F_REQUEST,
    NLMSG_ERROR, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK,
};

use crate::{Errno, Error, Result, call};

const HEADER: usize = 16;
const IFINFO: usize = 16;
const ATTRIBUTE: usize = 4;
/// Set in the type of an attribute that holds others.
const NESTED: u16 = 1 << 15;
/// Set in the type of an attribute in network byte order.
const NET_BYTE_ORDER: u16 = 1 << 14;
/// More than the kernel puts into one message about an interface.
const REPLY: usize = 64 << 10;

/// The index of the interface with this name in the network namespace of this thread; `ENODEV` if there
/// is none.
pub fn interface_index(name: &str) -> Result<u32> {
    const CALL: &str = "if_nametoindex";
    // Some C libraries cut longer names, and would find another interface.
    if name.len() >= libc::IFNAMSIZ {
        return Err(Error::new(CALL, Errno::ENODEV));
    }
    let name = CString::new(name).map_err(|_| Error::new(CALL, Errno::ENODEV))?;
    // SAFETY: the name ends with a zero byte.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Error::last(CALL)),
        index => Ok(index),
    }
}

/// The name of the interface with this index in the network namespace of this thread; `None` if there is
/// none.
pub fn interface_name(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IFNAMSIZ];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    let name = std::ffi::CStr::from_bytes_until_nul(&name).ok()?;
    (!found.is_null()).then(|| name.to_string_lossy().into_owned())
}

/// Puts `program` on an interface, or takes away what is there for `None`. Since kernel 4.8.
///
/// `flags` are `XDP_FLAGS_*`: the mode, and `XDP_FLAGS_UPDATE_IF_NOEXIST` (`EBUSY` if there is another).
/// With `expected` the program goes in the place of that one alone (`EEXIST` if another is there), which
/// takes `XDP_FLAGS_REPLACE` and kernel 5.7; an older one answers `EINVAL`.
pub fn xdp_attach(
    interface: u32,
    program: Option<BorrowedFd<'_>>,
    expected: Option<BorrowedFd<'_>>,
    flags: u32,
) -> Result<()> {
    const CALL: &str = "netlink(RTM_SETLINK)";
    let number = |fd: BorrowedFd<'_>| fd.as_raw_fd().to_ne_bytes();
    let mut xdp = Vec::new();
    attribute(
        &mut xdp,
        IFLA_XDP_FD,
        &program.map_or((-1i32).to_ne_bytes(), number),
    );
    if flags != 0 {
        attribute(&mut xdp, IFLA_XDP_FLAGS, &flags.to_ne_bytes());
    }
    if let Some(expected) = expected {
        attribute(&mut xdp, IFLA_XDP_EXPECTED_FD, &number(expected));
    }
    let mut body = interface_info(interface);
    attribute(&mut body, IFLA_XDP | u32::from(NESTED), &xdp);
    let request = message(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, &body);
    #[cfg(any(test, feature = "fake"))]
    if let Some(answer) = crate::fake::intercept_message(CALL, &request) {
        return answer.map_err(|errno| Error::new(CALL, errno));
    }
    let reply = exchange(CALL, &request)?;
    match first(&reply) {
        Some((kind, body)) => acknowledged(CALL, kind, body),
        None => Err(Error::new(CALL, Errno::EINVAL)),
    }
}

/// The XDP programs of an interface, by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpPrograms {
    /// The only one, whatever its mode, also on kernels that do not tell modes apart.
    pub only: Option<u32>,
    /// In the driver. Since kernel 4.19.
    pub driver: Option<u32>,
    /// In the kernel's generic code. Since kernel 4.19.
    pub generic: Option<u32>,
    /// In the device. Since kernel 4.19.
    pub hardware: Option<u32>,
}

impl XdpPrograms {
    /// Whether the program with this id is one of them.
    pub fn contains(&self, id: u32) -> bool {
        [self.only, self.driver, self.generic, self.hardware].contains(&Some(id))
    }
}

/// What is attached to an interface. Ids since kernel 4.13.
pub fn xdp_programs(interface: u32) -> Result<XdpPrograms> {
    const CALL: &str = "netlink(RTM_GETLINK)";
    let request = message(RTM_GETLINK, NLM_F_REQUEST, &interface_info(interface));
    let reply = exchange(CALL, &request)?;
    match first(&reply) {
        Some((kind, body)) if u32::from(kind) == RTM_NEWLINK => Ok(parse_programs(body)),
        Some((kind, body)) => {
            acknowledged(CALL, kind, body)?;
            Ok(XdpPrograms::default())
        }
        None => Err(Error::new(CALL, Errno::EINVAL)),
    }
}

fn parse_programs(body: &[u8]) -> XdpPrograms {
    let mut programs = XdpPrograms::default();
    let links = body.get(IFINFO..).unwrap_or_default();
    let xdp = attributes(links).find(|(kind, _)| *kind == IFLA_XDP);
    for (kind, payload) in xdp.into_iter().flat_map(|(_, payload)| attributes(payload)) {
        let place = match kind {
            IFLA_XDP_PROG_ID => &mut programs.only,
            IFLA_XDP_DRV_PROG_ID => &mut programs.driver,
            IFLA_XDP_SKB_PROG_ID => &mut programs.generic,
            IFLA_XDP_HW_PROG_ID => &mut programs.hardware,
            _ => continue,
        };
        *place = payload
            .first_chunk()
            .map(|bytes| u32::from_ne_bytes(*bytes))
            .filter(|id| *id != 0);
    }
    programs
}

/// `struct ifinfomsg` for one interface.
fn interface_info(interface: u32) -> Vec<u8> {
    let mut body = vec![0; IFINFO];
    if let Some(index) = body.get_mut(4..8) {
        index.copy_from_slice(&interface.to_ne_bytes());
    }
    body
}

fn message(kind: u32, flags: u32, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + body.len());
    // Requests here are some dozens of bytes, types and flags 16 bits.
    message.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    message.extend((kind as u16).to_ne_bytes());
    message.extend((flags as u16).to_ne_bytes());
    // Sequence number and port: one request per socket needs neither.
    message.extend([0; 8]);
    message.extend(body);
    message
}

fn attribute(to: &mut Vec<u8>, kind: u32, payload: &[u8]) {
    to.extend(((ATTRIBUTE + payload.len()) as u16).to_ne_bytes());
    to.extend((kind as u16).to_ne_bytes());
    to.extend(payload);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// The attributes in `bytes` as (type without flags, payload); ends at the first malformed one.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [len0, len1, kind0, kind1] = *rest.first_chunk()?;
        let len = usize::from(u16::from_ne_bytes([len0, len1]));
        let kind = u16::from_ne_bytes([kind0, kind1]) & !(NESTED | NET_BYTE_ORDER);
        let payload = rest.get(ATTRIBUTE..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u32::from(kind), payload))
    })
}

/// Type and body of the first message.
fn first(reply: &[u8]) -> Option<(u16, &[u8])> {
    let len = u32::from_ne_bytes(*reply.first_chunk()?);
    let kind = u16::from_ne_bytes(*reply.get(4..)?.first_chunk()?);
    Some((kind, reply.get(HEADER..usize::try_from(len).ok()?)?))
}

/// What an error message says; number 0 is consent.
fn acknowledged(call: &'static str, kind: u16, body: &[u8]) -> Result<()> {
    if u32::from(kind) != NLMSG_ERROR {
        return Err(Error::new(call, Errno::EINVAL));
    }
    match body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)) {
        Some(0) => Ok(()),
        Some(number) => Err(Error::new(call, Errno(number.saturating_neg()))),
        None => Err(Error::new(call, Errno::EINVAL)),
    }
}

/// Sends a request on a socket of its own and returns the reply.
fn exchange(call: &'static str, request: &[u8]) -> Result<Vec<u8>> {
    let socket = socket(call)?;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the request is valid for reading over its length.
    uninterrupted(call, || unsafe {
        libc::send(socket, request.as_ptr().cast(), request.len(), 0)
    })?;
    let mut reply = vec![0u8; REPLY];
    // SAFETY: the buffer is valid for writing over its length.
    let len = uninterrupted(call, || unsafe {
        libc::recv(socket, reply.as_mut_ptr().cast(), reply.len(), 0)
    })?;
    reply.truncate(len);
    Ok(reply)
}

/// The number of bytes that a call moved, which is repeated when a signal interrupts it.
fn uninterrupted(call: &'static str, mut transfer: impl FnMut() -> libc::ssize_t) -> Result<usize> {
    loop {
        match usize::try_from(transfer()) {
            Ok(len) => return Ok(len),
            Err(_) => match Error::last(call) {
                error if error.errno == Errno::EINTR => {}
                error => return Err(error),
            },
        }
    }
}

fn socket(call: &'static str) -> Result<OwnedFd> {
    // SAFETY: no addresses.
    let fd = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        )
    };
    let fd = call::check(call, fd)?;
    // SAFETY: just made.
    Ok(unsafe { call::owned(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_interfaces() {
        let error = interface_index("no-such-if0").unwrap_err();
        assert_eq!(error, Error::new("if_nametoindex", Errno::ENODEV));
        assert_eq!(interface_name(0), None);
        // The loopback interface is the first of every network namespace.
        assert_eq!(interface_name(1).as_deref(), Some("lo"));
        assert_eq!(interface_index("lo"), Ok(1));
        let long = interface_index("no-such-interface").unwrap_err();
        assert_eq!(long.errno, Errno::ENODEV);
        assert_eq!(interface_index("a\0b").unwrap_err().errno, Errno::ENODEV);
    }

    #[test]
    fn nobody_has_programs_on_a_missing_interface() {
        let error = xdp_programs(0x7fff_ffff).unwrap_err();
        assert_eq!(error, Error::new("netlink(RTM_GETLINK)", Errno::ENODEV));
    }

    #[test]
    fn parses_programs() {
        let mut xdp = Vec::new();
        attribute(&mut xdp, 2, &[2]);
        attribute(&mut xdp, IFLA_XDP_PROG_ID, &7u32.to_ne_bytes());
        attribute(&mut xdp, IFLA_XDP_SKB_PROG_ID, &7u32.to_ne_bytes());
        let mut body = interface_info(3);
        attribute(&mut body, 3, b"eth0\0");
        attribute(&mut body, IFLA_XDP | u32::from(NESTED), &xdp);
        let programs = parse_programs(&body);
        assert_eq!(programs.only, Some(7));
        assert_eq!(programs.generic, Some(7));
        assert_eq!(programs.driver, None);
        assert!(programs.contains(7) && !programs.contains(8));
        for end in 0..body.len() {
            parse_programs(body.get(..end).unwrap());
        }
    }

    #[test]
    fn reads_acknowledgements() {
        let denied = message(NLMSG_ERROR, 0, &(-1i32).to_ne_bytes());
        let (kind, body) = first(&denied).unwrap();
        assert_eq!(
            acknowledged("x", kind, body).unwrap_err().errno,
            Errno::EPERM
        );
        assert!(first(&denied[..12]).is_none());
    }
}
