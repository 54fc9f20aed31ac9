//! Functions and tracepoints by name, in the types of the kernel and of its modules.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use aya_obj::btf::RawBtf;
use aya_sys::bpf;

use super::similar;
use crate::{
    btf::Btf,
    programs::{ProgramError, info::loaded},
};

/// Where a kernel shows the types of its modules, beside its own. Since kernel 5.11.
const SYS_FS: &str = "/sys/kernel/btf";

/// A sort of thing that types describe and programs are loaded for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sort {
    /// What people call it.
    pub(crate) what: &'static str,
    /// What its name has in front among the types.
    pub(crate) prefix: &'static str,
    /// The kind of the type (`BTF_KIND_*`).
    kind: u32,
}

impl Sort {
    pub(crate) const FUNCTION: Self = Self {
        what: "kernel function",
        prefix: "",
        kind: RawBtf::FUNC,
    };
    pub(crate) const TRACEPOINT: Self = Self {
        what: "tracepoint",
        prefix: "btf_trace_",
        kind: RawBtf::TYPEDEF,
    };
    pub(crate) const LSM_HOOK: Self = Self {
        what: "LSM hook",
        prefix: "bpf_lsm_",
        kind: RawBtf::FUNC,
    };

    /// The names of all of the sort.
    pub(crate) fn names<'a>(self, types: &'a RawBtf<'_>) -> impl Iterator<Item = &'a str> {
        let names = types.names(self.kind);
        names.filter_map(move |name| name.strip_prefix(self.prefix))
    }
}

/// What was found: the number of its type, and the module's types if it is not the kernel's own.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) btf_id: u32,
    pub(crate) module: Option<OwnedFd>,
}

/// Finds something by its name in the kernel's types, then in those of the modules that are loaded.
pub(crate) fn find(btf: &Btf, sort: Sort, name: &str) -> Result<Option<Found>, ProgramError> {
    let type_name = format!("{}{name}", sort.prefix);
    let kernel = btf.raw();
    if let Some(id) = kernel.find(&type_name, sort.kind) {
        return Ok(Some(Found {
            btf_id: id.0,
            module: None,
        }));
    }
    for (module, types) in modules(kernel) {
        if let Some(id) = types.find(&type_name, sort.kind)
            && let Some(fd) = open(&module)?
        {
            return Ok(Some(Found {
                btf_id: id.0,
                module: Some(fd),
            }));
        }
    }
    Ok(None)
}

/// The names that come close to one that is neither the kernel's nor a module's.
pub(crate) fn similar(btf: &Btf, sort: Sort, name: &str) -> Vec<String> {
    let kernel = btf.raw();
    let modules: Vec<_> = modules(kernel).collect();
    let of_modules = modules.iter().flat_map(|(_, types)| sort.names(types));
    similar::similar(name, sort.names(kernel).chain(of_modules))
}

/// The types of the modules that are loaded; a kernel before 5.11 shows none.
fn modules<'a>(kernel: &'a RawBtf<'static>) -> impl Iterator<Item = (String, RawBtf<'a>)> {
    let entries = fs::read_dir(SYS_FS).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name != "vmlinux").filter_map(|module| {
        // A module that goes in the meantime, or is not of this kernel, has nothing to find.
        let data = fs::read(Path::new(SYS_FS).join(&module)).ok()?;
        let types = RawBtf::parse_split(data, kernel).ok()?;
        Some((module, types))
    })
}

/// Opens the types of a module; `None` if it has gone. Needs `CAP_SYS_ADMIN`, as opening anything by
/// number does.
fn open(module: &str) -> Result<Option<OwnedFd>, ProgramError> {
    for fd in loaded(bpf::btf_get_next_id, bpf::btf_get_fd_by_id) {
        let fd = fd?;
        if bpf::kernel_btf_name(fd.as_fd())?.is_some_and(|name| name == module.as_bytes()) {
            return Ok(Some(fd));
        }
    }
    Ok(None)
}
