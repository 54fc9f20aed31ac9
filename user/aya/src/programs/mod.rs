//! Programs: typed handles, one per group of rows of the program table.
//!
//! [`Program`] is what an object holds; converting it to the handle of its type gives what can be
//! done with it:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut ebpf = aya::Ebpf::load_file("x.o")?;
//! use aya::programs::Xdp;
//! let program: &mut Xdp = ebpf.program_mut("firewall").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! # Ok(())
//! # }
//! ```
//!
//! The life of a program is loaded → attached → detached → given up; see
//! [`TypedProgram`] for the steps and who owns what.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use aya_uapi::ProgType;

pub mod cgroup;
pub mod cgroup_device;
pub mod cgroup_skb;
pub mod cgroup_sock;
pub mod cgroup_sock_addr;
pub mod cgroup_sockopt;
pub mod cgroup_sysctl;
mod error;
pub mod fentry;
pub mod fexit;
mod fields;
pub(crate) mod info;
mod kind;
pub mod kprobe;
pub(crate) mod load;
pub(crate) mod log_texts;
pub mod lsm;
pub mod perf_event;
mod probe;
mod program_type;
pub mod raw_trace_point;
pub mod sk_msg;
pub mod sk_reuseport;
pub mod sk_skb;
mod sock_map;
pub mod sock_ops;
pub mod socket_filter;
pub mod tc;
mod test_run;
pub mod tp_btf;
pub mod trace_point;
mod tracing;
pub mod uprobe;
pub mod xdp;

#[expect(deprecated, reason = "the older spelling is kept working")]
pub use self::xdp::XdpFlags;
pub use self::{
    cgroup::{CgroupAttachMode, CgroupError},
    cgroup_skb::CgroupSkbAttachType,
    cgroup_sock::CgroupSockAttachType,
    cgroup_sock_addr::CgroupSockAddrAttachType,
    cgroup_sockopt::CgroupSockoptAttachType,
    error::ProgramError,
    info::{ProgramInfo, loaded_links, loaded_programs},
    kind::{HasLinks, Kind, LoadsAlone, OpensAlone, TypedProgram},
    kprobe::KProbeError,
    probe::ProbeKind,
    program_type::{LsmAttachType, ProgramType},
    raw_trace_point::{RawTracePointRunOptions, RawTracePointTestRunResult},
    sk_reuseport::{SkReuseportAttachType, SkReuseportError},
    sk_skb::SkSkbKind,
    sock_map::SockMapError,
    socket_filter::SocketFilterError,
    tc::{TcAttachType, TcError, TcHandle},
    test_run::{TestRun, TestRunAttrs, TestRunOptions, TestRunResult},
    trace_point::TracePointError,
    tracing::TracingError,
    uprobe::UProbeError,
    xdp::{XdpAttachOptions, XdpAttachType, XdpError, XdpMode},
};
pub use crate::links::{self, LinkOrder, MultiProgLink, MultiProgram};

use self::load::Source;
use crate::pin::PinError;

/// The descriptor of a loaded program.
///
/// The program stays loaded as long as a descriptor, a link, a pin or a map refers to it.
#[derive(Debug)]
pub struct ProgramFd(OwnedFd);

impl ProgramFd {
    /// A second descriptor of the same program.
    ///
    /// # Errors
    ///
    /// When the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for ProgramFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for ProgramFd {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

/// The number that names a loaded program until it is freed, as [`ProgramInfo::id`] says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProgramId(pub(crate) u32);

impl ProgramId {
    /// The program with this number, whoever loaded it.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }
}

/// The one dispatch over the handles.
macro_rules! each_handle {
    ($value:expr, $program:pat => $body:expr, [$($handle:ident)*]) => {
        match $value { $(Program::$handle($program) => $body,)* }
    };
}

/// Which kinds load without arguments follows from how they are attached.
macro_rules! loads_alone {
    (Tracing $handle:ident) => {};
    (Extension $handle:ident) => {};
    (Iter $handle:ident) => {};
    (Cgroup LsmCgroup) => {};
    ($via:ident $handle:ident) => {
        impl LoadsAlone for kinds::$handle {}
    };
}

/// What sockets hold has no links.
macro_rules! has_links {
    (Socket $handle:ident) => {};
    (Reuseport $handle:ident) => {};
    ($via:ident $handle:ident) => {
        impl HasLinks for kinds::$handle {}
    };
}

/// Kinds whose pinned programs say all that their handles need.
macro_rules! open_alone {
    ($($handle:ident)*) => { $(impl OpensAlone for kinds::$handle {})* };
}

macro_rules! programs {
    ($($handle:ident: $prog_type:ident {
        $(#[$doc:meta])*
        $first:ident { since: $since:tt, context: $context:ident, attach: $via:ident, $($row:tt)* }
        $($rows:tt)*
    })*) => {
        /// The parameters of [`TypedProgram`]: one per handle of the program table.
        pub mod kinds {
            $(
                #[doc = concat!("Programs of type `", stringify!($prog_type), "`.")]
                #[derive(Debug)]
                pub enum $handle {}

                impl super::Kind for $handle {
                    const HANDLE: &'static str = stringify!($handle);
                    const PROG_TYPE: aya_uapi::ProgType = aya_uapi::ProgType::$prog_type;
                }
            )*
        }

        /// The handles, under the names that the table gives them.
        pub mod handles {
            use super::{TypedProgram, kinds};

            $(
                #[doc = concat!("A program of type `", stringify!($prog_type), "`.")]
                ///
                /// Where there is no way to attach it here, loading it is a
                /// [`NotSupportedYet`](super::ProgramError::NotSupportedYet) error.
                pub type $handle = TypedProgram<kinds::$handle>;
            )*
        }

        /// A program of an object, of whatever type.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Program {
            $(
                #[doc = concat!("Of type `", stringify!($prog_type), "`.")]
                $handle(TypedProgram<kinds::$handle>),
            )*
        }

        impl Program {
            /// The program of an object; `None` when no handle of the table has this row.
            pub(crate) fn new(name: String, source: Source) -> Option<Self> {
                Some(match source.spec().def.handle {
                    $(stringify!($handle) => {
                        Self::$handle(TypedProgram::from_source(name, source))
                    })*
                    _ => return None,
                })
            }

            /// The program's type.
            pub const fn prog_type(&self) -> ProgramType {
                match self {
                    $(Self::$handle(_) => ProgramType::of(ProgType::$prog_type),)*
                }
            }

            /// The program's descriptor.
            ///
            /// # Errors
            ///
            /// [`ProgramError::NotLoaded`].
            pub fn fd(&self) -> Result<&ProgramFd, ProgramError> {
                each_handle!(self, program => program.fd(), [$($handle)*])
            }

            /// What the kernel knows about the program.
            ///
            /// # Errors
            ///
            /// [`ProgramError::NotLoaded`], or the kernel's refusal.
            pub fn info(&self) -> Result<ProgramInfo, ProgramError> {
                each_handle!(self, program => program.info(), [$($handle)*])
            }

            /// Pins the program, see [`TypedProgram::pin`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn pin<P: AsRef<Path>>(&mut self, path: P) -> Result<(), PinError> {
                each_handle!(self, program => program.pin(path), [$($handle)*])
            }

            /// Gives the program up, see [`TypedProgram::unload`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn unload(self) -> Result<(), ProgramError> {
                each_handle!(self, mut program => program.unload(), [$($handle)*])
            }
        }

        $(loads_alone!($via $handle);)*
        $(has_links!($via $handle);)*

        $(
            impl<'a> TryFrom<&'a Program> for &'a TypedProgram<kinds::$handle> {
                type Error = ProgramError;

                fn try_from(program: &'a Program) -> Result<Self, ProgramError> {
                    match program {
                        Program::$handle(program) => Ok(program),
                        _ => Err(ProgramError::UnexpectedProgramType),
                    }
                }
            }

            impl<'a> TryFrom<&'a mut Program> for &'a mut TypedProgram<kinds::$handle> {
                type Error = ProgramError;

                fn try_from(program: &'a mut Program) -> Result<Self, ProgramError> {
                    match program {
                        Program::$handle(program) => Ok(program),
                        _ => Err(ProgramError::UnexpectedProgramType),
                    }
                }
            }
        )*
    };
}

aya_uapi::for_each_program!(programs);

open_alone! {
    BtfTracePoint CgroupDevice CgroupSysctl Extension FEntry FExit FlowDissector Iter LircMode2 Lsm
    LsmCgroup PerfEvent RawTracePoint ReusePortSocketFilter SchedClassifier SkLookup SkMsg SockOps
    SocketFilter TracePoint
}

pub use self::handles::*;
