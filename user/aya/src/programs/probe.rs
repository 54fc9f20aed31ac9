//! What kernel and user probes have in common: they wait for the entry or the return of a function.

use std::path::Path;

use aya_uapi::programs::{PROGRAMS, ProgramDef};

use crate::programs::{Kind, ProgramError, ProgramInfo, TypedProgram};

/// Where in a function a probe's program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// Before its first instruction, or at an offset behind it: `#[kprobe]`, `#[uprobe]`.
    Entry,
    /// After it has returned: `#[kretprobe]`, `#[uretprobe]`.
    Return,
}

impl ProbeKind {
    /// The kind of a row's programs: rows of both stand together in the table.
    fn of(def: &ProgramDef) -> Self {
        match def.context {
            "RetProbeContext" => Self::Return,
            _ => Self::Entry,
        }
    }
}

impl<K: Kind> TypedProgram<K> {
    pub(super) fn probe_kind(&self) -> ProbeKind {
        self.def().map_or(ProbeKind::Entry, ProbeKind::of)
    }

    /// The program as one of `kind`, which the kernel does not tell.
    fn of_kind(self, kind: ProbeKind) -> Self {
        let mut rows = PROGRAMS.iter().filter(|def| def.handle == K::HANDLE);
        match rows.find(|def| ProbeKind::of(def) == kind) {
            Some(def) => self.of_row(def),
            None => self,
        }
    }

    pub(super) fn probe_from_pin(path: &Path, kind: ProbeKind) -> Result<Self, ProgramError> {
        Ok(Self::open_pin(path)?.of_kind(kind))
    }

    pub(super) fn probe_from_info(
        info: &ProgramInfo,
        name: std::borrow::Cow<'static, str>,
        kind: ProbeKind,
    ) -> Result<Self, ProgramError> {
        Ok(Self::open_info(info, name)?.of_kind(kind))
    }
}

/// What a handle for probes has beside `attach`.
macro_rules! probe {
    ($handle:ident) => {
        impl $handle {
            /// Whether the program runs at the entry or at the return of functions.
            pub fn kind(&self) -> $crate::programs::ProbeKind {
                self.probe_kind()
            }

            /// A handle for the program pinned at `path`, which is one of `kind`: the kernel does not
            /// tell. Since kernel 4.4.
            ///
            /// # Errors
            ///
            /// When there is no program of this type at the path, or the process may not open it.
            pub fn from_pin<P: AsRef<std::path::Path>>(
                path: P,
                kind: $crate::programs::ProbeKind,
            ) -> Result<Self, $crate::programs::ProgramError> {
                Self::probe_from_pin(path.as_ref(), kind)
            }

            /// A handle for a program that is loaded already and is one of `kind`.
            ///
            /// # Errors
            ///
            /// [`UnexpectedProgramType`](crate::programs::ProgramError::UnexpectedProgramType), or when
            /// the program is gone.
            pub fn from_program_info(
                info: $crate::programs::ProgramInfo,
                name: std::borrow::Cow<'static, str>,
                kind: $crate::programs::ProbeKind,
            ) -> Result<Self, $crate::programs::ProgramError> {
                Self::probe_from_info(&info, name, kind)
            }
        }
    };
}
pub(super) use probe;
