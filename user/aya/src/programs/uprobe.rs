//! User probes: programs that run when a function of an executable or library is entered, reached at an
//! offset, or left.
//!
//! Since kernel 4.1. The event is opened directly since 4.17, and is a trace event before; its hold on
//! the program is a bpf_link since 5.15.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{UProbe, uprobe::UProbeScope}};
//!
//! let mut ebpf = Ebpf::load_file("names.o")?;
//! let program: &mut UProbe = ebpf.program_mut("lookup").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach(["getaddrinfo"], "libc", UProbeScope::AllProcesses)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which file
//!
//! The kernel probes files, whichever process maps them. A path is taken as it is. A name without a
//! slash, such as `libc`, is looked up among the files that the process of the scope has mapped, then in
//! the dynamic linker's cache, then in `PATH`.
//!
//! # When the process ends
//!
//! As with [kernel probes](super::kprobe#when-the-process-ends); the list of names is
//! `/sys/kernel/tracing/uprobe_events` here.

use std::{
    ffi::CString,
    num::NonZeroU32,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process,
};

use aya_sys::perf::Scope;

use crate::{
    attach::{
        perf::Target,
        probe::{Device, Probe, Refusal, attach_probe, everywhere},
    },
    links::{Attachment, FdLink, TypedLink, TypedLinkId},
    programs::{ProbeKind, ProgramError, kinds, probe::probe},
    resolve::{
        elf::{self, SymbolError},
        file::{self, FileError},
    },
};

mod error;
mod location;

pub use self::{
    error::UProbeError,
    location::{UProbeAttachLocation, UProbeAttachLocationError, UProbeAttachPoint},
};
pub use super::UProbe;
pub use crate::resolve::proc_maps::ProcMapError;

/// The link of a [`UProbe`] program to functions of a file; dropping it detaches the program.
pub type UProbeLink = TypedLink<kinds::UProbe>;

/// Names a [`UProbeLink`] among those of its program.
pub type UProbeLinkId = TypedLinkId<kinds::UProbe>;

/// Whose calls are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UProbeScope {
    /// Those of all processes, now and later.
    AllProcesses,
    /// Those of this process.
    CallingProcess,
    /// Those of the process with this id.
    OneProcess(NonZeroU32),
}

impl UProbeScope {
    fn pid(self) -> Option<u32> {
        match self {
            Self::AllProcesses => None,
            Self::CallingProcess => Some(process::id()),
            Self::OneProcess(pid) => Some(pid.get()),
        }
    }

    fn of_event(self) -> Scope {
        // The kernel finds the process by one of its threads, as long as that one lives: not by the one
        // that attaches, which may end before the others.
        self.pid().map_or_else(everywhere, Scope::Process)
    }
}

probe!(UProbe);

impl UProbe {
    /// Attaches the program to points of the file `target`: functions by name, places behind their
    /// beginning, or offsets in the file; each may have a cookie. All are held by one link.
    ///
    /// However many points there are, the file is read once.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, there is no such file or symbol (the error names close ones),
    /// the kernel refuses a point, or the process lacks a privilege. Nothing stays attached then.
    pub fn attach<'a, T, I>(
        &mut self,
        points: I,
        target: T,
        scope: UProbeScope,
    ) -> Result<UProbeLinkId, ProgramError>
    where
        T: AsRef<Path>,
        I: IntoIterator,
        I::Item: Into<UProbeAttachPoint<'a>>,
    {
        let points: Vec<UProbeAttachPoint<'a>> = points.into_iter().map(Into::into).collect();
        let attachment = self.attach_points(&points, target.as_ref(), scope)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }

    fn attach_points(
        &self,
        points: &[UProbeAttachPoint<'_>],
        target: &Path,
        scope: UProbeScope,
    ) -> Result<Attachment, ProgramError> {
        let fd = self.fd()?;
        if points.is_empty() {
            let target = target.to_owned();
            return Err(UProbeError::EmptyPoints { target }.into());
        }
        let path = find(target, scope)?;
        let offsets = offsets(points, &path, self.kind())?;
        let place =
            CString::new(path.as_os_str().as_bytes()).map_err(|_| ProgramError::InvalidName {
                name: path.display().to_string(),
            })?;
        let mut probe = Probe {
            device: Device::Uprobe,
            returns: self.kind() == ProbeKind::Return,
            place,
            offset: 0,
            scope: scope.of_event(),
        };
        let mut attachments = Vec::new();
        for (index, (point, offset)) in points.iter().zip(offsets).enumerate() {
            probe.offset = offset;
            let event = format!("{} in {}", point.location, path.display());
            let target = Target {
                program: self.name(),
                event: &event,
            };
            let attached = attach_probe(&self.features(), fd, target, &probe, point.cookie);
            attachments.push(attached.map_err(|refusal| {
                let error = match refusal {
                    Refusal::Other(error) => error,
                    Refusal::Place(io_error) => UProbeError::Refused {
                        name: self.name().to_owned(),
                        event: event.clone(),
                        io_error,
                    }
                    .into(),
                };
                match points {
                    [_] => error,
                    _ => UProbeError::LegacyPerfAttachPointError {
                        index,
                        resolved_offset: offset,
                        attach_error: Box::new(error),
                    }
                    .into(),
                }
            })?);
        }
        Ok(Attachment::several(attachments))
    }
}

impl UProbeLink {
    /// The links of the points, one each, in their order: they can be pinned. Since kernel 5.15.
    ///
    /// # Errors
    ///
    /// The link itself, still attached, when the kernel has no bpf_link for probes.
    pub fn into_fd_links(self) -> Result<Vec<FdLink>, Self> {
        self.into_fds()
            .map(|fds| fds.into_iter().map(FdLink::new).collect())
    }
}

/// The file that is meant.
fn find(target: &Path, scope: UProbeScope) -> Result<PathBuf, UProbeError> {
    file::find(target, scope.pid()).map_err(|error| match error {
        FileError::Missing => UProbeError::InvalidTarget {
            path: target.to_owned(),
        },
        FileError::Map { pid, error: source } => UProbeError::ProcMap { pid, source },
        FileError::Cache(io_error) => UProbeError::FileError {
            filename: file::CACHE.into(),
            io_error,
        },
        FileError::InvalidCache => UProbeError::InvalidLdSoCache {
            io_error: std::io::ErrorKind::InvalidData.into(),
        },
    })
}

/// Where in the file the points are.
fn offsets(
    points: &[UProbeAttachPoint<'_>],
    path: &Path,
    kind: ProbeKind,
) -> Result<Vec<u64>, UProbeError> {
    let symbols = points.iter().filter_map(|point| point.location.symbol());
    let functions = if symbols.clone().next().is_some() {
        elf::functions(path, symbols).map_err(|io_error| UProbeError::FileError {
            filename: path.to_owned(),
            io_error,
        })?
    } else {
        // An offset needs no symbols, nor the right to read the file.
        <_>::default()
    };
    let offset = |location: &UProbeAttachLocation<'_>| {
        let (symbol, behind) = match *location {
            UProbeAttachLocation::AbsoluteOffset(offset) => return Ok(offset),
            UProbeAttachLocation::Symbol(symbol) => (symbol, 0),
            UProbeAttachLocation::SymbolOffset(symbol, behind) => (symbol, behind),
        };
        if behind != 0 && kind == ProbeKind::Return {
            let symbol = symbol.to_owned();
            return Err(UProbeError::OffsetOfReturn { symbol });
        }
        let place = match functions.get(symbol).cloned() {
            Some(Ok(function)) if function.size != 0 && behind >= function.size => {
                let (offset, size) = (behind, function.size);
                Err(SymbolError::Outside { offset, size })
            }
            Some(Ok(function)) => Ok(function.offset.wrapping_add(behind)),
            Some(Err(error)) => Err(error),
            // All names were asked for.
            None => Err(SymbolError::NotInFile {
                file: path.to_owned(),
            }),
        };
        place.map_err(|error| UProbeError::SymbolError {
            symbol: symbol.to_owned(),
            error: Box::new(error),
        })
    };
    points.iter().map(|point| offset(&point.location)).collect()
}
