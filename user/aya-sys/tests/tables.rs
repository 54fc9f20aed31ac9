//! The rows of the program and map tables, held against the running kernel.

use std::{
    fs,
    io::Write as _,
    os::fd::{AsFd as _, OwnedFd},
};

use aya_sys::{
    Errno, Result,
    bpf::{self, MapCreate, ProgLoad},
    memlock, page_size,
};
use aya_uapi::{
    Insn, KernelVersion, MapType,
    bindings::BPF_F_NO_PREALLOC,
    maps::{Entries, MAPS, MapDef, Size},
    programs::{PROGRAMS, Via},
};

fn say(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

/// The running kernel, or `None` after saying that the test needs more rights.
fn kernel(test: &str) -> Option<KernelVersion> {
    if let Err(error) = memlock::lift() {
        assert_eq!(error.errno, Errno::EPERM);
    }
    let probe = MapCreate {
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        ..MapCreate::new(MapType::ARRAY)
    };
    if let Err(error) = bpf::map_create(&probe) {
        assert!(
            [Errno::EPERM, Errno::ENOSYS].contains(&error.errno),
            "{error:?}"
        );
        say(&format!("SKIP: {test}: {error}: {}", error.errno));
        return None;
    }
    KernelVersion::parse(&fs::read_to_string("/proc/sys/kernel/osrelease").unwrap())
}

/// A size that the row allows.
fn size(size: Size) -> u32 {
    match size {
        Size::Any => 8,
        Size::Zero => 0,
        Size::Exactly(bytes) | Size::MultipleOf(bytes) | Size::Range(bytes, _) => bytes,
        Size::OneOf(sizes) => sizes[0],
    }
}

/// `u32`, and a struct with one `u64`: types 1 and 3.
fn btf() -> Result<OwnedFd> {
    let int = |name: u32, bytes: u32| [name, 1 << 24, bytes, bytes * 8];
    let mut types: Vec<u32> = int(1, 4).to_vec();
    types.extend(int(5, 8));
    types.extend([9, 4 << 24 | 1, 8, 5, 2, 0]);
    let strings = b"\0u32\0u64\0s\0";
    let mut data = Vec::new();
    data.extend(0xeb9f_u16.to_ne_bytes());
    data.extend([1, 0]);
    let bytes = u32::try_from(types.len() * 4).unwrap();
    let header = [24, 0, bytes, bytes, u32::try_from(strings.len()).unwrap()];
    for word in header.iter().chain(&types) {
        data.extend(word.to_ne_bytes());
    }
    data.extend(strings);
    bpf::btf_load(&data, None)
}

fn create(def: &MapDef) -> Result<OwnedFd> {
    let inner = MapCreate {
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        ..MapCreate::new(MapType::ARRAY)
    };
    let inner = def.inner.then(|| bpf::map_create(&inner)).transpose()?;
    // Values that belong to sockets, tasks, … must be described.
    let storage = def.entries == Entries::Zero && def.flags & BPF_F_NO_PREALLOC != 0;
    let described = storage.then(btf).transpose()?;
    let page_size = u32::try_from(page_size()).unwrap();
    let map = MapCreate {
        key_size: size(def.key),
        value_size: size(def.value),
        max_entries: def.entries.fix_up(1, page_size, 1),
        flags: def.flags,
        inner: inner.as_ref().map(|fd| fd.as_fd()),
        btf: described.as_ref().map(|fd| fd.as_fd()),
        key_type_id: if storage { 1 } else { 0 },
        value_type_id: if storage { 3 } else { 0 },
        ..MapCreate::new(def.map_type)
    };
    bpf::map_create(&map)
}

#[test]
fn maps_are_created_by_their_row() {
    let test = "tables::maps_are_created_by_their_row";
    let Some(running) = kernel(test) else { return };
    let mut wrong = Vec::new();
    for def in MAPS {
        // An instance of a type of the kernel's, which needs the kernel's own BTF.
        if def.entries == Entries::One {
            continue;
        }
        match create(def) {
            Ok(_) if running.at_least(def.since) => {}
            Ok(_) => wrong.push(format!("{}: {running} has it already", def.name)),
            Err(_) if !running.at_least(def.since) => {}
            Err(error) => wrong.push(format!("{}: {}", def.name, error.errno)),
        }
    }
    assert!(wrong.is_empty(), "on {running}: {wrong:#?}");
}

#[test]
fn safe_values_pass_the_verifier() {
    let test = "tables::safe_values_pass_the_verifier";
    let Some(running) = kernel(test) else { return };
    let mut wrong = Vec::new();
    for def in PROGRAMS {
        // What these may return depends on what they attach to.
        if matches!(
            def.attach,
            Via::Tracing | Via::Iter | Via::StructOps | Via::Extension
        ) || def.name == "lsm_cgroup"
        {
            continue;
        }
        for section in def.sections {
            let safe = section.safe.unwrap_or(def.safe);
            let insns = [Insn::mov64_imm(0, i32::try_from(safe).unwrap()), Insn::EXIT];
            let mut log = [0; 4096];
            let loaded = bpf::prog_load(ProgLoad {
                expected_attach_type: section.attach_type,
                flags: section.flags,
                kernel_version: running.code(),
                log_level: 1,
                log: Some(&mut log),
                ..ProgLoad::new(def.prog_type, &insns, c"GPL")
            });
            match loaded {
                Ok(_) => {}
                Err(_) if !running.at_least(section.since) => {}
                // Without a word from the verifier, the kernel was built without the type.
                Err(error) if error.errno == Errno::EINVAL && log[0] == 0 => {
                    say(&format!("SKIP: {test}: {running} lacks {}", section.prefix));
                }
                Err(error) => {
                    let log = String::from_utf8_lossy(&log);
                    let log = log.trim_end_matches('\0');
                    wrong.push(format!("{}: {}: {log}", section.prefix, error.errno));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "on {running}: {wrong:#?}");
}
