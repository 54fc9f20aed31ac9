//! The one error of this crate.

use std::{fmt, io};

/// The result of a system call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A system call that failed.
///
/// ```
/// use aya_sys::{Errno, Error};
///
/// let error = Error { call: "bpf(BPF_MAP_CREATE)", errno: Errno::EPERM };
/// assert_eq!(error.to_string(), "bpf(BPF_MAP_CREATE) failed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The call, with the command where it has one: `bpf(BPF_PROG_LOAD)`.
    pub call: &'static str,
    /// Why.
    pub errno: Errno,
}

impl Error {
    /// The error of the last call of this thread.
    #[cold]
    pub(crate) fn last(call: &'static str) -> Self {
        Self {
            call,
            errno: Errno::last(),
        }
    }

    pub(crate) const fn new(call: &'static str, errno: Errno) -> Self {
        Self { call, errno }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.call)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.errno)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        error.errno.into()
    }
}

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Self = Self(libc::$name);)*

            /// The constant's name, for the numbers that have one here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(libc::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    /// Not permitted: a capability is missing, or locked memory is used up.
    EPERM,
    /// No such object.
    ENOENT,
    /// Too big: of an attribute, that this kernel does not know some of it.
    E2BIG,
    /// Not a descriptor, or of another kind.
    EBADF,
    /// Try again: of a program load, that a signal arrived.
    EAGAIN,
    /// Memory used up.
    ENOMEM,
    /// Access denied: of a program load, that the verifier refused the program.
    EACCES,
    /// Not memory of this process.
    EFAULT,
    /// Busy.
    EBUSY,
    /// There is one.
    EEXIST,
    /// No such device.
    ENODEV,
    /// Refused as it stands; also what an old kernel says to a new command.
    EINVAL,
    /// No space: a buffer is too small.
    ENOSPC,
    /// Interrupted by a signal.
    EINTR,
    /// The process has no descriptors left.
    EMFILE,
    /// No such system call.
    ENOSYS,
    /// Not supported by this object.
    EOPNOTSUPP,
    /// Out of range.
    ERANGE,
    /// More than there is room for.
    EOVERFLOW,
    /// Not a socket.
    ENOTSOCK,
    /// No such process.
    ESRCH,
    /// A path or name that is too long.
    ENAMETOOLONG,
}

/// What the kernel says to an operation that this kind of object lacks; it has no number in libc.
const ENOTSUPP: i32 = 524;

impl Errno {
    pub(crate) fn last() -> Self {
        Self(
            io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        )
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == ENOTSUPP {
            return f.write_str("operation not supported by this object (os error 524)");
        }
        io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl std::error::Error for Errno {}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn says_what_and_why_once() {
        let error = Error::new("bpf(BPF_MAP_CREATE)", Errno::EINVAL);
        assert_eq!(error.to_string(), "bpf(BPF_MAP_CREATE) failed");
        assert!(error.source().unwrap().to_string().contains("22"));
        assert_eq!(format!("{:?}", Errno(9999)), "Errno(9999)");
        assert!(Errno(ENOTSUPP).to_string().contains("not supported"));
        assert_eq!(io::Error::from(error).raw_os_error(), Some(libc::EINVAL));
    }
}
