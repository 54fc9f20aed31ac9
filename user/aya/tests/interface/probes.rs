//! Kernel and user probes.

use std::{borrow::Cow, error::Error, ffi::OsStr, io, num::NonZeroU32, path::Path};

use aya::{
    Ebpf,
    pin::PinError,
    programs::{
        KProbe, ProbeKind, Program, ProgramError, ProgramFd, ProgramInfo, ProgramType, UProbe,
        kprobe::{KProbeError, KProbeLink, KProbeLinkId},
        links::{FdLink, Link, LinkError},
        uprobe::{
            ProcMapError, UProbeAttachLocation, UProbeAttachLocationError, UProbeAttachPoint,
            UProbeError, UProbeLink, UProbeLinkId, UProbeScope,
        },
    },
};

use super::{Result, is, link, reportable};

fn errors(kprobe: KProbeError, uprobe: UProbeError) -> ProgramError {
    reportable::<KProbeError>();
    reportable::<UProbeError>();
    reportable::<ProcMapError>();
    reportable::<UProbeAttachLocationError>();
    if let KProbeError::FileError { filename, io_error } = &kprobe {
        let _: (&Path, &io::Error) = (filename, io_error);
    }
    match &uprobe {
        UProbeError::EmptyPoints { target } => drop(target.to_owned()),
        UProbeError::FileError { filename, io_error } => drop((filename.to_owned(), io_error)),
        UProbeError::InvalidLdSoCache { io_error } => drop(io_error.kind()),
        UProbeError::InvalidTarget { path } => drop(path.to_owned()),
        UProbeError::LegacyPerfAttachPointError {
            index,
            resolved_offset,
            attach_error,
        } => {
            let _: (&usize, &u64, &Box<ProgramError>) = (index, resolved_offset, attach_error);
        }
        UProbeError::ProcMap { pid, source } => match source {
            ProcMapError::ReadFile(error) => drop((pid, error.kind())),
            ProcMapError::ParseLine { line } => drop(line.to_owned()),
            _ => {}
        },
        UProbeError::SymbolError { symbol, error } => {
            let _: (&String, &Box<dyn Error + Send + Sync>) = (symbol, error);
        }
        _ => {}
    }
    let _: ProgramError = kprobe.into();
    match ProgramError::from(uprobe) {
        ProgramError::UProbeError(UProbeError::EmptyPoints { .. })
        | ProgramError::KProbeError(KProbeError::FileError { .. }) => ProgramError::NotLoaded,
        other => other,
    }
}

fn kernel(bpf: &mut Ebpf, info: ProgramInfo) -> Result {
    link::<KProbeLink, KProbeLinkId>();
    const TYPE: ProgramType = KProbe::PROGRAM_TYPE;
    let program: &mut KProbe = bpf.program_mut("connect").unwrap().try_into()?;
    let load: std::result::Result<(), ProgramError> = program.load();
    load?;
    program.attach("tcp_connect", 0)?;
    program.attach(OsStr::new("tcp_connect"), 0x10_u64)?;
    let id: KProbeLinkId = program.attach(String::from("tcp_connect"), 0)?;
    program.detach(id)?;
    let id = program.attach("tcp_connect", 0)?;
    let taken: KProbeLink = program.take_link(id)?;
    let _: KProbeLinkId = taken.id();
    let link: std::result::Result<FdLink, LinkError> = taken.try_into();
    let link: KProbeLink = link?.try_into()?;
    link.detach()?;
    let _: (&ProgramFd, ProgramInfo) = (program.fd()?, program.info()?);
    let pinned: std::result::Result<(), PinError> = program.pin("/sys/fs/bpf/connect");
    pinned?;
    program.unpin()?;
    program.unload()?;
    let _: ProbeKind = KProbe::from_pin("/sys/fs/bpf/connect", ProbeKind::Entry)?.kind();
    // Declared `unsafe`, and called so.
    #[allow(unused_unsafe, reason = "it is safe here")]
    // SAFETY: nothing is asked of the caller.
    let program = unsafe { KProbe::from_program_info(info, Cow::from("x"), ProbeKind::Return) }?;
    assert!(matches!(program.kind(), ProbeKind::Return));
    for (_, program) in bpf.programs_mut() {
        if let Program::KProbe(program) = program {
            program.load()?;
        }
    }
    Ok(())
}

fn user(bpf: &mut Ebpf, info: ProgramInfo, pid: NonZeroU32) -> Result {
    link::<UProbeLink, UProbeLinkId>();
    const TYPE: ProgramType = UProbe::PROGRAM_TYPE;
    let program: &mut UProbe = bpf.program_mut("lookup").unwrap().try_into()?;
    program.load()?;
    program.attach(["getaddrinfo"], "libc", UProbeScope::AllProcesses)?;
    program.attach(
        [0x1234_u64],
        Path::new("/bin/x"),
        UProbeScope::CallingProcess,
    )?;
    let names: Vec<String> = Vec::new();
    let names = names.iter().map(String::as_str);
    program.attach(names, "/bin/x", UProbeScope::OneProcess(pid))?;
    let location = UProbeAttachLocation::SymbolOffset("main", 4);
    let point = UProbeAttachPoint {
        location,
        cookie: Some(1),
    };
    program.attach([point], "/bin/x", UProbeScope::AllProcesses)?;
    program.attach(
        vec![
            location,
            UProbeAttachLocation::Symbol("x"),
            UProbeAttachLocation::AbsoluteOffset(7),
            UProbeAttachLocation::from_virtual_address(3, 2, 1)?,
        ],
        "/bin/x",
        UProbeScope::AllProcesses,
    )?;
    let id: UProbeLinkId = program.attach(["main"], "/bin/x", UProbeScope::AllProcesses)?;
    program.detach(id)?;
    let id = program.attach(["main"], "/bin/x", UProbeScope::AllProcesses)?;
    let taken: UProbeLink = program.take_link(id)?;
    let _: UProbeLinkId = taken.id();
    let links: std::result::Result<Vec<FdLink>, UProbeLink> = taken.into_fd_links();
    drop(links);
    let _: (&ProgramFd, ProgramInfo) = (program.fd()?, program.info()?);
    program.pin("/sys/fs/bpf/lookup")?;
    program.unpin()?;
    program.unload()?;
    let _: ProbeKind = UProbe::from_pin("/sys/fs/bpf/lookup", ProbeKind::Entry)?.kind();
    #[allow(unused_unsafe, reason = "it is safe here")]
    // SAFETY: nothing is asked of the caller.
    let program = unsafe { UProbe::from_program_info(info, "x".into(), ProbeKind::Return) }?;
    let error = UProbeAttachLocation::from_virtual_address(1, 2, 3);
    match error {
        Err(UProbeAttachLocationError::AddressNotInSection {
            instruction_address,
            section_address,
        }) => is((instruction_address, section_address)),
        Err(UProbeAttachLocationError::FileOffsetOverflow {
            instruction_address,
            section_address,
            section_offset,
        }) => is((instruction_address, section_address, section_offset)),
        _ => drop(program),
    }
    Ok(())
}
