//! Kernel probes: programs that run when a function of the kernel is entered, reached at an offset, or
//! left.
//!
//! Since kernel 4.1. The event is opened directly since 4.17, and is a trace event before; its hold on
//! the program is a bpf_link since 5.15.
//!
//! ```no_run
//! use aya::{Ebpf, programs::KProbe};
//!
//! let mut ebpf = Ebpf::load_file("connections.o")?;
//! let program: &mut KProbe = ebpf.program_mut("connect").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach("tcp_connect", 0)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the process ends
//!
//! The kernel takes the program off, however the process ends. Only where the probe had to become a
//! trace event (before kernel 4.17, or without sysfs) a killed process leaves its name behind:
//! `aya/probe_…` in `/sys/kernel/tracing/kprobe_events`. It costs nothing, runs nothing, and goes as
//! soon as another process attaches a probe by this library.

use std::{
    error::Error,
    ffi::{CString, OsStr},
    fmt, io,
    path::PathBuf,
};

use crate::{
    attach::{
        perf::Target,
        probe::{Device, Probe, Refusal, attach_probe, everywhere},
    },
    links::{TypedLink, TypedLinkId},
    programs::{ProbeKind, ProgramError, kinds, probe::probe},
    resolve::{
        kallsyms::{self, Lookup},
        similar::did_you_mean,
    },
};

pub use super::KProbe;

/// The link of a [`KProbe`] program to a function; dropping it detaches the program.
pub type KProbeLink = TypedLink<kinds::KProbe>;

/// Names a [`KProbeLink`] among those of its program.
pub type KProbeLinkId = TypedLinkId<kinds::KProbe>;

probe!(KProbe);

impl KProbe {
    /// Attaches the program to the kernel's function `fn_name`.
    ///
    /// A program for entries runs `offset` bytes behind the function's first one, where an instruction
    /// must begin; one for returns takes no offset.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, there is no such function (the error names close ones), the
    /// kernel allows no probe there, or the process lacks a privilege.
    pub fn attach<T: AsRef<OsStr>>(
        &mut self,
        fn_name: T,
        offset: u64,
    ) -> Result<KProbeLinkId, ProgramError> {
        self.attach_with(fn_name.as_ref(), offset, None)
    }

    /// As [`attach`](Self::attach), with a value that tells this place from others: the program gets
    /// it from `bpf_get_attach_cookie`. Since kernel 5.15.
    ///
    /// # Errors
    ///
    /// As there, and [`ProgramError::AttachCookieNotSupported`].
    pub fn attach_with_cookie<T: AsRef<OsStr>>(
        &mut self,
        fn_name: T,
        offset: u64,
        cookie: u64,
    ) -> Result<KProbeLinkId, ProgramError> {
        self.attach_with(fn_name.as_ref(), offset, Some(cookie))
    }

    fn attach_with(
        &mut self,
        function: &OsStr,
        offset: u64,
        cookie: Option<u64>,
    ) -> Result<KProbeLinkId, ProgramError> {
        let name = function.to_string_lossy();
        let place = Place {
            program: self.name(),
            function: &name,
            offset,
            kind: self.kind(),
        };
        place.check()?;
        let event = format!("kernel function `{name}`");
        let target = Target {
            program: self.name(),
            event: &event,
        };
        let probe = Probe {
            device: Device::Kprobe,
            returns: place.kind == ProbeKind::Return,
            place: CString::new(function.as_encoded_bytes()).map_err(|_| {
                ProgramError::InvalidName {
                    name: name.clone().into_owned(),
                }
            })?,
            offset,
            scope: everywhere(),
        };
        let attachment = attach_probe(&self.features(), self.fd()?, target, &probe, cookie)
            .map_err(|refusal| match refusal {
                Refusal::Other(error) => error,
                Refusal::Place(error) => place.explain(error).into(),
            })?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }
}

/// Where a probe is wanted.
struct Place<'a> {
    program: &'a str,
    function: &'a str,
    offset: u64,
    kind: ProbeKind,
}

impl Place<'_> {
    /// What the kernel does not check: behind the end of a function it probes the next one.
    fn check(&self) -> Result<(), KProbeError> {
        if self.offset == 0 {
            return Ok(());
        }
        let (name, function) = (self.program.to_owned(), self.function.to_owned());
        let offset = self.offset;
        if self.kind == ProbeKind::Return {
            return Err(KProbeError::OffsetOfReturn { name, function });
        }
        match kallsyms::function(self.function) {
            Ok(Lookup::One { size: Some(size) }) if offset >= size => {
                Err(KProbeError::OffsetOutside {
                    name,
                    function,
                    offset,
                    size,
                })
            }
            _ => Ok(()),
        }
    }

    /// Why the kernel takes no probe here.
    fn explain(&self, io_error: io::Error) -> KProbeError {
        let (name, function) = (self.program.to_owned(), self.function.to_owned());
        match kallsyms::function(self.function) {
            Ok(Lookup::None { similar }) => KProbeError::UnknownFunction {
                name,
                function,
                similar,
            },
            Ok(Lookup::Several) => KProbeError::AmbiguousFunction { name, function },
            Err(io_error) => KProbeError::FileError {
                filename: kallsyms::PATH.into(),
                io_error,
            },
            Ok(Lookup::One { .. }) => KProbeError::NotProbeable {
                name,
                function,
                offset: self.offset,
                io_error,
            },
        }
    }
}

/// Why a program could not be attached to a function of the kernel.
#[derive(Debug)]
#[non_exhaustive]
pub enum KProbeError {
    /// A file that the kernel offers for probes could not be used.
    FileError {
        /// The file.
        filename: PathBuf,
        /// Why.
        io_error: io::Error,
    },
    /// The kernel has no function of this name.
    UnknownFunction {
        /// The program's name.
        name: String,
        /// The function.
        function: String,
        /// Functions with names that are close.
        similar: Vec<String>,
    },
    /// The kernel has several functions of this name.
    AmbiguousFunction {
        /// The program's name.
        name: String,
        /// The function.
        function: String,
    },
    /// The offset is behind the function's end.
    OffsetOutside {
        /// The program's name.
        name: String,
        /// The function.
        function: String,
        /// The offset.
        offset: u64,
        /// The function's size, in bytes.
        size: u64,
    },
    /// A program for returns was given an offset.
    OffsetOfReturn {
        /// The program's name.
        name: String,
        /// The function.
        function: String,
    },
    /// The kernel allows no probe at this place.
    NotProbeable {
        /// The program's name.
        name: String,
        /// The function.
        function: String,
        /// Behind its first byte.
        offset: u64,
        /// What the kernel said.
        io_error: io::Error,
    },
}

impl fmt::Display for KProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileError { filename, .. } => write!(
                f,
                "{}: could not be used for probes: check that it is mounted, and your rights",
                filename.display()
            ),
            Self::UnknownFunction {
                name,
                function,
                similar,
            } => write!(
                f,
                "program `{name}`: the kernel has no function `{function}`: /proc/kallsyms lists \
                 those it has, inlined ones are not among them{}",
                did_you_mean(similar)
            ),
            Self::AmbiguousFunction { name, function } => write!(
                f,
                "program `{name}`: the kernel has several functions `{function}`: choose one that \
                 calls them, or is called"
            ),
            Self::OffsetOutside {
                name,
                function,
                offset,
                size,
            } => write!(
                f,
                "program `{name}`: offset {offset} is outside of the kernel function `{function}`: \
                 it has {size} bytes"
            ),
            Self::OffsetOfReturn { name, function } => write!(
                f,
                "program `{name}`: the return of `{function}` has no offset: pass 0, or make it a \
                 `#[kprobe]`"
            ),
            Self::NotProbeable {
                name,
                function,
                offset: 0,
                ..
            } => write!(
                f,
                "program `{name}`: the kernel allows no probe on its function `{function}`: choose \
                 one that /sys/kernel/debug/kprobes/blacklist does not list"
            ),
            Self::NotProbeable {
                name,
                function,
                offset,
                ..
            } => write!(
                f,
                "program `{name}`: the kernel allows no probe at `{function}+{offset}`: choose an \
                 offset at which an instruction begins"
            ),
        }
    }
}

impl Error for KProbeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::FileError { io_error, .. } | Self::NotProbeable { io_error, .. } => {
                Some(io_error)
            }
            Self::UnknownFunction { .. }
            | Self::AmbiguousFunction { .. }
            | Self::OffsetOutside { .. }
            | Self::OffsetOfReturn { .. } => None,
        }
    }
}
