//! What programs on cgroups have in common: how several get along, and what can go wrong.
//!
//! A program on a cgroup (version 2) sees what the processes in it do, and those in the cgroups
//! below it. Since kernel 4.10; bpf_link since 5.7, on older kernels attached by
//! `BPF_PROG_ATTACH`.
//!
//! # When the process ends
//!
//! With bpf_link the kernel takes the program off the cgroup when the process ends, however it
//! ends. Attached without (on kernels before 5.7, and in the mode
//! [`AllowOverride`](CgroupAttachMode::AllowOverride)) it stays on the cgroup when the process is
//! killed, until the cgroup is removed or `bpftool cgroup detach` takes it off.

use std::{error::Error, fmt, os::fd::AsFd};

use aya_uapi::AttachType;

use crate::{
    attach,
    links::{TypedLink, TypedLinkId},
    programs::{Kind, ProgramError, TypedProgram},
    sys::SyscallError,
};

/// How a program on a cgroup gets along with others at the same hook.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CgroupAttachMode {
    /// The one program of this cgroup.
    ///
    /// With bpf_link (since kernel 5.7) the same as [`AllowMultiple`](Self::AllowMultiple): links
    /// always admit others. On older kernels the only program of the cgroup and of all below it:
    /// who attaches another there is refused.
    #[default]
    Single,
    /// The program of this cgroup and of those below it that have none of their own: where a
    /// cgroup below has one, this one does not run.
    ///
    /// Always attached without bpf_link, since links do not override each other.
    AllowOverride,
    /// One of several: all programs of the cgroup run, then all of its parent's, and so on. What
    /// they decide is combined: what one forbids is forbidden. Since kernel 4.15.
    AllowMultiple,
}

impl<K: Kind> TypedProgram<K> {
    pub(crate) fn attach_to_cgroup<T: AsFd>(
        &mut self,
        cgroup: T,
        attach_type: AttachType,
        mode: CgroupAttachMode,
    ) -> Result<TypedLinkId<K>, ProgramError> {
        let target = attach::cgroup::Target {
            program: self.name(),
            cgroup: cgroup.as_fd(),
            attach_type,
        };
        let attachment = attach::cgroup::attach(&self.features(), self.fd()?, &target, mode)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }

    /// What the program is loaded for; every section of kinds that ask says it.
    pub(crate) fn known_attach_type(&self) -> Result<AttachType, ProgramError> {
        self.attach_type()
            .ok_or(ProgramError::UnexpectedProgramType)
    }
}

/// The links of a kind, and putting one program in another's place.
macro_rules! links {
    ($handle:ident, $link:ident, $id:ident, $hook:literal) => {
        #[doc = concat!("The link of a [`", stringify!($handle), "`] program to ", $hook, "; dropping it detaches the program.")]
        pub type $link = $crate::links::TypedLink<$crate::programs::kinds::$handle>;

        #[doc = concat!("Names a [`", stringify!($link), "`] among those of its program.")]
        pub type $id = $crate::links::TypedLinkId<$crate::programs::kinds::$handle>;

        impl $handle {
            /// Puts this program in the place of the one that `link` holds, without a gap. The link
            /// is this program's from then on.
            ///
            /// # Errors
            ///
            /// When the program is not loaded, or the kernel refuses. The link's program is
            /// detached then.
            pub fn attach_to_link(&mut self, link: $link) -> Result<$id, $crate::programs::ProgramError> {
                let mut attachment = link.into_attachment();
                attachment.replace(self.fd()?)?;
                Ok(self.links.insert($crate::links::TypedLink::new(attachment)))
            }
        }
    };
}
pub(crate) use links;

/// The attach types of a kind, as users name them.
macro_rules! attach_types {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $attach_type:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            pub(crate) const fn kernel(self) -> aya_uapi::AttachType {
                match self {
                    $(Self::$variant => aya_uapi::AttachType::$attach_type,)*
                }
            }
        }
    };
}
pub(crate) use attach_types;

/// Opening programs whose handles must be told what they were loaded for.
macro_rules! opens_with {
    ($handle:ident, $attach_type:ident) => {
        impl $handle {
            /// Opens the program pinned at `path`, which was loaded for `attach_type`: the kernel
            /// does not tell. Since kernel 4.4.
            ///
            /// # Errors
            ///
            /// When there is no program of this type at the path, or the process may not open it.
            pub fn from_pin<P: AsRef<std::path::Path>>(
                path: P,
                attach_type: $attach_type,
            ) -> Result<Self, $crate::programs::ProgramError> {
                let program = Self::open_pin(path.as_ref())?;
                Ok(program.loaded_for(Some(attach_type.kernel())))
            }

            /// A handle for a program that is loaded already, for `attach_type`.
            ///
            /// # Errors
            ///
            /// When the program is of another type, or is gone.
            pub fn from_program_info(
                info: $crate::programs::ProgramInfo,
                name: std::borrow::Cow<'static, str>,
                attach_type: $attach_type,
            ) -> Result<Self, $crate::programs::ProgramError> {
                let program = Self::open_info(&info, name)?;
                Ok(program.loaded_for(Some(attach_type.kernel())))
            }
        }
    };
}
pub(crate) use opens_with;

/// Why a program could not be attached to a cgroup.
#[derive(Debug)]
#[non_exhaustive]
pub enum CgroupError {
    /// The descriptor is not that of a folder in a cgroup2 file system, or the cgroup was removed.
    NotACgroup {
        /// The program's name.
        name: String,
        /// What the descriptor stands for.
        path: String,
        /// What the kernel said.
        source: SyscallError,
    },
    /// The cgroup, or one above it, has a program that admits no other.
    Busy {
        /// The program's name.
        name: String,
        /// The cgroup.
        cgroup: String,
        /// What the kernel said, if it was not asked only.
        source: Option<SyscallError>,
    },
    /// The kernel does not take the program, for a reason of its own.
    Refused {
        /// The program's name.
        name: String,
        /// The cgroup.
        cgroup: String,
        /// The hook asked for.
        attach_type: AttachType,
        /// What the kernel said.
        source: SyscallError,
    },
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACgroup { name, path, .. } => write!(
                f,
                "program `{name}`: `{path}` is no cgroup of version 2: open a folder of the file \
                 system that `mount -t cgroup2` shows"
            ),
            Self::Busy { name, cgroup, .. } => write!(
                f,
                "program `{name}`: cgroup `{cgroup}`, or one above it, has a program that admits \
                 no other: detach that one (`bpftool cgroup tree` lists them), or attach both with \
                 `CgroupAttachMode::AllowMultiple`"
            ),
            Self::Refused {
                name,
                cgroup,
                attach_type,
                ..
            } => write!(
                f,
                "program `{name}`: cgroup `{cgroup}` refused it for `{attach_type}`: check that \
                 its section is for this hook, and that the kernel has the hook"
            ),
        }
    }
}

impl Error for CgroupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotACgroup { source, .. } | Self::Refused { source, .. } => Some(source),
            Self::Busy { source, .. } => source.as_ref().map(|error| error as _),
        }
    }
}
