//! Filters of traffic control that are programs, and the queueing discipline that they hang on.

use std::{
    ffi::CStr,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use aya_uapi::bindings::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_ECHO, NLM_F_EXCL, RTM_DELTFILTER, RTM_GETQDISC,
    RTM_GETTFILTER, RTM_NEWQDISC, RTM_NEWTFILTER, TC_H_CLSACT, TC_H_MAJ_MASK, TCA_BPF_CLASSID,
    TCA_BPF_FD, TCA_BPF_FLAG_ACT_DIRECT, TCA_BPF_FLAGS, TCA_BPF_ID, TCA_BPF_NAME, TCA_KIND,
    TCA_OPTIONS,
};

use super::{
    Refusal, Route,
    message::{Message, Request, attribute, attributes, nested, number},
};
use crate::Errno;

const TCMSG: usize = 20;
/// The kind of filter that is a program.
const BPF: &[u8] = b"bpf\0";

/// Where a filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilterPlace {
    /// The interface's index.
    pub interface: u32,
    /// The hook: `TC_H_CLSACT` with `TC_H_MIN_INGRESS` or `TC_H_MIN_EGRESS` in its lower half, or a
    /// class.
    pub parent: u32,
    /// Filters run by rising priority; 0 lets the kernel choose: 49152, and one less for each that was
    /// chosen before.
    pub priority: u16,
    /// The filter's number among those of its priority; 0 lets the kernel choose.
    pub handle: u32,
}

impl FilterPlace {
    /// `struct tcmsg`; the protocol is that of all packets.
    fn message(self) -> [u8; TCMSG] {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let info = u32::from(self.priority) << 16 | u32::from(protocol);
        let mut message = [0; TCMSG];
        let fields = [self.interface, self.handle, self.parent, info];
        // The first four bytes are a family, which tc has not, and padding.
        for (field, place) in fields.iter().zip(message[4..].chunks_exact_mut(4)) {
            place.copy_from_slice(&field.to_ne_bytes());
        }
        message
    }

    fn request(self, kind: u32, flags: u32) -> Request {
        Request::new(kind, flags, &self.message()).attribute(TCA_KIND, BPF)
    }
}

/// A filter to be made.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// Where.
    pub place: FilterPlace,
    /// The program, whose return value is the verdict.
    pub program: BorrowedFd<'a>,
    /// The name that the filter is listed by.
    pub name: &'a CStr,
    /// The class that packets belong to from then on.
    pub class: Option<u32>,
}

/// A filter that is a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterInfo {
    /// Where.
    pub place: FilterPlace,
    /// Id of the program. Since kernel 4.13, before that 0.
    pub program_id: u32,
    /// The name given.
    pub name: Vec<u8>,
    /// The class that packets belong to from then on.
    pub class: Option<u32>,
}

impl Route {
    /// Adds the queueing discipline that filters on ingress and egress hang on (`clsact`); `EEXIST` if
    /// it is there, or `ingress` in its place. Since kernel 4.5.
    pub fn add_clsact(&self, interface: u32) -> Result<(), Refusal> {
        let place = clsact(interface);
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        let request =
            Request::new(RTM_NEWQDISC, flags, &place.message()).attribute(TCA_KIND, b"clsact\0");
        self.exchange("netlink(RTM_NEWQDISC)", request).map(drop)
    }

    /// Whether the interface has a queueing discipline for filters on ingress or egress.
    pub fn has_clsact(&self, interface: u32) -> Result<bool, Refusal> {
        let place = FilterPlace {
            handle: 0,
            ..clsact(interface)
        };
        let request = Request::new(RTM_GETQDISC, NLM_F_ACK, &place.message());
        match self.exchange("netlink(RTM_GETQDISC)", request) {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.error.errno == Errno::ENOENT => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Adds a filter and returns where the kernel has put it; `EEXIST` if the place is taken.
    /// Since kernel 4.4.
    pub fn add_filter(&self, filter: &Filter<'_>) -> Result<FilterPlace, Refusal> {
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO;
        let answers = self.exchange("netlink(RTM_NEWTFILTER)", put(filter, flags))?;
        let added = answers.iter().find_map(parse);
        Ok(added.map_or(filter.place, |added| added.place))
    }

    /// Puts another program into a filter without a gap; `ENOENT` or `EINVAL` if there is no filter.
    /// Since kernel 4.4.
    pub fn change_filter(&self, filter: &Filter<'_>) -> Result<(), Refusal> {
        let request = put(filter, NLM_F_ACK);
        self.exchange("netlink(RTM_NEWTFILTER)", request).map(drop)
    }

    /// The filter at a place that has priority and handle; `None` if there is none.
    pub fn filter(&self, place: FilterPlace) -> Result<Option<FilterInfo>, Refusal> {
        let request = place.request(RTM_GETTFILTER, NLM_F_ACK);
        match self.exchange("netlink(RTM_GETTFILTER)", request) {
            Ok(answers) => Ok(answers.iter().find_map(parse)),
            Err(refusal) if is_absent(refusal.error.errno) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The filters of a hook that are programs, in the order they run. None without `clsact`.
    pub fn filters(&self, interface: u32, parent: u32) -> Result<Vec<FilterInfo>, Refusal> {
        let place = FilterPlace {
            parent,
            handle: 0,
            ..clsact(interface)
        };
        let request = Request::new(RTM_GETTFILTER, NLM_F_DUMP, &place.message());
        let answers = self.exchange("netlink(RTM_GETTFILTER)", request)?;
        Ok(answers.iter().filter_map(parse).collect())
    }

    /// Removes the filter at a place that has priority and handle; false if there was none.
    pub fn delete_filter(&self, place: FilterPlace) -> Result<bool, Refusal> {
        let request = place.request(RTM_DELTFILTER, NLM_F_ACK);
        match self.exchange("netlink(RTM_DELTFILTER)", request) {
            Ok(_) => Ok(true),
            Err(refusal) if is_absent(refusal.error.errno) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Whether the kernel has found no such filter, or nothing that it could hang on.
fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENODEV | Errno::EINVAL)
}

fn clsact(interface: u32) -> FilterPlace {
    FilterPlace {
        interface,
        parent: TC_H_CLSACT,
        priority: 0,
        handle: TC_H_CLSACT & TC_H_MAJ_MASK,
    }
}

fn put(filter: &Filter<'_>, flags: u32) -> Request {
    let request = filter.place.request(RTM_NEWTFILTER, flags);
    request.nest(TCA_OPTIONS, |options| {
        let fd = filter.program.as_raw_fd();
        attribute(options, TCA_BPF_FD, &fd.to_ne_bytes());
        attribute(options, TCA_BPF_NAME, filter.name.to_bytes_with_nul());
        attribute(
            options,
            TCA_BPF_FLAGS,
            &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes(),
        );
        if let Some(class) = filter.class {
            attribute(options, TCA_BPF_CLASSID, &class.to_ne_bytes());
        }
    })
}

/// What a message says about a filter; `None` for other kinds of filters, and for what stands for all
/// filters of a priority.
fn parse(message: &Message) -> Option<FilterInfo> {
    if message.kind != RTM_NEWTFILTER {
        return None;
    }
    let (fixed, rest) = message.body.split_at_checked(TCMSG)?;
    let mut fields = fixed.chunks_exact(4).map(number).skip(1);
    let (interface, handle) = (fields.next()?, fields.next()?);
    let (parent, info) = (fields.next()?, fields.next()?);
    let kind = attributes(rest).find(|(kind, _)| *kind == TCA_KIND)?.1;
    if kind != BPF || handle == 0 {
        return None;
    }
    let option = |wanted| {
        let mut options = nested(rest, TCA_OPTIONS);
        options.find_map(|(kind, payload)| (kind == wanted).then_some(payload))
    };
    let name = option(TCA_BPF_NAME).unwrap_or_default();
    Some(FilterInfo {
        place: FilterPlace {
            interface,
            parent,
            priority: (info >> 16) as u16,
            handle,
        },
        program_id: option(TCA_BPF_ID).map_or(0, number),
        name: name.split(|byte| *byte == 0).next()?.to_vec(),
        class: option(TCA_BPF_CLASSID).map(number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::messages;

    const PLACE: FilterPlace = FilterPlace {
        interface: 3,
        parent: 0xffff_fff2,
        priority: 49152,
        handle: 1,
    };

    #[test]
    fn parses_filters() {
        let bytes = PLACE
            .request(RTM_NEWTFILTER, 0)
            .nest(TCA_OPTIONS, |options| {
                attribute(options, TCA_BPF_NAME, b"firewall\0");
                attribute(options, TCA_BPF_ID, &7u32.to_ne_bytes());
                attribute(options, TCA_BPF_CLASSID, &0x1_0002u32.to_ne_bytes());
            })
            .finish(1);
        let message = messages(&bytes).next().unwrap();
        let expected = FilterInfo {
            place: PLACE,
            program_id: 7,
            name: b"firewall".to_vec(),
            class: Some(0x1_0002),
        };
        assert_eq!(parse(&message), Some(expected));
        for end in 0..message.body.len() {
            let body = message.body[..end].to_vec();
            parse(&Message {
                body,
                ..message.clone()
            });
        }
    }

    #[test]
    fn the_head_of_a_priority_is_no_filter() {
        let head = FilterPlace { handle: 0, ..PLACE };
        let bytes = head.request(RTM_NEWTFILTER, 0).finish(1);
        assert_eq!(parse(&messages(&bytes).next().unwrap()), None);
    }

    #[test]
    fn a_missing_interface_has_nothing() {
        let route = Route::open().unwrap();
        let refusal = route.has_clsact(0x7fff_ffff).unwrap_err();
        assert_eq!(refusal.error.errno, Errno::ENODEV);
        let nowhere = FilterPlace {
            interface: 0x7fff_ffff,
            ..PLACE
        };
        assert_eq!(route.filter(nowhere), Ok(None));
    }
}
