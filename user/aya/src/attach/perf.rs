//! Perf events: what probes, tracepoints, counters and breakpoints have in common once their event is
//! open. By bpf_link (since kernel 5.15), on older kernels by the event's own descriptor.

use std::os::fd::{AsFd, OwnedFd};

use aya_sys::{
    Errno,
    bpf::{self, LinkOptions, LinkTarget},
    perf,
};
use aya_uapi::AttachType;

use crate::{
    attach,
    features::{Feature, Features},
    links::{Attachment, Hook},
    privilege,
    programs::{ProgramError, ProgramFd},
};

/// What is attached where, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The program's name.
    pub(crate) program: &'a str,
    /// The event in words: "kernel function `tcp_connect`".
    pub(crate) event: &'a str,
}

/// Runs the program at the event, which it starts, until the attachment is dropped; that closes the
/// event too, as the end of the process does, however it ends.
///
/// The cookie is what `bpf_get_attach_cookie` gives the program.
pub(crate) fn attach(
    features: &Features,
    program: &ProgramFd,
    target: Target<'_>,
    event: OwnedFd,
    cookie: Option<u64>,
) -> Result<Attachment, ProgramError> {
    let link = || {
        let link = bpf::link_create(
            program.as_fd(),
            LinkTarget::Fd(event.as_fd()),
            AttachType::PERF_EVENT,
            0,
            LinkOptions::PerfEvent {
                cookie: cookie.unwrap_or_default(),
            },
        )?;
        // A link starts no event; it holds the event, so our descriptor may go.
        perf::enable(event.as_fd())?;
        Ok(link)
    };
    let explain = |error| explain(target, error);
    let by_event = || by_event(program, target, &event, cookie);
    attach::by_link(features, Feature::PerfLink, link, explain, by_event)
}

fn by_event(
    program: &ProgramFd,
    target: Target<'_>,
    event: &OwnedFd,
    cookie: Option<u64>,
) -> Result<Attachment, ProgramError> {
    if cookie.is_some() {
        return Err(ProgramError::AttachCookieNotSupported {
            name: target.program.to_owned(),
            event: target.event.to_owned(),
        });
    }
    // First: a program that is attached must have somebody to take it off.
    let held = Event(event.try_clone()?);
    perf::set_bpf(event.as_fd(), program.as_fd()).map_err(|error| explain(target, error))?;
    perf::enable(event.as_fd()).map_err(|error| explain(target, error))?;
    Ok(Attachment::hook(held))
}

/// The error that says what to do about an event that could not be opened or take the program.
pub(crate) fn explain(target: Target<'_>, error: aya_sys::Error) -> ProgramError {
    let name = target.program.to_owned();
    if matches!(error.errno, Errno::EPERM | Errno::EACCES) {
        return ProgramError::MissingPrivilege {
            name,
            needed: privilege::PERF_EVENT,
            source: error.into(),
        };
    }
    ProgramError::EventRefused {
        name,
        event: target.event.to_owned(),
        remedy: match error.errno {
            Errno::E2BIG => "it has as many programs as it takes: detach one",
            Errno::EMFILE => "the process has no descriptors left: raise `ulimit -n`",
            Errno::ESRCH => "the process is gone: check its id",
            Errno::ENODEV => "the CPU is offline: choose another",
            Errno::EEXIST => "it takes one program, and has one: detach that",
            Errno::ENOENT | Errno::EOPNOTSUPP => {
                "this kernel or machine has no such event: check that it is configured"
            }
            _ => "check that the event takes programs of this type, and `dmesg`",
        },
        source: error.into(),
    }
}

/// An event that holds a program: both go when the descriptor is closed.
#[derive(Debug)]
struct Event(OwnedFd);

impl Hook for Event {
    fn detach(&self) -> Result<(), ProgramError> {
        // From here on the program does not run, even if a child process has the descriptor too.
        Ok(perf::disable(self.0.as_fd())?)
    }
}
