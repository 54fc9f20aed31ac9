//! What can go wrong with a program.

use std::{error::Error, fmt, io};

use aya_uapi::ProgType;

use crate::{
    btf::BtfError,
    links::LinkError,
    maps::MapError,
    pin::PinError,
    programs::{
        TracingError, cgroup::CgroupError, kprobe::KProbeError, sk_reuseport::SkReuseportError,
        sock_map::SockMapError, socket_filter::SocketFilterError, tc::TcError,
        trace_point::TracePointError, uprobe::UProbeError, xdp::XdpError,
    },
    sys::{NetlinkError, SyscallError},
    verifier::VerifierLog,
};

/// Why a program could not be loaded, attached, pinned or asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProgramError {
    /// The program is loaded already.
    AlreadyLoaded,
    /// The program is not loaded.
    NotLoaded,
    /// The program is attached there already.
    AlreadyAttached,
    /// The link is none of this program's: it was detached or taken before.
    NotAttached,
    /// The verifier rejected the program.
    LoadError {
        /// The program's name.
        name: String,
        /// The kernel's error.
        io_error: io::Error,
        /// Why, in one line, with the source line where it is known.
        reason: String,
        /// All that the verifier wrote.
        verifier_log: VerifierLog,
    },
    /// The process may not do this.
    MissingPrivilege {
        /// The program's name.
        name: String,
        /// What it needs.
        needed: &'static str,
        /// The call that was refused.
        source: SyscallError,
    },
    /// This library cannot do that with programs of this type yet.
    NotSupportedYet {
        /// The program's name.
        name: String,
        /// Its type.
        prog_type: ProgType,
    },
    /// A system call failed.
    SyscallError(SyscallError),
    /// There is no such network interface.
    UnknownInterface {
        /// The name, or `index N`.
        name: String,
    },
    /// The handle is of another type than the program.
    UnexpectedProgramType,
    /// A map that the program uses.
    MapError(MapError),
    /// A link of the program.
    Link(LinkError),
    /// The program's pin.
    Pin(PinError),
    /// Attaching to a network interface.
    XdpError(XdpError),
    /// Attaching to a function of the kernel.
    KProbeError(KProbeError),
    /// Loading for, or attaching to, a function or tracepoint of the kernel.
    Tracing(TracingError),
    /// A tracepoint, or a field of its event.
    TracePointError(TracePointError),
    /// Attaching to traffic control.
    TcError(TcError),
    /// Attaching to a socket.
    SocketFilterError(SocketFilterError),
    /// Attaching to sockets that share a port.
    SkReuseportError(SkReuseportError),
    /// Attaching to a cgroup.
    Cgroup(CgroupError),
    /// Attaching to a socket map.
    SockMap(SockMapError),
    /// Attaching to functions of a file.
    UProbeError(UProbeError),
    /// Netlink refused.
    NetlinkError(NetlinkError),
    /// Type information.
    Btf(BtfError),
    /// A perf event (probe, tracepoint, counter, breakpoint) does not take the program.
    EventRefused {
        /// The program's name.
        name: String,
        /// The event, in words.
        event: String,
        /// What to do.
        remedy: &'static str,
        /// The call that was refused.
        source: SyscallError,
    },
    /// The kernel keeps no cookies of this event.
    AttachCookieNotSupported {
        /// The program's name.
        name: String,
        /// The event, in words.
        event: String,
    },
    /// The name cannot be handed to the kernel.
    InvalidName {
        /// The name as given.
        name: String,
    },
    /// Reading or writing a file.
    IOError(io::Error),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyLoaded => f.write_str("the program is loaded already: `unload` it first"),
            Self::NotLoaded => f.write_str("the program is not loaded: call `load` first"),
            Self::AlreadyAttached => {
                f.write_str("the program is attached there already: detach it first")
            }
            Self::NotAttached => {
                f.write_str("the program has no such link: it was detached or taken before")
            }
            Self::LoadError {
                name,
                reason,
                verifier_log,
                ..
            } if verifier_log.as_str().is_empty() => {
                write!(f, "program `{name}`: the kernel refused it: {reason}")
            }
            Self::LoadError { name, reason, .. } => write!(
                f,
                "program `{name}`: the verifier rejected it: {reason} (the full log is in \
                 `verifier_log`)"
            ),
            Self::MissingPrivilege { name, needed, .. } => write!(
                f,
                "program `{name}`: missing privilege: the process needs {needed}"
            ),
            Self::NotSupportedYet { name, prog_type } => write!(
                f,
                "program `{name}`: programs of type {prog_type:?} are not supported yet: load it \
                 with another tool, or leave it alone"
            ),
            Self::SyscallError(error) => error.fmt(f),
            Self::UnknownInterface { name } => write!(
                f,
                "network interface `{name}` does not exist: `ip link` lists those there are"
            ),
            Self::UnexpectedProgramType => f.write_str(
                "the program is of another type than the handle: convert to the type of its \
                 section",
            ),
            Self::MapError(error) => error.fmt(f),
            Self::Link(error) => error.fmt(f),
            Self::Pin(error) => error.fmt(f),
            Self::XdpError(error) => error.fmt(f),
            Self::KProbeError(error) => error.fmt(f),
            Self::Tracing(error) => error.fmt(f),
            Self::TracePointError(error) => error.fmt(f),
            Self::TcError(error) => error.fmt(f),
            Self::SocketFilterError(error) | Self::SkReuseportError(error) => error.fmt(f),
            Self::Cgroup(error) => error.fmt(f),
            Self::SockMap(error) => error.fmt(f),
            Self::UProbeError(error) => error.fmt(f),
            Self::NetlinkError(error) => error.fmt(f),
            Self::Btf(error) => error.fmt(f),
            Self::EventRefused {
                name,
                event,
                remedy,
                ..
            } => write!(
                f,
                "program `{name}`: could not be attached to {event}: {remedy}"
            ),
            Self::AttachCookieNotSupported { name, event } => write!(
                f,
                "program `{name}`: this kernel keeps no cookie for {event}: use 5.15 or newer, or \
                 attach without a cookie"
            ),
            Self::InvalidName { name } => write!(
                f,
                "`{name}` cannot be handed to the kernel: take the zero byte out"
            ),
            Self::IOError(error) => error.fmt(f),
        }
    }
}

impl Error for ProgramError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyLoaded
            | Self::NotLoaded
            | Self::AlreadyAttached
            | Self::NotAttached
            | Self::NotSupportedYet { .. }
            | Self::UnknownInterface { .. }
            | Self::UnexpectedProgramType
            | Self::AttachCookieNotSupported { .. }
            | Self::InvalidName { .. } => None,
            Self::LoadError { io_error, .. } => Some(io_error),
            Self::MissingPrivilege { source, .. } | Self::EventRefused { source, .. } => {
                Some(source)
            }
            // These speak for themselves above, so their own sources follow.
            Self::SyscallError(error) => error.source(),
            Self::MapError(error) => error.source(),
            Self::Link(error) => error.source(),
            Self::Pin(error) => error.source(),
            Self::XdpError(error) => error.source(),
            Self::KProbeError(error) => error.source(),
            Self::Tracing(error) => error.source(),
            Self::TracePointError(error) => error.source(),
            Self::TcError(error) => error.source(),
            Self::SocketFilterError(error) | Self::SkReuseportError(error) => error.source(),
            Self::Cgroup(error) => error.source(),
            Self::SockMap(error) => error.source(),
            Self::UProbeError(error) => error.source(),
            Self::NetlinkError(error) => error.source(),
            Self::Btf(error) => error.source(),
            Self::IOError(error) => error.source(),
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => { $(
        impl From<$error> for ProgramError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )* };
}

from! {
    SyscallError(SyscallError),
    MapError(MapError),
    Link(LinkError),
    Pin(PinError),
    XdpError(XdpError),
    KProbeError(KProbeError),
    Tracing(TracingError),
    TracePointError(TracePointError),
    TcError(TcError),
    SocketFilterError(SocketFilterError),
    Cgroup(CgroupError),
    SockMap(SockMapError),
    UProbeError(UProbeError),
    NetlinkError(NetlinkError),
    Btf(BtfError),
    IOError(io::Error),
}

impl From<aya_sys::Error> for ProgramError {
    fn from(error: aya_sys::Error) -> Self {
        Self::SyscallError(error.into())
    }
}
