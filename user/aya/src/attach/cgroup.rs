//! Cgroups: by bpf_link (since kernel 5.7), on older kernels by `BPF_PROG_ATTACH`.

use std::{
    fs,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use aya_sys::{
    Errno,
    bpf::{self, LinkOptions, LinkTarget, ProgAttach},
};
use aya_uapi::{
    AttachType,
    bindings::{BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE, BPF_F_REPLACE},
};

use crate::{
    attach,
    features::{Feature, Features},
    links::{Attachment, Hook},
    privilege,
    programs::{CgroupAttachMode, CgroupError, ProgramError, ProgramFd},
};

/// What is attached where.
pub(crate) struct Target<'a> {
    /// The program's name, for messages.
    pub(crate) program: &'a str,
    pub(crate) cgroup: BorrowedFd<'a>,
    pub(crate) attach_type: AttachType,
}

impl Target<'_> {
    /// What a person calls the cgroup.
    fn path(&self) -> String {
        let number = self.cgroup.as_raw_fd();
        match fs::read_link(format!("/proc/self/fd/{number}")) {
            Ok(path) => path.display().to_string(),
            Err(_) => format!("descriptor {number}"),
        }
    }
}

/// Puts the program on the cgroup.
///
/// A link always admits others, as [`CgroupAttachMode::AllowMultiple`] does. Programs that are to
/// be overridden in a cgroup's children are therefore attached without one.
pub(crate) fn attach(
    features: &Features,
    program: &ProgramFd,
    target: &Target<'_>,
    mode: CgroupAttachMode,
) -> Result<Attachment, ProgramError> {
    let without_link = || without_link(program, target, mode);
    if mode == CgroupAttachMode::AllowOverride {
        return without_link();
    }
    let link = || {
        bpf::link_create(
            program.as_fd(),
            LinkTarget::Fd(target.cgroup),
            target.attach_type,
            0,
            LinkOptions::None,
        )
    };
    let explain = |error| explain(target, error);
    attach::by_link(features, Feature::CgroupLink, link, explain, without_link)
}

fn without_link(
    program: &ProgramFd,
    target: &Target<'_>,
    mode: CgroupAttachMode,
) -> Result<Attachment, ProgramError> {
    // First: a program that is attached must have somebody to take it off.
    let held = Held {
        cgroup: target.cgroup.try_clone_to_owned()?,
        program: program.try_clone()?,
        attach_type: target.attach_type,
        mode,
    };
    // Where only one can be, the kernel would put it in another's place without a word.
    if !held.multiple()
        && let Ok(attached) = held.attached()
        && !attached.is_empty()
    {
        return Err(busy(target, None));
    }
    held.put(program, None)
        .map_err(|error| explain(target, error))?;
    Ok(Attachment::hook(held))
}

/// Holds for all programs that are on a cgroup without a link.
pub(crate) fn held(
    cgroup: BorrowedFd<'_>,
    attach_type: AttachType,
) -> Result<Vec<Attachment>, ProgramError> {
    let hook = bpf::prog_query(LinkTarget::Fd(cgroup), attach_type, 0)?;
    let mode = CgroupAttachMode::of_flags(hook.attach_flags);
    let mut all = Vec::new();
    for id in hook.prog_ids {
        let program = match bpf::prog_get_fd_by_id(id) {
            Ok(program) => ProgramFd::from(program),
            // Gone in the meantime.
            Err(error) if error.errno == Errno::ENOENT => continue,
            Err(error) => return Err(error.into()),
        };
        let cgroup = cgroup.try_clone_to_owned()?;
        all.push(Held {
            cgroup,
            program,
            attach_type,
            mode,
        });
    }
    Ok(all.into_iter().map(Attachment::hook).collect())
}

fn busy(target: &Target<'_>, source: Option<aya_sys::Error>) -> ProgramError {
    ProgramError::Cgroup(CgroupError::Busy {
        name: target.program.to_owned(),
        cgroup: target.path(),
        source: source.map(Into::into),
    })
}

/// The error that says what to do.
fn explain(target: &Target<'_>, error: aya_sys::Error) -> ProgramError {
    let name = target.program.to_owned();
    match error.errno {
        // The kernel says the same of a missing right and of a program that admits no other. Who
        // may ask what is attached has the right.
        Errno::EPERM if query(target.cgroup, target.attach_type).is_ok() => {
            busy(target, Some(error))
        }
        Errno::EPERM => ProgramError::MissingPrivilege {
            name,
            needed: privilege::CGROUP,
            source: error.into(),
        },
        Errno::EBADF | Errno::ENOENT | Errno::ENODEV => {
            ProgramError::Cgroup(CgroupError::NotACgroup {
                name,
                path: target.path(),
                source: error.into(),
            })
        }
        _ => ProgramError::Cgroup(CgroupError::Refused {
            name,
            cgroup: target.path(),
            attach_type: target.attach_type,
            source: error.into(),
        }),
    }
}

/// Ids of the programs at one hook of a cgroup, without those of its ancestors.
fn query(cgroup: BorrowedFd<'_>, attach_type: AttachType) -> Result<Vec<u32>, aya_sys::Error> {
    bpf::prog_query(LinkTarget::Fd(cgroup), attach_type, 0).map(|hook| hook.prog_ids)
}

/// A program that is on a cgroup without a link.
#[derive(Debug)]
struct Held {
    cgroup: OwnedFd,
    program: ProgramFd,
    attach_type: AttachType,
    mode: CgroupAttachMode,
}

impl Held {
    fn multiple(&self) -> bool {
        self.mode == CgroupAttachMode::AllowMultiple
    }

    fn attached(&self) -> Result<Vec<u32>, aya_sys::Error> {
        query(self.cgroup.as_fd(), self.attach_type)
    }

    /// Attaches `program`, in the place of `old` if there is one.
    fn put(&self, program: &ProgramFd, old: Option<&ProgramFd>) -> Result<(), aya_sys::Error> {
        // Where only one can be, the new one takes its place anyway.
        let replace = old.filter(|_| self.multiple());
        let replacing = if replace.is_some() { BPF_F_REPLACE } else { 0 };
        let how = ProgAttach {
            target: LinkTarget::Fd(self.cgroup.as_fd()),
            attach_type: self.attach_type,
            flags: self.mode.flag() | replacing,
            replace: replace.map(AsFd::as_fd),
        };
        bpf::prog_attach(program.as_fd(), &how)
    }

    fn take_off(&self, program: &ProgramFd) -> Result<(), aya_sys::Error> {
        let cgroup = LinkTarget::Fd(self.cgroup.as_fd());
        bpf::prog_detach(Some(program.as_fd()), cgroup, self.attach_type)
    }

    /// Whether what is attached is ours. The kernel compares by itself where several can be, which may
    /// no longer be so: a cgroup's mode is that of whoever comes first when nobody is there. Before 4.15
    /// it cannot be asked.
    fn is_ours(&self) -> Result<bool, aya_sys::Error> {
        let cgroup = LinkTarget::Fd(self.cgroup.as_fd());
        attach::is_attached(cgroup, self.attach_type, &self.program)
    }
}

/// Whether the kernel says that the program, or its cgroup, is gone.
fn is_gone(error: &aya_sys::Error) -> bool {
    matches!(error.errno, Errno::ENOENT | Errno::ENODEV | Errno::EBADF)
}

impl Hook for Held {
    fn detach(&self) -> Result<(), ProgramError> {
        let result = self.is_ours().and_then(|ours| match ours {
            true => self.take_off(&self.program),
            false => Ok(()),
        });
        match result {
            // There is nothing of ours left to detach.
            Err(error) if is_gone(&error) => Ok(()),
            result => Ok(result?),
        }
    }

    fn replace(&mut self, program: &ProgramFd) -> Result<(), ProgramError> {
        let ours = program.try_clone()?;
        if !self.is_ours()? {
            return Err(ProgramError::NotAttached);
        }
        match self.put(program, Some(&self.program)) {
            // Before kernel 5.6 nothing is replaced in one step: for a moment both run.
            Err(error) if error.errno == Errno::EINVAL && self.multiple() => {
                self.put(program, None)?;
                self.take_off(&self.program)?;
            }
            Err(error) if is_gone(&error) => return Err(ProgramError::NotAttached),
            result => result?,
        }
        self.program = ours;
        Ok(())
    }
}

impl CgroupAttachMode {
    const fn of_flags(flags: u32) -> Self {
        match flags & (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI) {
            0 => Self::Single,
            BPF_F_ALLOW_OVERRIDE => Self::AllowOverride,
            _ => Self::AllowMultiple,
        }
    }

    const fn flag(self) -> u32 {
        match self {
            Self::Single => 0,
            Self::AllowOverride => BPF_F_ALLOW_OVERRIDE,
            Self::AllowMultiple => BPF_F_ALLOW_MULTI,
        }
    }
}
