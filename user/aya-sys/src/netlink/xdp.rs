//! XDP programs on interfaces.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use aya_uapi::bindings::{
    IFLA_XDP, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_EXPECTED_FD, IFLA_XDP_FD, IFLA_XDP_FLAGS,
    IFLA_XDP_HW_PROG_ID, IFLA_XDP_PROG_ID, IFLA_XDP_SKB_PROG_ID, NLM_F_ACK, RTM_GETLINK,
    RTM_NEWLINK, RTM_SETLINK,
};

use super::{
    Refusal, Route,
    message::{Request, attribute, nested, number},
};

const IFINFO: usize = 16;

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

impl Route {
    /// Puts `program` on an interface, or takes away what is there for `None`. Since kernel 4.8.
    ///
    /// `flags` are `XDP_FLAGS_*`: the mode, and `XDP_FLAGS_UPDATE_IF_NOEXIST` (`EBUSY` if there is
    /// another). With `expected` the program goes in the place of that one alone (`EEXIST` if another
    /// is there), which takes `XDP_FLAGS_REPLACE` and kernel 5.7; an older one answers `EINVAL`.
    pub fn xdp_attach(
        &self,
        interface: u32,
        program: Option<BorrowedFd<'_>>,
        expected: Option<BorrowedFd<'_>>,
        flags: u32,
    ) -> Result<(), Refusal> {
        let fd = |fd: BorrowedFd<'_>| fd.as_raw_fd().to_ne_bytes();
        let request = Request::new(RTM_SETLINK, NLM_F_ACK, &interface_info(interface)).nest(
            IFLA_XDP,
            |xdp| {
                let nobody = (-1i32).to_ne_bytes();
                attribute(xdp, IFLA_XDP_FD, &program.map_or(nobody, fd));
                if flags != 0 {
                    attribute(xdp, IFLA_XDP_FLAGS, &flags.to_ne_bytes());
                }
                if let Some(expected) = expected {
                    attribute(xdp, IFLA_XDP_EXPECTED_FD, &fd(expected));
                }
            },
        );
        self.exchange("netlink(RTM_SETLINK)", request).map(drop)
    }

    /// What is attached to an interface. Ids since kernel 4.13.
    pub fn xdp_programs(&self, interface: u32) -> Result<XdpPrograms, Refusal> {
        let request = Request::new(RTM_GETLINK, NLM_F_ACK, &interface_info(interface));
        let answers = self.exchange("netlink(RTM_GETLINK)", request)?;
        let link = answers.iter().find(|answer| answer.kind == RTM_NEWLINK);
        Ok(link.map_or_else(XdpPrograms::default, |link| parse_programs(&link.body)))
    }
}

fn parse_programs(body: &[u8]) -> XdpPrograms {
    let mut programs = XdpPrograms::default();
    for (kind, payload) in nested(body.get(IFINFO..).unwrap_or_default(), IFLA_XDP) {
        let place = match kind {
            IFLA_XDP_PROG_ID => &mut programs.only,
            IFLA_XDP_DRV_PROG_ID => &mut programs.driver,
            IFLA_XDP_SKB_PROG_ID => &mut programs.generic,
            IFLA_XDP_HW_PROG_ID => &mut programs.hardware,
            _ => continue,
        };
        *place = Some(number(payload)).filter(|id| *id != 0);
    }
    programs
}

/// `struct ifinfomsg` for one interface.
fn interface_info(interface: u32) -> [u8; IFINFO] {
    let [a, b, c, d] = interface.to_ne_bytes();
    [0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Errno, Error};

    #[test]
    fn nobody_has_programs_on_a_missing_interface() {
        let route = Route::open().unwrap();
        let refusal = route.xdp_programs(0x7fff_ffff).unwrap_err();
        assert_eq!(
            refusal.error,
            Error::new("netlink(RTM_GETLINK)", Errno::ENODEV)
        );
        assert_eq!(route.xdp_programs(1), Ok(XdpPrograms::default()));
    }

    #[test]
    fn parses_programs() {
        let mut xdp = Vec::new();
        attribute(&mut xdp, 2, &[2]);
        attribute(&mut xdp, IFLA_XDP_PROG_ID, &7u32.to_ne_bytes());
        attribute(&mut xdp, IFLA_XDP_SKB_PROG_ID, &7u32.to_ne_bytes());
        let mut body = interface_info(3).to_vec();
        attribute(&mut body, 3, b"eth0\0");
        attribute(&mut body, IFLA_XDP, &xdp);
        let programs = parse_programs(&body);
        assert_eq!(programs.only, Some(7));
        assert_eq!(programs.generic, Some(7));
        assert_eq!(programs.driver, None);
        assert!(programs.contains(7) && !programs.contains(8));
        for end in 0..body.len() {
            parse_programs(body.get(..end).unwrap());
        }
    }
}
