//! Sockets: by setsockopt(2). The socket holds the program until it is closed, so that there is no
//! link.

use std::os::fd::{AsFd, BorrowedFd};

use aya_sys::{
    Errno,
    socket::{self, SocketHook},
};

use crate::programs::{ProgramFd, SocketFilterError};

/// Puts the program on the socket, in the place of the one that is there.
pub(crate) fn attach(
    program: &ProgramFd,
    socket: BorrowedFd<'_>,
    hook: SocketHook,
) -> Result<(), SocketFilterError> {
    socket::attach_to_socket(socket, hook, program.as_fd())
        .map_err(|error| explain(hook.option(), error))
}

/// Takes the program, whichever it is, off the socket.
pub(crate) fn detach(socket: BorrowedFd<'_>, hook: SocketHook) -> Result<(), SocketFilterError> {
    socket::detach_from_socket(socket, hook)
        .map_err(|error| explain(hook.detaching_option(), error))
}

fn explain(option: &'static str, error: aya_sys::Error) -> SocketFilterError {
    let io_error = error.into();
    match error.errno {
        Errno::EPERM => SocketFilterError::Locked { option, io_error },
        Errno::ENOENT => SocketFilterError::NotAttached { option, io_error },
        Errno::ENOTSOCK => SocketFilterError::NotASocket { option, io_error },
        _ => SocketFilterError::SetsockoptError { option, io_error },
    }
}
