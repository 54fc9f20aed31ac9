//! Network interfaces: by bpf_link (since kernel 5.9), on older kernels by netlink.

use std::os::fd::AsFd;

use aya_sys::{
    Errno,
    bpf::{self, LinkOptions, LinkTarget},
    netlink::{self, Refusal, Route},
};
use aya_uapi::{
    AttachType,
    bindings::{XDP_FLAGS_REPLACE, XDP_FLAGS_UPDATE_IF_NOEXIST},
};

use crate::{
    attach,
    features::{Feature, Features},
    links::{Attachment, Hook},
    privilege,
    programs::{ProgramError, ProgramFd, XdpAttachOptions, XdpError, XdpMode},
    sys::NetlinkError,
};

/// What is attached where, for messages.
pub(crate) struct Target<'a> {
    pub(crate) program: &'a str,
    pub(crate) index: u32,
    /// Its name, where the caller gave one.
    pub(crate) interface: Option<&'a str>,
}

impl Target<'_> {
    /// What a person calls the interface.
    fn interface(&self) -> String {
        let given = self.interface.map(str::to_owned);
        given
            .or_else(|| netlink::interface_name(self.index))
            .unwrap_or_else(|| format!("index {}", self.index))
    }
}

/// Puts the program on the interface.
///
/// The two mechanisms do not mix: a program that was attached by netlink can be replaced by
/// netlink alone.
pub(crate) fn attach(
    features: &Features,
    program: &ProgramFd,
    target: &Target<'_>,
    options: XdpAttachOptions,
) -> Result<Attachment, ProgramError> {
    let mode = options.mode;
    let by_netlink = || by_netlink(program, target, options);
    if options.replace {
        return by_netlink();
    }
    let link = || {
        bpf::link_create(
            program.as_fd(),
            LinkTarget::Interface(target.index),
            AttachType::XDP,
            mode.flag(),
            LinkOptions::None,
        )
    };
    let explain = |error: aya_sys::Error| explain(target, mode, error.into());
    attach::by_link(features, Feature::XdpLink, link, explain, by_netlink)
}

fn by_netlink(
    program: &ProgramFd,
    target: &Target<'_>,
    options: XdpAttachOptions,
) -> Result<Attachment, ProgramError> {
    let mode = options.mode;
    // First: a program that is attached must have somebody to take it off.
    let ours = program.try_clone()?;
    let route = Route::open()?;
    let exclusive = if options.replace {
        0
    } else {
        XDP_FLAGS_UPDATE_IF_NOEXIST
    };
    route
        .xdp_attach(
            target.index,
            Some(program.as_fd()),
            None,
            mode.flag() | exclusive,
        )
        .map_err(|refusal| explain(target, mode, refusal))?;
    Ok(Attachment::hook(Netlink {
        route,
        index: target.index,
        mode,
        program: ours,
    }))
}

/// The error that says what to do.
fn explain(target: &Target<'_>, mode: XdpMode, Refusal { error, words }: Refusal) -> ProgramError {
    let name = target.program.to_owned();
    let interface = target.interface();
    match error.errno {
        Errno::EPERM => ProgramError::MissingPrivilege {
            name,
            needed: privilege::INTERFACE,
            source: error.into(),
        },
        Errno::ENODEV => ProgramError::UnknownInterface { name: interface },
        Errno::EOPNOTSUPP => ProgramError::XdpError(XdpError::ModeNotSupported {
            name,
            interface,
            mode,
            source: error.into(),
        }),
        Errno::EBUSY | Errno::EEXIST => ProgramError::XdpError(XdpError::InterfaceBusy {
            name,
            interface,
            source: error.into(),
        }),
        _ => ProgramError::XdpError(XdpError::Refused {
            name,
            interface,
            mode,
            words,
            source: error.into(),
        }),
    }
}

/// A program that netlink put on an interface.
#[derive(Debug)]
struct Netlink {
    /// In the interface's network namespace, where the thread may no longer be.
    route: Route,
    index: u32,
    mode: XdpMode,
    /// Ours: the kernel compares it with the one that is attached.
    program: ProgramFd,
}

impl Netlink {
    /// Attaches `new`, or nothing, if the program that is attached is ours. Since kernel 5.7 the
    /// kernel compares and replaces in one step; before that somebody may come in between.
    fn swap(&self, new: Option<&ProgramFd>) -> Result<Swap, NetlinkError> {
        let new = new.map(AsFd::as_fd);
        let ours = self.program.as_fd();
        let flags = self.mode.flag();
        let compared = flags | XDP_FLAGS_REPLACE;
        let swapped = self.route.xdp_attach(self.index, new, Some(ours), compared);
        match swapped.map_err(|refusal| (refusal.error.errno, refusal)) {
            Ok(()) => return Ok(Swap::Done),
            // The interface is gone and the program with it, or the program is another's, or
            // held by a bpf_link.
            Err((Errno::ENODEV | Errno::EEXIST | Errno::EBUSY, _)) => return Ok(Swap::NotOurs),
            Err((Errno::EINVAL, _)) => {}
            Err((_, refusal)) => return Err(refusal.into()),
        }
        let attached = self.route.xdp_programs(self.index)?;
        if !attached.contains(bpf::prog_info(ours)?.id) {
            return Ok(Swap::NotOurs);
        }
        self.route.xdp_attach(self.index, new, None, flags)?;
        Ok(Swap::Done)
    }
}

enum Swap {
    Done,
    NotOurs,
}

impl Hook for Netlink {
    fn detach(&self) -> Result<(), ProgramError> {
        // Another's program stays where it is: there is nothing of ours left to detach.
        self.swap(None).map(drop).map_err(ProgramError::from)
    }

    fn replace(&mut self, program: &ProgramFd) -> Result<(), ProgramError> {
        let ours = program.try_clone()?;
        match self.swap(Some(program))? {
            Swap::Done => {
                self.program = ours;
                Ok(())
            }
            Swap::NotOurs => Err(ProgramError::NotAttached),
        }
    }
}
