//! Questions about the running kernel, for programs that choose between ways by what it can do.
//!
//! The loader asks none of them: it tries, and probes when it is refused (`features.rs`). Each
//! answer here is that of the smallest call that only a kernel with the feature accepts, so all of
//! them need the rights that the feature itself needs.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use aya_sys::{
    Errno, Error,
    bpf::{self, LinkOptions, LinkTarget, MapCreate, ProgLoad},
};
use aya_uapi::{
    AttachType, Insn, ProgType,
    bindings::BPF_PSEUDO_MAP_VALUE,
    maps::{Entries, MapDef, Size},
    programs::{PROGRAMS, ProgramDef, Via},
};

use super::SyscallError;
use crate::{
    features::{Feature, Features, is_unknown},
    maps::{ENOTSUPP, MapType, types},
    privilege,
    programs::{ProgramError, ProgramType},
    util::KernelVersion,
};

/// The numbers of the helper functions, as constants: `BpfHelper::BPF_FUNC_redirect_map`.
pub use aya_uapi::bindings::bpf_func_id as BpfHelper;

/// Whether the kernel accepted; refusing as it does what it does not know is a no.
fn yes_or_no<T>(result: Result<T, Error>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if is_unknown(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn to_io(error: Error) -> io::Error {
    SyscallError::from(error).io_error
}

/// Runs a call again without the limit on locked memory if that was in the way.
fn call<T>(attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    privilege::with_memory(|error: &Error| error.errno == Errno::EPERM, attempt)
}

/// Whether the kernel keeps names of maps and programs (4.15).
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_bpf_name_supported() -> io::Result<bool> {
    Features::host().ask(Feature::Names).map_err(to_io)
}

/// Whether the kernel takes type information (4.18).
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_btf_supported() -> io::Result<bool> {
    Features::host().ask(Feature::Btf).map_err(to_io)
}

/// Whether programs can have global variables: addresses inside of an array's value (5.2).
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_bpf_global_data_supported() -> io::Result<bool> {
    let map = MapCreate {
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        ..MapCreate::new(aya_uapi::MapType::ARRAY)
    };
    let supported = call(|| bpf::map_create(&map)).and_then(|map| {
        let number = map.as_raw_fd();
        let address = Insn::ld_imm64(
            1,
            BPF_PSEUDO_MAP_VALUE as u8,
            u64::from(number.unsigned_abs()),
        );
        let [low, high] = address;
        let code = [low, high, Insn::mov64_imm(0, 0), Insn::EXIT];
        yes_or_no(load(ProgType::SOCKET_FILTER, &code))
    });
    supported.map_err(to_io)
}

/// Whether elements of a `CpuMap` can have a program (5.9).
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_cpumap_prog_id_supported() -> io::Result<bool> {
    Features::host().ask(Feature::CpuMapPrograms).map_err(to_io)
}

/// Whether elements of a `DevMap` can have a program (5.8).
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_devmap_prog_id_supported() -> io::Result<bool> {
    Features::host().ask(Feature::DevMapPrograms).map_err(to_io)
}

/// Whether kprobes, uprobes and tracepoints are attached by a bpf_link (5.15).
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_perf_link_supported() -> io::Result<bool> {
    let code = [Insn::mov64_imm(0, 0), Insn::EXIT];
    let supported = load(ProgType::TRACEPOINT, &code).and_then(|program| {
        let target = LinkTarget::Fd(program.as_fd());
        let attach_type = AttachType::PERF_EVENT;
        let options = LinkOptions::None;
        match bpf::link_create(program.as_fd(), target, attach_type, 0, options) {
            // It noticed that a program is no perf event.
            Err(error) if error.errno == Errno::EBADF => Ok(true),
            result => yes_or_no(result),
        }
    });
    supported.map_err(to_io)
}

/// Whether maps of this type can be created.
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
///
/// ```no_run
/// use aya::{maps::MapType, sys::is_map_supported};
///
/// let events = if is_map_supported(MapType::RingBuf)? { "RING" } else { "PERF" };
/// # Ok::<(), aya::sys::SyscallError>(())
/// ```
pub fn is_map_supported(map_type: MapType) -> Result<bool, SyscallError> {
    let Some(def) = aya_uapi::maps::map(map_type.into()) else {
        return Ok(false);
    };
    match privilege::with_memory(privilege::refuses_map(def.map_type), || create(def)) {
        // It looked for the kernel's structure, which is made up here.
        Err(error) if error.errno == ENOTSUPP && def.entries == Entries::One => Ok(true),
        result => Ok(yes_or_no(result)?),
    }
}

/// The smallest map that its row allows.
fn create(def: &MapDef) -> Result<OwnedFd, Error> {
    let size = |size| match size {
        Size::Any => 4,
        Size::Zero => 0,
        Size::Exactly(bytes) | Size::MultipleOf(bytes) | Size::Range(bytes, _) => bytes,
        Size::OneOf(sizes) => sizes.first().copied().unwrap_or_default(),
    };
    let inner = MapCreate {
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        ..MapCreate::new(aya_uapi::MapType::ARRAY)
    };
    let inner = def.inner.then(|| bpf::map_create(&inner)).transpose()?;
    let types = def.has_owners().then(|| types::plain(4)).transpose()?;
    let page = u32::try_from(aya_sys::page_size()).unwrap_or(u32::MAX);
    let type_id = u32::from(def.has_owners());
    bpf::map_create(&MapCreate {
        key_size: size(def.key),
        value_size: size(def.value),
        max_entries: def.entries.fix_up(1, page, 1),
        flags: def.flags,
        inner: inner.as_ref().map(AsFd::as_fd),
        btf: types.as_ref().map(|(types, _)| types.as_fd()),
        key_type_id: type_id,
        value_type_id: type_id,
        vmlinux_value_type_id: u32::from(def.entries == Entries::One),
        ..MapCreate::new(def.map_type)
    })
}

/// Whether programs of this type can be loaded.
///
/// # Errors
///
/// The kernel's, such as `EPERM`.
pub fn is_program_supported(program_type: ProgramType) -> Result<bool, ProgramError> {
    let code = [Insn::mov64_imm(0, 0), Insn::EXIT];
    Ok(verify(program_type.kernel_type(), &code)?.is_some())
}

/// Whether programs of this type can call the helper.
///
/// # Errors
///
/// The kernel's, such as `EPERM`, and [`ProgramError::NotSupportedYet`] for types whose programs
/// must name a function of the kernel (`fentry`, LSM …): the kernel does not get as far as the
/// call without.
///
/// ```no_run
/// use aya::{programs::ProgramType, sys::{BpfHelper, is_helper_supported}};
///
/// is_helper_supported(ProgramType::Xdp, BpfHelper::BPF_FUNC_redirect_map)?;
/// # Ok::<(), aya::programs::ProgramError>(())
/// ```
pub fn is_helper_supported(
    program_type: ProgramType,
    helper: BpfHelper::Type,
) -> Result<bool, ProgramError> {
    let prog_type = program_type.kernel_type();
    if row(prog_type).is_some_and(names_a_function) {
        return Err(ProgramError::NotSupportedYet {
            name: "probe".to_owned(),
            prog_type,
        });
    }
    let code = [Insn::call(helper), Insn::EXIT];
    let Some(log) = verify(prog_type, &code)? else {
        return Ok(false);
    };
    // A helper that is known is refused for its arguments, as registers hold nothing yet.
    let unknown = [
        "invalid func ",
        "unknown func ",
        "program of this type cannot use helper ",
    ];
    Ok(!unknown.iter().any(|words| log.contains(words)))
}

fn row(prog_type: ProgType) -> Option<&'static ProgramDef> {
    PROGRAMS.iter().find(|def| def.prog_type == prog_type)
}

/// Whether programs of the row belong to a function or structure of the kernel, by its type id.
fn names_a_function(def: &ProgramDef) -> bool {
    matches!(
        def.attach,
        Via::Tracing | Via::Iter | Via::StructOps | Via::Extension
    )
}

/// What the verifier says about the instructions; `None` when the program does not get as far as
/// the verifier, since the kernel does not know its type.
fn verify(prog_type: ProgType, code: &[Insn]) -> Result<Option<String>, Error> {
    let row = row(prog_type);
    let section = row.and_then(|def| def.sections.first());
    let mut log = vec![0; 4096];
    let result = call(|| {
        bpf::prog_load(ProgLoad {
            expected_attach_type: section.and_then(|section| section.attach_type),
            flags: section.map_or(0, |section| section.flags),
            kernel_version: KernelVersion::current().map_or(0, KernelVersion::code),
            // Any type will do: the verifier says that it does not fit.
            attach_btf_id: u32::from(row.is_some_and(names_a_function)),
            log_level: 1,
            log: Some(&mut log),
            ..ProgLoad::new(prog_type, code, c"GPL")
        })
    });
    let text = String::from_utf8_lossy(&log);
    let text = text.trim_end_matches('\0');
    match result {
        Err(error) if text.is_empty() && is_unknown(&error) => Ok(None),
        Err(error) if text.is_empty() => Err(error),
        _ => Ok(Some(text.to_owned())),
    }
}

fn load(prog_type: ProgType, code: &[Insn]) -> Result<OwnedFd, Error> {
    let kernel_version = KernelVersion::current().map_or(0, KernelVersion::code);
    call(|| {
        bpf::prog_load(ProgLoad {
            kernel_version,
            ..ProgLoad::new(prog_type, code, c"GPL")
        })
    })
}
