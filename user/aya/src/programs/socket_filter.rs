//! Programs on sockets: filters, and those that choose among sockets with one port.
//!
//! A [`SocketFilter`] runs on each packet that a socket receives, and says how many bytes of it the
//! socket keeps: 0 drops it. A [`ReusePortSocketFilter`] runs on the first packet of a flow to a port
//! that several sockets share (`SO_REUSEPORT`), and says which of them gets it.
//!
//! Since kernel 3.19, the latter 4.5.
//!
//! ```no_run
//! use std::net::UdpSocket;
//!
//! use aya::{Ebpf, programs::SocketFilter};
//!
//! let mut ebpf = Ebpf::load_file("filter.o")?;
//! let program: &mut SocketFilter = ebpf.program_mut("short").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! let socket = UdpSocket::bind("0.0.0.0:4000")?;
//! program.attach(&socket)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the process ends
//!
//! There is no link: the socket holds the program, whatever becomes of the handle, until it is detached
//! or the socket is closed, which the end of the process does, however it ends.

use std::{error::Error, fmt, io};

pub use super::{ReusePortSocketFilter, SocketFilter};

/// The handles that differ in nothing but the socket's option and the error's name.
macro_rules! on_sockets {
    ($($handle:ident: $hook:ident, $error:ident, $where:literal;)*) => {$(
        impl $handle {
            #[doc = concat!("Attaches the program to ", $where, ", in the place of the one that is there.")]
            ///
            /// # Errors
            ///
            #[doc = concat!("When the program is not loaded, and those of [`", stringify!($error), "`].")]
            pub fn attach<T: std::os::fd::AsFd>(
                &self,
                socket: T,
            ) -> Result<(), $crate::programs::ProgramError> {
                let hook = aya_sys::socket::SocketHook::$hook;
                $crate::attach::socket::attach(self.fd()?, socket.as_fd(), hook)
                    .map_err($crate::programs::ProgramError::$error)
            }

            #[doc = concat!("Takes the program, whichever it is, off ", $where, ".")]
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`", stringify!($error), "`].")]
            pub fn detach<T: std::os::fd::AsFd>(
                socket: T,
            ) -> Result<(), $crate::programs::ProgramError> {
                let hook = aya_sys::socket::SocketHook::$hook;
                $crate::attach::socket::detach(socket.as_fd(), hook)
                    .map_err($crate::programs::ProgramError::$error)
            }
        }
    )*};
}
pub(crate) use on_sockets;

on_sockets! {
    SocketFilter: Filter, SocketFilterError, "a socket";
    ReusePortSocketFilter: Reuseport, SocketFilterError, "the sockets that share the port of this one (detaching since kernel 5.2)";
}

/// Why a socket refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketFilterError {
    /// The kernel refused the option, for a reason of its own.
    SetsockoptError {
        /// The socket's option.
        option: &'static str,
        /// What the kernel said.
        io_error: io::Error,
    },
    /// The socket's filter is locked (`SO_LOCK_FILTER`).
    Locked {
        /// The socket's option.
        option: &'static str,
        /// What the kernel said.
        io_error: io::Error,
    },
    /// The socket has no program to be taken off.
    NotAttached {
        /// The socket's option.
        option: &'static str,
        /// What the kernel said.
        io_error: io::Error,
    },
    /// The descriptor is of something else.
    NotASocket {
        /// The socket's option.
        option: &'static str,
        /// What the kernel said.
        io_error: io::Error,
    },
}

impl fmt::Display for SocketFilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (option, advice) = match self {
            Self::SetsockoptError { option, .. } => (
                option,
                "the socket refused: check that it is one that packets arrive at, and bound if it \
                 shares its port",
            ),
            Self::Locked { option, .. } => (
                option,
                "the socket's filter is locked (`SO_LOCK_FILTER`): use a socket of your own",
            ),
            Self::NotAttached { option, .. } => {
                (option, "the socket has no program: there is nothing to do")
            }
            Self::NotASocket { option, .. } => {
                (option, "the descriptor is no socket's: pass a socket")
            }
        };
        write!(f, "`{option}`: {advice}")
    }
}

impl Error for SocketFilterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::SetsockoptError { io_error, .. }
            | Self::Locked { io_error, .. }
            | Self::NotAttached { io_error, .. }
            | Self::NotASocket { io_error, .. } => Some(io_error),
        }
    }
}
