//! Places in the kernel that are known before the program is loaded: functions and tracepoints by the
//! number of their type, raw tracepoints by their name.
//!
//! `BPF_RAW_TRACEPOINT_OPEN` makes the bpf_link of all of them, on every kernel that has such
//! programs. `BPF_LINK_CREATE`, which can do so for some since 5.19, makes the same link.

use std::{ffi::CString, os::fd::AsFd};

use aya_sys::{Errno, bpf};

use crate::{
    btf::Btf,
    links::{Attachment, TypedLink, TypedLinkId},
    privilege,
    programs::{Kind, ProgramError, TracingError, TypedProgram, load::LoadTarget},
    resolve::kernel::{self, Sort},
};

/// Loads a program for the function or tracepoint called `target`.
pub(crate) fn load<K: Kind>(
    program: &mut TypedProgram<K>,
    btf: &Btf,
    sort: Sort,
    target: &str,
) -> Result<(), ProgramError> {
    let Some(found) = kernel::find(btf, sort, target)? else {
        return Err(TracingError::UnknownTarget {
            name: program.name().to_owned(),
            what: sort.what,
            target: target.to_owned(),
            similar: kernel::similar(btf, sort, target),
        }
        .into());
    };
    program.load_for(LoadTarget {
        btf_id: found.btf_id,
        object: found.module.as_ref().map(AsFd::as_fd),
    })
}

/// Attaches a program: to what it was loaded for, or to the raw tracepoint called `target`.
pub(crate) fn attach<K: Kind>(
    program: &mut TypedProgram<K>,
    target: Option<&str>,
) -> Result<TypedLinkId<K>, ProgramError> {
    let tracepoint = target.map(CString::new).transpose();
    let tracepoint = tracepoint.map_err(|_| ProgramError::InvalidName {
        name: target.unwrap_or_default().to_owned(),
    })?;
    let link = bpf::raw_tracepoint_open(program.fd()?.as_fd(), tracepoint.as_deref(), 0);
    let link = link.map_err(|error| explain(program.name(), target, error))?;
    let link = TypedLink::new(Attachment::Fd(link));
    Ok(program.links.insert(link))
}

/// Makes the kernel call its functions for tests, which the program may be attached to.
pub(crate) fn test_run<K: Kind>(program: &TypedProgram<K>) -> Result<(), ProgramError> {
    bpf::prog_test_run(program.fd()?.as_fd(), bpf::TestRun::default())?;
    Ok(())
}

/// The error that says what to do.
fn explain(name: &str, target: Option<&str>, error: aya_sys::Error) -> ProgramError {
    let name = name.to_owned();
    match (error.errno, target) {
        (Errno::EPERM, _) => ProgramError::MissingPrivilege {
            name,
            needed: privilege::TRACING,
            source: error.into(),
        },
        (Errno::ENOENT, Some(target)) => {
            // Only to say more: a kernel without types has no names to tell.
            let btf = Btf::from_sys_fs().ok();
            let similar = btf.map(|btf| kernel::similar(&btf, Sort::TRACEPOINT, target));
            TracingError::UnknownTarget {
                name,
                what: Sort::TRACEPOINT.what,
                target: target.to_owned(),
                similar: similar.unwrap_or_default(),
            }
            .into()
        }
        // Kernels before 6.10 take a program once at each tracepoint.
        (Errno::EEXIST, Some(_)) => ProgramError::AlreadyAttached,
        _ => TracingError::Refused {
            name,
            source: error.into(),
        }
        .into(),
    }
}
