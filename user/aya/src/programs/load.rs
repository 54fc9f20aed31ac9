//! Loading: the one place that hands instructions to the verifier.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use aya_obj::{
    LinkedProgram,
    btf::Btf,
    spec::{MapId, ProgramSpec},
};
use aya_sys::{
    Errno, Error,
    bpf::{self, ProgBtf, ProgLoad},
};
use aya_uapi::{Insn, KernelVersion, programs::match_section};

use crate::{
    features::{Feature, Features},
    maps::{MapFd, put_initial},
    privilege,
    programs::{ProgramError, ProgramFd, fields, log_texts::LogTexts},
    verifier::{VerifierLog, VerifierLogLevel},
};

/// The verifier's log starts with this much room …
const LOG_SIZE: usize = 64 << 10;
/// … and gets four times as much until it fits, up to what the kernel takes (before 5.2 it was
/// 16 MiB less one page).
const LARGEST_LOG: usize = 16 << 20;

/// What the programs of an object have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) license: CString,
    pub(crate) kernel_version: Option<u32>,
    /// The object's types, loaded.
    pub(crate) btf: Option<OwnedFd>,
    /// The object's types, for the names of source files.
    pub(crate) types: Option<Btf>,
    /// The object's maps, in its order.
    pub(crate) maps: Vec<Arc<MapFd>>,
    pub(crate) log_level: VerifierLogLevel,
    /// What the programs log, if they do.
    pub(crate) log_texts: Option<LogTexts>,
    pub(crate) features: Arc<Features>,
}

/// An element of an array of programs.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) map: Arc<MapFd>,
    /// The array's name, for messages.
    pub(crate) name: String,
    pub(crate) index: u32,
}

/// All that loading a program needs.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) linked: LinkedProgram,
    /// Where it goes once it is loaded.
    slots: Vec<Slot>,
    pub(crate) shared: Arc<Shared>,
    /// Maps that the program is to hold although its instructions do not name them.
    pub(crate) bound: Vec<MapFd>,
}

/// What a program that is checked against its hook will be attached to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoadTarget<'a> {
    /// Type id of the function, in the kernel's types or in those of `object`.
    pub(crate) btf_id: u32,
    /// The program, or the types of the module, that the id belongs to; the kernel's if absent.
    pub(crate) object: Option<BorrowedFd<'a>>,
}

impl Source {
    pub(crate) const fn new(linked: LinkedProgram, slots: Vec<Slot>, shared: Arc<Shared>) -> Self {
        Self {
            linked,
            slots,
            shared,
            bound: Vec::new(),
        }
    }

    pub(crate) fn spec(&self) -> &ProgramSpec {
        &self.linked.spec
    }

    /// The kernel that brought programs of this section.
    fn since(&self) -> KernelVersion {
        let spec = self.spec();
        let variant = match_section(&spec.section).map(|found| found.section.since);
        variant.unwrap_or(spec.def.since).max(spec.def.since)
    }

    /// Where in the source an instruction comes from: `file:line`.
    fn position(&self, insn: usize) -> Option<String> {
        let (_, line) = self.linked.source(u32::try_from(insn).ok()?);
        let (line, types) = (line?, self.shared.types.as_ref()?);
        Some(format!("{}:{}", types.name(line.file), line.line))
    }

    /// Puts the loaded program where the definitions of arrays of programs say so.
    fn put(&self, program_name: &str, program: &ProgramFd) -> Result<(), ProgramError> {
        for Slot { map, name, index } in &self.slots {
            put_initial(name, map, *index, program.as_fd(), || {
                format!("program `{program_name}`")
            })?;
        }
        Ok(())
    }

    /// The instructions, with the descriptors of the maps and the places of fields in them.
    fn instructions(&self) -> Result<Vec<Insn>, ProgramError> {
        let insns = self.linked.instructions(|MapId(index)| {
            let map = usize::try_from(index)
                .ok()
                .and_then(|at| self.shared.maps.get(at));
            map.map(|map| map.as_fd().as_raw_fd())
                .ok_or(ProgramError::NotLoaded)
        });
        let mut insns = insns?;
        for (at, insn) in fields::resolve(&self.linked)? {
            if let Some(call) = insns.get_mut(at) {
                *call = insn;
            }
        }
        Ok(insns)
    }
}

/// What describes a program's functions and lines, as the kernel reads it.
struct Description {
    func_info: Vec<u8>,
    line_info: Vec<u8>,
}

impl Description {
    fn new(linked: &LinkedProgram) -> Self {
        let functions = linked.func_info();
        let func_info = functions.iter().flat_map(|(insn, ty)| [*insn, ty.0]);
        let lines = linked.line_info().iter().flat_map(|line| {
            // The kernel packs both numbers: 22 bits of line, 10 of column.
            let place = line.line << 10 | line.column & 0x3ff;
            [line.insn, line.file.0, line.text.0, place]
        });
        Self {
            func_info: func_info.flat_map(u32::to_ne_bytes).collect(),
            line_info: lines.flat_map(u32::to_ne_bytes).collect(),
        }
    }
}

/// Loads a program, and puts it into the arrays of programs that are to hold it.
pub(crate) fn load(
    name: &str,
    source: &Source,
    target: LoadTarget<'_>,
) -> Result<ProgramFd, ProgramError> {
    let program = verified(name, source, target)?;
    source.put(name, &program)?;
    Ok(program)
}

/// Loads a program: silently first; when the verifier rejects it, again with its log.
fn verified(
    name: &str,
    source: &Source,
    target: LoadTarget<'_>,
) -> Result<ProgramFd, ProgramError> {
    let insns = source.instructions()?;
    let description = Description::new(&source.linked);
    let attempt = |log: Option<(VerifierLogLevel, &mut [u8])>| {
        attempt(name, source, target, &insns, &description, log)
    };
    let refused = |error: &Error| error.errno == Errno::EPERM;
    let error = match privilege::with_memory(refused, || attempt(None)) {
        Ok(fd) => return Ok(ProgramFd::from(fd)),
        Err(error) => error,
    };
    let level = source.shared.log_level;
    if level.is_empty() {
        let reason = "its log was not asked for: set `verifier_log_level`";
        return Err(unexplained(name, source, &error, Some(reason)));
    }
    let mut size = LOG_SIZE;
    loop {
        let mut buffer = vec![0; size];
        let (cut, again) = match attempt(Some((level, &mut buffer))) {
            // It was refused a moment ago: memory was short, or a map was not ready.
            Ok(fd) => return Ok(ProgramFd::from(fd)),
            Err(again) => (again.errno == Errno::ENOSPC, again),
        };
        if cut && size < LARGEST_LOG {
            size *= 4;
            continue;
        }
        // That there was no room is said of the log; why the program was refused, the silent
        // attempt has said.
        let error = if cut { error } else { again };
        let log = VerifierLog::new(&buffer);
        return Err(match log.as_str() {
            "" => unexplained(name, source, &error, None),
            _ => rejected(name, source, &error, log, cut),
        });
    }
}

/// One attempt, with what the kernel knows of names and types.
fn attempt(
    name: &str,
    source: &Source,
    target: LoadTarget<'_>,
    insns: &[Insn],
    description: &Description,
    mut log: Option<(VerifierLogLevel, &mut [u8])>,
) -> Result<OwnedFd, Error> {
    let (spec, shared) = (source.spec(), &source.shared);
    let features = &shared.features;
    let btf = shared.btf.as_ref();
    let bound = source.bound.iter().map(|map| map.as_fd().as_raw_fd());
    let bound: Vec<_> = bound.collect();
    let mut load = |named: bool, described: bool| {
        let (log_level, log) = match &mut log {
            Some((level, buffer)) => (level.bits(), Some(&mut **buffer)),
            None => (0, None),
        };
        bpf::prog_load(ProgLoad {
            expected_attach_type: spec.attach_type,
            flags: spec.flags,
            kernel_version: shared.kernel_version.unwrap_or_default(),
            attach_btf_id: target.btf_id,
            attach_to: target.object,
            name: if named { name } else { "" },
            btf: btf.filter(|_| described).map(|fd| ProgBtf {
                fd: fd.as_fd(),
                func_info: &description.func_info,
                line_info: &description.line_info,
            }),
            log_level,
            log,
            fd_array: &bound,
            bind_fd_array: !bound.is_empty(),
            ..ProgLoad::new(spec.def.prog_type, insns, &shared.license)
        })
    };
    features.try_with(Feature::Names, |named| match btf {
        Some(_) => features.try_with(Feature::FuncInfo, |described| load(named, described)),
        None => load(named, false),
    })
}

/// The error of a program that the verifier rejected.
fn rejected(
    name: &str,
    source: &Source,
    error: &Error,
    log: VerifierLog,
    cut: bool,
) -> ProgramError {
    let mut reason = log.reason().unwrap_or("it does not say why").to_owned();
    let position = log.instruction().and_then(|at| source.position(at));
    if let Some(position) = position.or_else(|| log.source_line().map(str::to_owned)) {
        reason.push_str(&format!(" at {position}"));
    }
    if cut {
        // Kernels before 6.4 keep the beginning of a log that does not fit, newer ones its end.
        reason.push_str(", where its log was cut off: lower `verifier_log_level`");
    }
    refused_with(name, error, reason, log)
}

/// The error of a program about which the verifier did not say a word: it did not get as far, or was
/// not asked for `reason`.
fn unexplained(name: &str, source: &Source, error: &Error, reason: Option<&str>) -> ProgramError {
    let spec = source.spec();
    let reason = match (error.errno, reason) {
        (Errno::EPERM, _) => {
            return ProgramError::MissingPrivilege {
                name: name.to_owned(),
                needed: privilege::program(spec.def.prog_type),
                source: (*error).into(),
            };
        }
        (_, Some(reason)) => reason.to_owned(),
        (Errno::EINVAL | Errno::E2BIG, None) => format!(
            "without a word why: check that it is {} or newer, which section `{}` needs",
            source.since(),
            spec.section
        ),
        (Errno::ENOSYS, None) => privilege::NO_BPF.to_owned(),
        (Errno::ENOMEM, None) => "memory is short: free some".to_owned(),
        (_, None) => "without a word why: `dmesg` may know more".to_owned(),
    };
    refused_with(name, error, reason, VerifierLog::default())
}

fn refused_with(name: &str, error: &Error, reason: String, log: VerifierLog) -> ProgramError {
    ProgramError::LoadError {
        name: name.to_owned(),
        io_error: io::Error::from_raw_os_error(error.errno.0),
        reason,
        verifier_log: log,
    }
}
