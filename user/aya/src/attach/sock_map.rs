//! Socket maps: by bpf_link (since kernel 6.10), on older kernels by `BPF_PROG_ATTACH`.

use std::os::fd::AsFd;

use aya_sys::{
    Errno,
    bpf::{self, LinkOptions, LinkTarget, ProgAttach},
};
use aya_uapi::AttachType;

use crate::{
    attach,
    features::{Feature, Features},
    links::{Attachment, Hook},
    maps::sock::SockMapFd,
    privilege,
    programs::{ProgramError, ProgramFd, SockMapError},
};

/// Makes the program run on the sockets that are put into the map from now on.
pub(crate) fn attach(
    features: &Features,
    program: &ProgramFd,
    name: &str,
    map: &SockMapFd,
    attach_type: AttachType,
) -> Result<Attachment, ProgramError> {
    let link = || {
        bpf::link_create(
            program.as_fd(),
            LinkTarget::Fd(map.as_fd()),
            attach_type,
            0,
            LinkOptions::None,
        )
    };
    let explain = |error| explain(name, attach_type, error);
    let without_link = || without_link(program, name, map, attach_type);
    attach::by_link(features, Feature::SockMapLink, link, explain, without_link)
}

fn without_link(
    program: &ProgramFd,
    name: &str,
    map: &SockMapFd,
    attach_type: AttachType,
) -> Result<Attachment, ProgramError> {
    // First: a program that is attached must have somebody to take it off.
    let held = Held {
        map: map.try_clone()?,
        program: program.try_clone()?,
        attach_type,
    };
    // The kernel would put it in another's place without a word. Only since 5.17 it can be asked.
    let attached = bpf::prog_query(LinkTarget::Fd(map.as_fd()), attach_type, 0);
    if attached.is_ok_and(|hook| !hook.prog_ids.is_empty()) {
        return Err(busy(name, None));
    }
    held.put(program)
        .map_err(|error| explain(name, attach_type, error))?;
    Ok(Attachment::hook(held))
}

fn busy(name: &str, source: Option<aya_sys::Error>) -> ProgramError {
    ProgramError::SockMap(SockMapError::Busy {
        name: name.to_owned(),
        source: source.map(Into::into),
    })
}

/// The error that says what to do.
fn explain(name: &str, attach_type: AttachType, error: aya_sys::Error) -> ProgramError {
    match error.errno {
        Errno::EPERM => ProgramError::MissingPrivilege {
            name: name.to_owned(),
            needed: privilege::INTERFACE,
            source: error.into(),
        },
        Errno::EBUSY => busy(name, Some(error)),
        _ => ProgramError::SockMap(SockMapError::Refused {
            name: name.to_owned(),
            attach_type,
            source: error.into(),
        }),
    }
}

/// A program that is on a socket map without a link.
#[derive(Debug)]
struct Held {
    map: SockMapFd,
    program: ProgramFd,
    attach_type: AttachType,
}

impl Held {
    fn put(&self, program: &ProgramFd) -> Result<(), aya_sys::Error> {
        let how = ProgAttach {
            target: LinkTarget::Fd(self.map.as_fd()),
            attach_type: self.attach_type,
            flags: 0,
            replace: None,
        };
        bpf::prog_attach(program.as_fd(), &how)
    }
}

impl Hook for Held {
    fn detach(&self) -> Result<(), ProgramError> {
        let map = LinkTarget::Fd(self.map.as_fd());
        match bpf::prog_detach(Some(self.program.as_fd()), map, self.attach_type) {
            // Another's program stays where it is: there is nothing of ours left to detach.
            Err(error) if error.errno == Errno::ENOENT => Ok(()),
            result => Ok(result?),
        }
    }

    fn replace(&mut self, program: &ProgramFd) -> Result<(), ProgramError> {
        let ours = program.try_clone()?;
        let map = LinkTarget::Fd(self.map.as_fd());
        // The kernel would put it in another's place.
        if !attach::is_attached(map, self.attach_type, &self.program)? {
            return Err(ProgramError::NotAttached);
        }
        self.put(program)?;
        self.program = ours;
        Ok(())
    }
}
