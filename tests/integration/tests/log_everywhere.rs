//! Log statements pass the verifier in every type of program, through a ring buffer and through what
//! stands in for it on kernels before 5.8.
//!
//! The program is one that the compiler made, loaded as each row of the program table.

use std::{
    convert::Infallible,
    fmt::Write as _,
    os::fd::{AsRawFd as _, OwnedFd},
};

use aya::Btf;
use aya_obj::{
    Config, LinkedProgram, ObjectSpec,
    btf::Kind,
    spec::{Instruction, MapSpec},
};
use aya_sys::{
    Errno,
    bpf::{self, MapCreate, ProgLoad},
    memlock,
};
use aya_tests::{TestResult, in_both_modes, kernel};
use aya_uapi::{
    AttachType, Insn, MapType,
    bindings::BPF_F_SLEEPABLE,
    programs::{PROGRAMS, ProgramDef, SectionDef, Via},
};

/// Why the kernel refuses a log statement in programs of this section, if it does.
fn refusal(
    def: &ProgramDef,
    section: &SectionDef,
    perf: bool,
    running: (u32, u32),
) -> Option<&'static str> {
    let sleeps = section.flags & BPF_F_SLEEPABLE != 0 || def.name == "syscall";
    match def.name {
        "sk_reuseport" | "flow_dissector" | "netfilter" if perf => Some("bpf_perf_event_output"),
        _ if sleeps && (perf || running < (5, 12)) => Some("Sleepable programs can only use"),
        _ => None,
    }
}

in_both_modes! {
    /// Through the ring buffer.
    fn logs_pass_everywhere(object: "logs", since 5, 8) {
        everywhere(object, false)
    }

    /// Through the perf event array.
    fn logs_without_ring_buffers_pass_everywhere(object: "logs", since 5, 8) {
        everywhere(object, true)
    }
}

fn everywhere(object: &[u8], perf: bool) -> TestResult {
    let spec = ObjectSpec::parse(object).map_err(|error| error.to_string())?;
    let configured = spec
        .configure(&Config::default())
        .map_err(|error| error.to_string())?;
    let linked = configured.link().map_err(|error| error.to_string())?;
    // Kernels before 5.11 want it; on others not every machine permits it.
    let _not_permitted = memlock::lift();
    let maps = linked
        .maps
        .iter()
        .map(|map| create(map, perf))
        .collect::<TestResult<Vec<_>>>()?;
    let program = linked
        .programs
        .iter()
        .find(|program| program.spec.name == "anywhere");
    let program = program.ok_or("no program")?;
    let types = Btf::from_sys_fs()?;
    let types = types.types()?;
    let running = kernel()?;
    let mut wrong = String::new();
    // In containers there may be no trampolines at all.
    let (mut loaded, mut trampolines, mut denied) = (0, 0, 0);
    for def in PROGRAMS {
        for section in def.sections {
            let Some(target) = target(def, section, types) else {
                continue;
            };
            let trampoline = target != 0
                && !matches!(
                    section.attach_type,
                    Some(AttachType::TRACE_ITER | AttachType::TRACE_RAW_TP)
                );
            let safe = i32::try_from(section.safe.unwrap_or(def.safe))?;
            let mut program = returning(program, safe);
            if perf {
                assert!(program.ring_to_perf(|_| true, None) > 0);
            }
            let fds =
                |map: aya_obj::spec::MapId| Ok::<_, Infallible>(maps[map.0 as usize].as_raw_fd());
            let Ok(insns) = program.instructions(fds);
            let load = |log_level, log| {
                bpf::prog_load(ProgLoad {
                    expected_attach_type: section.attach_type,
                    flags: section.flags,
                    attach_btf_id: target,
                    log_level,
                    log,
                    ..ProgLoad::new(def.prog_type, &insns, c"GPL")
                })
            };
            // The verifier is asked for its reasons only where it refuses: they take it long.
            let result = load(0, None);
            let mut log = vec![0; 1 << 16];
            if result.is_err() {
                let _again = load(1, Some(&mut log));
            }
            let since = (section.since.major.into(), section.since.minor.into());
            let log = String::from_utf8_lossy(&log);
            let log = log.trim_end_matches('\0');
            match (result, refusal(def, section, perf, running)) {
                (Ok(_), None) => {
                    loaded += 1;
                    trampolines += usize::from(trampoline);
                }
                (Ok(_), Some(_)) => writeln!(wrong, "{}: loads", section.prefix)?,
                (Err(_), _) if running < since => {}
                // Distributions build their kernels without it.
                (Err(_), _) if log.is_empty() && def.name == "lirc_mode2" => {}
                (Err(error), _) if trampoline && log.is_empty() && error.errno == Errno::EPERM => {
                    denied += 1;
                }
                (Err(_), Some(reason)) if log.contains(reason) => {}
                (Err(error), _) => writeln!(wrong, "{}: {}: {log}", section.prefix, error.errno)?,
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "on {running:?}, besides {loaded} that load:\n{wrong}"
    );
    assert!(
        loaded > 20 && (denied == 0 || trampolines == 0),
        "{loaded} loaded, {denied} denied"
    );
    Ok(())
}

/// The program with another value to return.
fn returning(program: &LinkedProgram, value: i32) -> LinkedProgram {
    const JUMP: u8 = 0x05;
    let mut program = program.clone();
    let end = program.insns.len();
    for (at, slot) in program.insns.iter_mut().enumerate() {
        if slot.insn == Insn::EXIT {
            let distance = i16::try_from(end - at - 1).unwrap_or(i16::MAX);
            *slot = Insn::new(JUMP, 0, 0, distance, 0).into();
        }
    }
    program
        .insns
        .extend([Insn::mov64_imm(0, value), Insn::EXIT].map(Instruction::from));
    program
}

/// The type id of something that programs of this section can be attached to, 0 if none is needed; `None`
/// for types that are about more than the kernel alone, and where this kernel lacks it.
fn target(def: &ProgramDef, section: &SectionDef, types: &aya_obj::btf::Btf) -> Option<u32> {
    let sleeps = section.flags & BPF_F_SLEEPABLE != 0;
    let name = match (def.attach, section.attach_type) {
        (Via::Extension | Via::StructOps, _) => return None,
        // Their functions are named when they are attached.
        _ if section.prefix.contains(".multi") => return Some(0),
        (_, Some(AttachType::LSM_MAC)) if sleeps => "bpf_lsm_bprm_committed_creds",
        // Which functions may sleep depends on how the kernel was built.
        (
            Via::Tracing,
            Some(AttachType::TRACE_FENTRY | AttachType::TRACE_FEXIT | AttachType::MODIFY_RETURN),
        ) if sleeps => return None,
        (_, Some(AttachType::MODIFY_RETURN)) => "security_file_open",
        (_, Some(AttachType::LSM_MAC)) => "bpf_lsm_file_open",
        (_, Some(AttachType::LSM_CGROUP)) => "bpf_lsm_socket_create",
        (_, Some(AttachType::TRACE_RAW_TP)) => "btf_trace_sched_process_exec",
        (_, Some(AttachType::TRACE_ITER)) => "bpf_iter_task",
        (Via::Tracing, _) => "bpf_fentry_test1",
        _ => return Some(0),
    };
    let found = types.find(name, |kind| {
        matches!(kind, Kind::Func { .. } | Kind::Typedef { .. })
    });
    Some(found?.0)
}

fn create(spec: &MapSpec, perf: bool) -> TestResult<OwnedFd> {
    let stand_in = perf && spec.map_type == MapType::RINGBUF;
    let map = bpf::map_create(&match stand_in {
        true => MapCreate {
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            ..MapCreate::new(MapType::PERF_EVENT_ARRAY)
        },
        false => MapCreate {
            key_size: spec.key_size,
            value_size: spec.value_size,
            max_entries: spec.max_entries,
            flags: spec.flags,
            ..MapCreate::new(spec.map_type)
        },
    })?;
    if let Some(contents) = &spec.contents {
        let map = bpf::Map::open(map.try_clone()?)?;
        let mut bytes = contents.clone();
        bytes.resize(map.value_size(), 0);
        map.update(&0_u32.to_ne_bytes(), &bytes, 0)?;
        if spec.frozen {
            map.freeze()?;
        }
    }
    Ok(map)
}
