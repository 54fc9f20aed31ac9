//! What can go wrong with traffic control.

use std::{error::Error, ffi::NulError, fmt, io};

use crate::{
    programs::tc::TcHandle,
    sys::{NetlinkError, SyscallError},
};

/// Why a program could not be attached to, or found at, traffic control.
#[derive(Debug)]
#[non_exhaustive]
pub enum TcError {
    /// The interface has a queueing discipline for filters already.
    AlreadyAttached,
    /// The link is one of TCX, which has no priorities and handles.
    InvalidLinkOperation,
    /// TCX has no such hook.
    InvalidTcxAttach(u32),
    /// Netlink refused.
    NetlinkError(NetlinkError),
    /// What the interface does not have, and what the system refused.
    IoError(io::Error),
    /// The program's name has a zero byte.
    NulError(NulError),
    /// There is no such network interface.
    UnknownInterface {
        /// The name.
        name: String,
    },
    /// The process may not do this.
    MissingPrivilege {
        /// The interface.
        interface: String,
        /// What it needs.
        needed: &'static str,
        /// The request that was refused.
        source: SyscallError,
    },
    /// The kernel has no TCX.
    TcxNotSupported {
        /// The interface.
        interface: String,
        /// What the kernel said, if it was asked.
        source: Option<SyscallError>,
    },
    /// The interface has no queueing discipline for filters.
    NoClsact {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: SyscallError,
    },
    /// There is a filter with this priority and handle.
    HandleTaken {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// The priority asked for.
        priority: u16,
        /// The handle asked for.
        handle: TcHandle,
        /// What the kernel said.
        source: SyscallError,
    },
    /// TCX runs the program there already.
    AttachedTwice {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: SyscallError,
    },
    /// What the program was to go before or behind is not there.
    NoNeighbour {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: SyscallError,
    },
    /// The kernel does not take the program, for a reason of its own.
    Refused {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// Why, in the kernel's own words, if it has any.
        words: Option<String>,
        /// What the kernel said.
        source: SyscallError,
    },
}

impl fmt::Display for TcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyAttached => f.write_str(
                "the interface has a queueing discipline `clsact` or `ingress` already: use that one",
            ),
            Self::InvalidLinkOperation => f.write_str(
                "the link is one of TCX, which has no priorities and handles: attach by \
                 `TcAttachOptions::Netlink` to have them",
            ),
            Self::InvalidTcxAttach(parent) => write!(
                f,
                "TCX has no hook {}: use `TcAttachType::Ingress` or `Egress`, or \
                 `TcAttachOptions::Netlink`",
                TcHandle(*parent)
            ),
            Self::NetlinkError(error) => error.fmt(f),
            Self::IoError(error) => error.fmt(f),
            Self::NulError(_) => {
                f.write_str("the program's name has a zero byte in it: take it out")
            }
            Self::UnknownInterface { name } => write!(
                f,
                "network interface `{name}` does not exist: `ip link` lists those there are"
            ),
            Self::MissingPrivilege {
                interface, needed, ..
            } => write!(
                f,
                "interface `{interface}`: missing privilege: the process needs {needed}"
            ),
            Self::TcxNotSupported { interface, .. } => write!(
                f,
                "interface `{interface}`: this kernel has no TCX (6.6): use \
                 `TcAttachOptions::Netlink`"
            ),
            Self::NoClsact {
                name, interface, ..
            } => write!(
                f,
                "program `{name}`: interface `{interface}` has no queueing discipline for filters: \
                 call `tc::qdisc_add_clsact(\"{interface}\")` first"
            ),
            Self::HandleTaken {
                name,
                interface,
                priority,
                handle,
                ..
            } => write!(
                f,
                "program `{name}`: interface `{interface}` has a filter {handle} at priority \
                 {priority} already: choose another, or leave the choice to the kernel \
                 (`TcHandle::AUTO_ASSIGN`)"
            ),
            Self::AttachedTwice {
                name, interface, ..
            } => write!(
                f,
                "program `{name}`: it is attached to interface `{interface}` there already: detach \
                 it first"
            ),
            Self::NoNeighbour {
                name, interface, ..
            } => write!(
                f,
                "program `{name}`: what it was to go before or behind is not attached to interface \
                 `{interface}` there: `SchedClassifier::query_tcx` lists what is"
            ),
            Self::Refused {
                name,
                interface,
                words,
                ..
            } => {
                write!(f, "program `{name}`: interface `{interface}` refused it: ")?;
                match words {
                    Some(words) => write!(f, "{words}: change that in the options"),
                    None => f.write_str("check that the options fit the interface"),
                }
            }
        }
    }
}

impl Error for TcError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyAttached
            | Self::InvalidLinkOperation
            | Self::InvalidTcxAttach(_)
            | Self::UnknownInterface { .. } => None,
            Self::NulError(error) => Some(error),
            Self::NetlinkError(error) => error.source(),
            Self::IoError(error) => error.source(),
            Self::TcxNotSupported { source, .. } => source
                .as_ref()
                .map(|source| source as &(dyn Error + 'static)),
            Self::MissingPrivilege { source, .. }
            | Self::NoClsact { source, .. }
            | Self::HandleTaken { source, .. }
            | Self::AttachedTwice { source, .. }
            | Self::NoNeighbour { source, .. }
            | Self::Refused { source, .. } => Some(source),
        }
    }
}

impl From<io::Error> for TcError {
    fn from(error: io::Error) -> Self {
        Self::IoError(error)
    }
}

impl From<TcError> for io::Error {
    fn from(error: TcError) -> Self {
        match error {
            TcError::IoError(error) => error,
            TcError::UnknownInterface { .. } => Self::new(io::ErrorKind::NotFound, error),
            TcError::MissingPrivilege { .. } => Self::new(io::ErrorKind::PermissionDenied, error),
            error => Self::other(error),
        }
    }
}
