//! Network interfaces by rtnetlink: their names, and what kernels without bpf_links attach to them.
//!
//! | file | what |
//! | --- | --- |
//! | `message` | the bytes: messages and attributes |
//! | `xdp` | XDP programs, before kernel 5.9 |
//! | `tc` | traffic control programs, before kernel 6.6 |

use std::{
    ffi::CString,
    fmt,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{Mutex, PoisonError},
};

use aya_uapi::bindings::{NETLINK_EXT_ACK, NLMSG_DONE, NLMSG_ERROR};

use self::message::{Message, Request, messages};
use crate::{Errno, Error, Result, call};

mod message;
mod tc;
mod xdp;

pub use tc::{Filter, FilterInfo, FilterPlace};
pub use xdp::XdpPrograms;

/// More than the kernel puts into one datagram.
const DATAGRAM: usize = 64 << 10;

/// The index of the interface with this name in the network namespace of this thread; `ENODEV` if there
/// is none.
pub fn interface_index(name: &str) -> Result<u32> {
    const CALL: &str = "if_nametoindex";
    // Some C libraries cut longer names, and would find another interface.
    if name.len() >= libc::IFNAMSIZ {
        return Err(Error::new(CALL, Errno::ENODEV));
    }
    let name = CString::new(name).map_err(|_| Error::new(CALL, Errno::ENODEV))?;
    // SAFETY: the name ends with a zero byte.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Error::last(CALL)),
        index => Ok(index),
    }
}

/// The name of the interface with this index in the network namespace of this thread; `None` if there is
/// none.
pub fn interface_name(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IFNAMSIZ];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    let name = std::ffi::CStr::from_bytes_until_nul(&name).ok()?;
    (!found.is_null()).then(|| name.to_string_lossy().into_owned())
}

/// A request that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The request and the error number.
    pub error: Error,
    /// Why, in the kernel's own words, where it has some. Since kernel 4.12.
    pub words: Option<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, words: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match &self.words {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// A socket for requests about the network namespace that the thread was in when it was opened,
/// wherever the thread or the socket goes later.
#[derive(Debug)]
pub struct Route {
    socket: OwnedFd,
    /// The number of the last request; held while one is being answered.
    sequence: Mutex<u32>,
}

impl Route {
    /// Opens a socket. Needs no privilege; most requests do.
    pub fn open() -> Result<Self> {
        // SAFETY: no addresses.
        let fd = unsafe {
            libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                libc::NETLINK_ROUTE,
            )
        };
        let fd = call::check("socket(AF_NETLINK)", fd)?;
        // SAFETY: just made.
        let socket = unsafe { call::owned(fd) };
        let on: libc::c_int = 1;
        // SAFETY: the address of an int, with its size. Without the option (before 4.12) the kernel
        // refuses without words.
        let _ = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_NETLINK,
                NETLINK_EXT_ACK as libc::c_int,
                std::ptr::from_ref(&on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        Ok(Self {
            socket,
            sequence: Mutex::new(0),
        })
    }

    /// Sends a request and returns what is answered before the kernel's consent or the end of the
    /// list. The request asks for one of both, by `NLM_F_ACK` or `NLM_F_DUMP`.
    fn exchange(&self, call: &'static str, request: Request) -> Result<Vec<Message>, Refusal> {
        let mut last = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.wrapping_add(1);
        let sequence = *last;
        let request = request.finish(sequence);
        #[cfg(any(test, feature = "fake"))]
        if let Some(answer) = crate::fake::intercept_message(call, &request) {
            return answer
                .map(|()| Vec::new())
                .map_err(|(errno, words)| Refusal {
                    error: Error::new(call, errno),
                    words,
                });
        }
        let socket = self.socket.as_raw_fd();
        // SAFETY: the request is valid for reading over its length.
        uninterrupted(call, || unsafe {
            libc::send(socket, request.as_ptr().cast(), request.len(), 0)
        })?;
        let mut datagram = vec![0u8; DATAGRAM];
        let mut answers = Vec::new();
        loop {
            // SAFETY: the buffer is valid for writing over its length.
            let len = uninterrupted(call, || unsafe {
                libc::recv(socket, datagram.as_mut_ptr().cast(), datagram.len(), 0)
            })?;
            let received = messages(datagram.get(..len).unwrap_or_default());
            // What answers an older request, whose answer was given up, is passed over.
            for message in received.filter(|message| message.sequence == sequence) {
                if ![NLMSG_ERROR, NLMSG_DONE].contains(&message.kind) {
                    answers.push(message);
                    continue;
                }
                return match message.verdict() {
                    Some((0, _)) => Ok(answers),
                    Some((errno, words)) => Err(Refusal {
                        error: Error::new(call, Errno(errno)),
                        words,
                    }),
                    None => Err(Error::new(call, Errno::EINVAL).into()),
                };
            }
        }
    }
}

/// The number of bytes that a call moved, which is repeated when a signal interrupts it.
fn uninterrupted(call: &'static str, mut transfer: impl FnMut() -> libc::ssize_t) -> Result<usize> {
    loop {
        match usize::try_from(transfer()) {
            Ok(len) => return Ok(len),
            Err(_) => match Error::last(call) {
                error if error.errno == Errno::EINTR => {}
                error => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_interfaces() {
        let error = interface_index("no-such-if0").unwrap_err();
        assert_eq!(error, Error::new("if_nametoindex", Errno::ENODEV));
        assert_eq!(interface_name(0), None);
        // The loopback interface is the first of every network namespace.
        assert_eq!(interface_name(1).as_deref(), Some("lo"));
        assert_eq!(interface_index("lo"), Ok(1));
        let long = interface_index("no-such-interface").unwrap_err();
        assert_eq!(long.errno, Errno::ENODEV);
        assert_eq!(interface_index("a\0b").unwrap_err().errno, Errno::ENODEV);
    }
}
