//! Traffic control: by TCX link (since kernel 6.6), on older kernels by netlink, as a filter of the
//! queueing discipline `clsact`.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use aya_sys::{
    Errno,
    bpf::{self, LinkDetails, LinkOptions, LinkTarget, ProgQuery},
    netlink::{self, FilterInfo, FilterPlace, Refusal, Route},
};
use aya_uapi::{
    AttachType,
    bindings::{TC_H_CLSACT, TC_H_MAJ_MASK, TC_H_MIN_EGRESS, TC_H_MIN_INGRESS},
};

use crate::{
    attach,
    features::{self, Feature, Features},
    links::{Attachment, Hook, LinkOrder},
    privilege,
    programs::{
        ProgramError, ProgramFd, TcAttachType, TcError,
        tc::{NlOptions, TcAttachOptions, TcHandle},
    },
    sys::NetlinkError,
};

/// What is attached where.
pub(crate) struct Target<'a> {
    pub(crate) program: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) attach_type: TcAttachType,
}

impl Target<'_> {
    fn names(&self) -> (String, String) {
        (self.program.to_owned(), self.interface.to_owned())
    }
}

impl TcAttachType {
    /// The hook as netlink names it.
    const fn parent(self) -> u32 {
        let clsact = TC_H_CLSACT & TC_H_MAJ_MASK;
        match self {
            Self::Ingress => clsact | TC_H_MIN_INGRESS,
            Self::Egress => clsact | TC_H_MIN_EGRESS,
            Self::Custom(parent) => parent,
        }
    }

    /// The hook as TCX names it.
    fn tcx(self) -> Result<AttachType, TcError> {
        match self {
            Self::Ingress => Ok(AttachType::TCX_INGRESS),
            Self::Egress => Ok(AttachType::TCX_EGRESS),
            Self::Custom(parent) => Err(TcError::InvalidTcxAttach(parent)),
        }
    }
}

/// Puts the program on the interface: as `options` say; without any by TCX behind all others, or where
/// there is no TCX by netlink at a priority of the kernel's.
pub(crate) fn attach(
    features: &Features,
    program: &ProgramFd,
    target: &Target<'_>,
    options: Option<TcAttachOptions>,
) -> Result<Attachment, ProgramError> {
    let index = attach::interface_index(target.interface)?;
    let order = match options {
        Some(TcAttachOptions::Netlink(options)) => {
            return by_netlink(program, target, index, options);
        }
        Some(TcAttachOptions::TcxOrder(order)) => Some(order),
        None => None,
    };
    let refused = match target.attach_type.tcx() {
        Ok(hook) if features.may_have(Feature::TcxLink) => {
            match link(program, index, hook, order.as_ref()) {
                Ok(attachment) => return Ok(attachment),
                Err(error) if features::is_unknown(&error) && !features.has(Feature::TcxLink) => {
                    Some(error)
                }
                Err(error) => return Err(explain_link(target, error)),
            }
        }
        Ok(_) => None,
        Err(error) if order.is_some() => return Err(error.into()),
        Err(_) => None,
    };
    match order {
        Some(_) => Err(TcError::TcxNotSupported {
            interface: target.interface.to_owned(),
            source: refused.map(Into::into),
        }
        .into()),
        None => by_netlink(program, target, index, NlOptions::default()),
    }
}

fn link(
    program: &ProgramFd,
    index: u32,
    hook: AttachType,
    order: Option<&LinkOrder>,
) -> Result<Attachment, aya_sys::Error> {
    let options = LinkOptions::Place {
        place: order.map(LinkOrder::place).unwrap_or_default(),
        expected_revision: 0,
    };
    let target = LinkTarget::Interface(index);
    bpf::link_create(program.as_fd(), target, hook, 0, options).map(Attachment::Fd)
}

/// The error with what to do, for what both mechanisms are refused for.
fn explain(target: &Target<'_>, Refusal { error, words }: Refusal) -> ProgramError {
    let (name, interface) = target.names();
    let source = error.into();
    match error.errno {
        Errno::EPERM => ProgramError::MissingPrivilege {
            name,
            needed: privilege::INTERFACE,
            source,
        },
        Errno::ENODEV => ProgramError::UnknownInterface { name: interface },
        _ => ProgramError::TcError(TcError::Refused {
            name,
            interface,
            words,
            source,
        }),
    }
}

/// The error of an attempt by TCX.
fn explain_link(target: &Target<'_>, error: aya_sys::Error) -> ProgramError {
    let (name, interface) = target.names();
    let source = error.into();
    ProgramError::TcError(match error.errno {
        Errno::EEXIST => TcError::AttachedTwice {
            name,
            interface,
            source,
        },
        Errno::ENOENT => TcError::NoNeighbour {
            name,
            interface,
            source,
        },
        _ => return explain(target, error.into()),
    })
}

fn by_netlink(
    program: &ProgramFd,
    target: &Target<'_>,
    index: u32,
    options: NlOptions,
) -> Result<Attachment, ProgramError> {
    let NlOptions {
        priority,
        handle,
        classid,
    } = options;
    let mut filter = Filter {
        route: Route::open()?,
        attach_type: target.attach_type,
        place: FilterPlace {
            interface: index,
            parent: target.attach_type.parent(),
            priority,
            handle: handle.into(),
        },
        class: classid,
        name: CString::new(target.program).map_err(TcError::NulError)?,
        program_id: bpf::prog_info(program.as_fd())?.id,
    };
    let added = filter.route.add_filter(&filter.with(program));
    filter.place = added.map_err(|refusal| explain_filter(target, &filter, refusal))?;
    Ok(Attachment::hook(filter))
}

/// The error of an attempt by netlink.
fn explain_filter(target: &Target<'_>, filter: &Filter, refusal: Refusal) -> ProgramError {
    let (name, interface) = target.names();
    let source = refusal.error.into();
    let needs_clsact = !matches!(target.attach_type, TcAttachType::Custom(_));
    ProgramError::TcError(match refusal.error.errno {
        Errno::EPERM | Errno::ENODEV => return explain(target, refusal),
        Errno::EEXIST => TcError::HandleTaken {
            name,
            interface,
            priority: filter.place.priority,
            handle: filter.place.handle.into(),
            source,
        },
        // What is said about a missing discipline differs between kernels.
        _ if needs_clsact && filter.route.has_clsact(filter.place.interface) == Ok(false) => {
            TcError::NoClsact {
                name,
                interface,
                source,
            }
        }
        _ => return explain(target, refusal),
    })
}

/// A filter of ours.
#[derive(Debug)]
pub(crate) struct Filter {
    /// In the interface's network namespace, where the thread may no longer be.
    route: Route,
    pub(crate) attach_type: TcAttachType,
    /// With priority and handle as the kernel has chosen them.
    pub(crate) place: FilterPlace,
    pub(crate) class: Option<TcHandle>,
    name: CString,
    /// By which the filter is told from another that has come in its place.
    program_id: u32,
}

impl Filter {
    /// The filter that somebody has left at a place.
    pub(crate) fn found(
        interface: &str,
        attach_type: TcAttachType,
        priority: u16,
        handle: TcHandle,
    ) -> Result<Self, TcError> {
        let (route, index) = open(interface)?;
        let place = FilterPlace {
            interface: index,
            parent: attach_type.parent(),
            priority,
            handle: handle.into(),
        };
        let there = route.filter(place);
        let Some(info) = there.map_err(|refusal| refused(interface, refusal))? else {
            let message = format!(
                "interface `{interface}` has no program at priority {priority} with handle {handle} \
                 on {attach_type}: attach it anew"
            );
            return Err(io::Error::new(io::ErrorKind::NotFound, message).into());
        };
        Ok(Self {
            route,
            attach_type,
            place,
            class: info.class.map(Into::into),
            name: CString::new(info.name).map_err(TcError::NulError)?,
            program_id: info.program_id,
        })
    }

    fn with<'a>(&'a self, program: &'a ProgramFd) -> netlink::Filter<'a> {
        netlink::Filter {
            place: self.place,
            program: program.as_fd(),
            name: &self.name,
            class: self.class.map(Into::into),
        }
    }

    /// Whether the filter at our place holds our program. The kernel does not compare while it
    /// removes or changes a filter: somebody may come in between.
    fn is_there(&self) -> Result<bool, Refusal> {
        let there = self.route.filter(self.place)?;
        Ok(there.is_some_and(|there| there.program_id == self.program_id))
    }
}

impl Hook for Filter {
    fn detach(&self) -> Result<(), ProgramError> {
        let detach = || -> Result<(), Refusal> {
            if self.is_there()? {
                self.route.delete_filter(self.place)?;
            }
            // Else it went with its interface or discipline, or gave way to another.
            Ok(())
        };
        detach().map_err(|refusal| TcError::NetlinkError(refusal.into()).into())
    }

    fn replace(&mut self, program: &ProgramFd) -> Result<(), ProgramError> {
        let id = bpf::prog_info(program.as_fd())?.id;
        let change = || -> Result<bool, Refusal> {
            let there = self.is_there()?;
            if there {
                self.route.change_filter(&self.with(program))?;
            }
            Ok(there)
        };
        match change() {
            Ok(true) => {
                self.program_id = id;
                Ok(())
            }
            Ok(false) => Err(ProgramError::NotAttached),
            Err(refusal) => Err(TcError::NetlinkError(refusal.into()).into()),
        }
    }
}

/// Which side of the interface a TCX link is on; `None` for other links.
pub(crate) fn side(link: BorrowedFd<'_>) -> Result<Option<TcAttachType>, aya_sys::Error> {
    let LinkDetails::Tcx(info) = bpf::link_details(link)? else {
        return Ok(None);
    };
    Ok(match AttachType(info.attach_type) {
        AttachType::TCX_INGRESS => Some(TcAttachType::Ingress),
        AttachType::TCX_EGRESS => Some(TcAttachType::Egress),
        _ => None,
    })
}

/// What TCX runs on the interface.
pub(crate) fn query(interface: &str, attach_type: TcAttachType) -> Result<ProgQuery, ProgramError> {
    let index = attach::interface_index(interface)?;
    let target = LinkTarget::Interface(index);
    bpf::prog_query(target, attach_type.tcx()?, 0).map_err(|error| match error.errno {
        Errno::EINVAL => ProgramError::TcError(TcError::TcxNotSupported {
            interface: interface.to_owned(),
            source: Some(error.into()),
        }),
        _ => error.into(),
    })
}

/// A socket for the network namespace of this thread, and the interface's index there.
fn open(interface: &str) -> Result<(Route, u32), TcError> {
    let index = netlink::interface_index(interface).map_err(|error| match error.errno {
        Errno::ENODEV => TcError::UnknownInterface {
            name: interface.to_owned(),
        },
        _ => TcError::IoError(error.into()),
    })?;
    let route = Route::open().map_err(|error| TcError::NetlinkError(error.into()))?;
    Ok((route, index))
}

fn refused(interface: &str, refusal: Refusal) -> TcError {
    match refusal.error.errno {
        Errno::EPERM => TcError::MissingPrivilege {
            interface: interface.to_owned(),
            needed: privilege::INTERFACE,
            source: refusal.error.into(),
        },
        _ => TcError::NetlinkError(NetlinkError::from(refusal)),
    }
}

/// Adds the discipline that filters hang on.
pub(crate) fn add_clsact(interface: &str) -> Result<(), TcError> {
    let (route, index) = open(interface)?;
    match route.add_clsact(index) {
        Err(refusal) if refusal.error.errno == Errno::EEXIST => Err(TcError::AlreadyAttached),
        result => result.map_err(|refusal| refused(interface, refusal)),
    }
}

/// Removes all filters of this name; how many there were.
pub(crate) fn detach_by_name(
    interface: &str,
    attach_type: TcAttachType,
    name: &str,
) -> Result<usize, TcError> {
    let (route, index) = open(interface)?;
    let detach = || -> Result<usize, Refusal> {
        let filters = route.filters(index, attach_type.parent())?;
        let named = |filter: &&FilterInfo| filter.name == name.as_bytes();
        let mut removed = 0;
        for filter in filters.iter().filter(named) {
            removed += usize::from(route.delete_filter(filter.place)?);
        }
        Ok(removed)
    };
    detach().map_err(|refusal| refused(interface, refusal))
}
