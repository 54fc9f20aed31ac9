//! Programs on sockets, by setsockopt(2).

use std::os::fd::{AsRawFd as _, BorrowedFd};

use crate::{Result, call};

/// Where on a socket a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketHook {
    /// On each packet that the socket receives. Since kernel 3.19.
    Filter,
    /// On the first packet of a flow, to choose among the sockets that share a port. Since kernel 4.5.
    Reuseport,
}

impl SocketHook {
    /// The option that attaches, as users know it.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Filter => "SO_ATTACH_BPF",
            Self::Reuseport => "SO_ATTACH_REUSEPORT_EBPF",
        }
    }

    /// The option that detaches.
    pub const fn detaching_option(self) -> &'static str {
        match self {
            Self::Filter => "SO_DETACH_BPF",
            Self::Reuseport => "SO_DETACH_REUSEPORT_BPF",
        }
    }
}

/// Attaches a program in the place of the one that is there. `EPERM` if the socket's filter is locked
/// (`SO_LOCK_FILTER`), `EINVAL` if the program is of another type.
pub fn attach_to_socket(
    socket: BorrowedFd<'_>,
    hook: SocketHook,
    program: BorrowedFd<'_>,
) -> Result<()> {
    let (call, option) = match hook {
        SocketHook::Filter => ("setsockopt(SO_ATTACH_BPF)", libc::SO_ATTACH_BPF),
        SocketHook::Reuseport => (
            "setsockopt(SO_ATTACH_REUSEPORT_EBPF)",
            libc::SO_ATTACH_REUSEPORT_EBPF,
        ),
    };
    set(call, socket, option, program.as_raw_fd())
}

/// Takes the program off. `ENOENT` if there is none.
///
/// From the group of sockets that share a port since kernel 5.2.
pub fn detach_from_socket(socket: BorrowedFd<'_>, hook: SocketHook) -> Result<()> {
    let (call, option) = match hook {
        SocketHook::Filter => ("setsockopt(SO_DETACH_BPF)", libc::SO_DETACH_BPF),
        SocketHook::Reuseport => (
            "setsockopt(SO_DETACH_REUSEPORT_BPF)",
            libc::SO_DETACH_REUSEPORT_BPF,
        ),
    };
    // The kernel wants a number, and does not look at it.
    set(call, socket, option, 0)
}

/// Keeps the socket's filter as it is for as long as the socket lives (`SO_LOCK_FILTER`). Since
/// kernel 3.9.
pub fn lock_filter(socket: BorrowedFd<'_>) -> Result<()> {
    let call = "setsockopt(SO_LOCK_FILTER)";
    set(call, socket, libc::SO_LOCK_FILTER, 1)
}

fn set(
    call: &'static str,
    socket: BorrowedFd<'_>,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<()> {
    // SAFETY: the address of an int, with its size; the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    call::check(call, result).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, net::UdpSocket, os::fd::AsFd as _};

    use super::*;
    use crate::Errno;

    #[test]
    fn says_what_is_wrong() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let nothing = detach_from_socket(socket.as_fd(), SocketHook::Filter).unwrap_err();
        assert_eq!(nothing.errno, Errno::ENOENT);
        assert_eq!(nothing.call, "setsockopt(SO_DETACH_BPF)");
        lock_filter(socket.as_fd()).unwrap();
        let locked = detach_from_socket(socket.as_fd(), SocketHook::Filter).unwrap_err();
        assert_eq!(locked.errno, Errno::EPERM);
        let file = File::open("/dev/null").unwrap();
        let error = attach_to_socket(file.as_fd(), SocketHook::Filter, socket.as_fd());
        assert_eq!(error.unwrap_err().errno, Errno::ENOTSOCK);
        for hook in [SocketHook::Filter, SocketHook::Reuseport] {
            let error = attach_to_socket(socket.as_fd(), hook, file.as_fd()).unwrap_err();
            assert!(error.call.contains(hook.option()), "{error}");
        }
    }
}
