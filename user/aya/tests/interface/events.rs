//! Tracepoints and perf events.

use aya::{
    Ebpf,
    programs::{
        Program, ProgramError, ProgramFd, ProgramInfo, ProgramType, TracePoint, TracePointError,
        links::{FdLink, Link, LinkError},
        loaded_programs,
        perf_event::{
            BreakpointConfig, HardwareEvent, HwCacheEvent, HwCacheOp, HwCacheResult,
            PerfBreakpointLength, PerfBreakpointType, PerfEvent, PerfEventConfig, PerfEventLink,
            PerfEventLinkId, PerfEventScope, SamplePolicy, SoftwareEvent,
        },
        trace_point::{TracePointLink, TracePointLinkId},
    },
    util::online_cpus,
};

use super::{Result, debug, is, link, reportable, shared};

fn types() {
    reportable::<TracePointError>();
    link::<TracePointLink, TracePointLinkId>();
    link::<PerfEventLink, PerfEventLinkId>();
    shared::<TracePoint>();
    shared::<PerfEvent>();
    debug::<PerfEventConfig>();
    debug::<PerfEventScope>();
    debug::<SamplePolicy>();
    is::<ProgramType>(TracePoint::PROGRAM_TYPE);
    is::<ProgramType>(aya::programs::PerfEvent::PROGRAM_TYPE);
    let _: fn(&mut TracePoint, &str, &str) -> Result<TracePointLinkId, ProgramError> =
        TracePoint::attach;
    let _: fn(
        &mut PerfEvent,
        PerfEventConfig,
        PerfEventScope,
        SamplePolicy,
        bool,
    ) -> Result<PerfEventLinkId, ProgramError> = PerfEvent::attach;
}

fn tracepoint(ebpf: &mut Ebpf) -> Result {
    let program: &mut TracePoint = ebpf.program_mut("exec").unwrap().try_into()?;
    program.load()?;
    let id = program.attach("sched", "sched_process_exec")?;
    let link: TracePointLink = program.take_link(id)?;
    is::<TracePointLinkId>(link.id());
    let link: FdLink = link.try_into()?;
    let link: Result<TracePointLink, LinkError> = link.try_into();
    link?.detach()?;
    let id = program.attach("syscalls", "sys_enter_openat")?;
    program.detach(id)?;
    is::<&ProgramFd>(program.fd()?);
    is::<ProgramInfo>(program.info()?);
    program.pin("/sys/fs/bpf/exec")?;
    program.unpin()?;
    program.unload()?;
    let mut pinned = TracePoint::from_pin("/sys/fs/bpf/exec")?;
    pinned.attach("sched", "sched_switch")?;
    for info in loaded_programs() {
        TracePoint::from_program_info(info?, "exec".into())?;
    }
    match ebpf.program("exec") {
        Some(Program::TracePoint(program)) => is::<&TracePoint>(program),
        Some(Program::PerfEvent(program)) => is::<&PerfEvent>(program),
        _ => {}
    }
    Ok(())
}

fn errors(error: ProgramError) -> String {
    match error {
        ProgramError::AttachCookieNotSupported { .. } => String::new(),
        ProgramError::TracePointError(TracePointError::FileError { filename, io_error }) => {
            format!("{}: {io_error}", filename.display())
        }
        other => other.to_string(),
    }
}

fn perf_event(ebpf: &mut Ebpf, pid: u32) -> Result {
    let program: &mut PerfEvent = ebpf.program_mut("profile").unwrap().try_into()?;
    program.load()?;
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        program.attach(
            PerfEventConfig::Software(SoftwareEvent::CpuClock),
            PerfEventScope::AllProcessesOneCpu { cpu },
            SamplePolicy::Period(1_000_000),
            true,
        )?;
    }
    let configs = [
        PerfEventConfig::Pmu {
            pmu_type: 1,
            config: 2,
        },
        PerfEventConfig::Hardware(HardwareEvent::CpuCycles),
        PerfEventConfig::TracePoint { event_id: 1 },
        PerfEventConfig::HwCache {
            event: HwCacheEvent::L1d,
            operation: HwCacheOp::Read,
            result: HwCacheResult::Miss,
        },
        PerfEventConfig::Raw { event_id: 0x1c2 },
        PerfEventConfig::Breakpoint(BreakpointConfig::Data {
            r#type: PerfBreakpointType::ReadWrite,
            address: 0x1000,
            length: PerfBreakpointLength::Len4,
        }),
        PerfEventConfig::Breakpoint(BreakpointConfig::Instruction { address: 0x1000 }),
    ];
    let frequency = SamplePolicy::Frequency(99);
    for config in configs {
        let id = program.attach(
            config,
            PerfEventScope::OneProcess { pid, cpu: None },
            frequency,
            false,
        )?;
        let link: PerfEventLink = program.take_link(id)?;
        link.detach()?;
    }
    let calling = PerfEventScope::CallingProcess { cpu: Some(0) };
    let software = PerfEventConfig::Software(SoftwareEvent::ContextSwitches);
    let id: PerfEventLinkId = program.attach(software, calling, frequency, false)?;
    program.detach(id)?;
    PerfEvent::from_pin("/sys/fs/bpf/profile")?.unload()?;
    Ok(())
}

/// The kernel's numbers.
const _: () = {
    assert!(HardwareEvent::RefCpuCycles as u32 == 9);
    assert!(SoftwareEvent::CgroupSwitches as u32 == 11);
    assert!(HwCacheEvent::Node as u32 == 6);
    assert!(HwCacheOp::Prefetch as u32 == 2);
    assert!(HwCacheResult::Miss as u32 == 1);
    assert!(PerfBreakpointType::ReadWrite as u32 == 3);
    assert!(PerfBreakpointLength::Len8 as u32 == 8);
};
