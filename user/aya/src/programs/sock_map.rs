//! What programs on socket maps have in common: attaching, and what can go wrong.

use std::{error::Error, fmt};

use aya_uapi::AttachType;

use crate::{
    attach,
    links::{TypedLink, TypedLinkId},
    maps::sock::SockMapFd,
    programs::{Kind, ProgramError, TypedProgram},
    sys::SyscallError,
};

impl<K: Kind> TypedProgram<K> {
    pub(crate) fn attach_to_sock_map(
        &mut self,
        map: &SockMapFd,
        attach_type: AttachType,
    ) -> Result<TypedLinkId<K>, ProgramError> {
        let (features, name) = (self.features(), self.name());
        let attachment = attach::sock_map::attach(&features, self.fd()?, name, map, attach_type)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }
}

/// Why a program could not be attached to a socket map.
#[derive(Debug)]
#[non_exhaustive]
pub enum SockMapError {
    /// The map has a program of this kind already.
    Busy {
        /// The program's name.
        name: String,
        /// What the kernel said, if it was not asked only.
        source: Option<SyscallError>,
    },
    /// The kernel does not take the program, for a reason of its own.
    Refused {
        /// The program's name.
        name: String,
        /// What it was attached as.
        attach_type: AttachType,
        /// What the kernel said.
        source: SyscallError,
    },
}

impl fmt::Display for SockMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { name, .. } => write!(
                f,
                "program `{name}`: the socket map has a program of this kind already: detach that \
                 one, or replace it by `attach_to_link`"
            ),
            Self::Refused {
                name, attach_type, ..
            } => write!(
                f,
                "program `{name}`: the socket map refused it as `{attach_type}`: a map takes a \
                 verdict or a parser with its verdict, not both kinds of verdict"
            ),
        }
    }
}

impl Error for SockMapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Busy { source, .. } => source.as_ref().map(|error| error as _),
            Self::Refused { source, .. } => Some(source),
        }
    }
}
