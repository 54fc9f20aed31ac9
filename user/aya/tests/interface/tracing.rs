//! Programs at functions, tracepoints and security hooks of the kernel.

use std::borrow::Cow;

use aya::{
    Btf, Ebpf, RawTracePointRunOptions, RawTracePointTestRunResult, TestRun,
    programs::{
        BtfTracePoint, FEntry, FExit, Lsm, LsmAttachType, Program, ProgramError, ProgramFd,
        ProgramInfo, ProgramType, RawTracePoint, TracingError,
        fentry::{FEntryLink, FEntryLinkId},
        fexit::{FExitLink, FExitLinkId},
        links::{FdLink, Link},
        lsm::{LsmLink, LsmLinkId},
        raw_trace_point::{RawTracePointLink, RawTracePointLinkId},
        tp_btf::{BtfTracePointLink, BtfTracePointLinkId},
    },
};

use super::{Result, debug, is, link, reportable, shared};

fn types() {
    reportable::<TracingError>();
    link::<FEntryLink, FEntryLinkId>();
    link::<FExitLink, FExitLinkId>();
    link::<LsmLink, LsmLinkId>();
    link::<RawTracePointLink, RawTracePointLinkId>();
    link::<BtfTracePointLink, BtfTracePointLinkId>();
    shared::<aya::programs::fentry::FEntry>();
    shared::<aya::programs::fexit::FExit>();
    shared::<aya::programs::lsm::Lsm>();
    shared::<aya::programs::raw_trace_point::RawTracePoint>();
    shared::<aya::programs::tp_btf::BtfTracePoint>();
    debug::<aya::programs::RawTracePointRunOptions>();
    is::<ProgramType>(ProgramType::Lsm(LsmAttachType::Mac));
}

macro_rules! typed {
    ($name:ident: $handle:ident, $link:ident, $id:ident) => {
        fn $name(ebpf: &mut Ebpf, btf: &Btf, info: ProgramInfo) -> Result<(), ProgramError> {
            const LOAD: fn(&mut $handle, &str, &Btf) -> Result<(), ProgramError> = $handle::load;
            const ATTACH: fn(&mut $handle) -> Result<$id, ProgramError> = $handle::attach;
            let _: ProgramType = $handle::PROGRAM_TYPE;
            let program: &mut $handle = ebpf.program_mut("p").unwrap().try_into()?;
            program.load("target", &btf)?;
            program.pin("/sys/fs/bpf/p")?;
            program.unpin()?;
            let id = program.attach()?;
            program.detach(id)?;
            let id: $id = program.attach()?;
            let link: $link = program.take_link(id)?;
            let link: FdLink = link.try_into()?;
            let link: $link = $link::try_from(link)?;
            link.detach()?;
            let _: &ProgramFd = program.fd()?;
            let _: ProgramInfo = program.info()?;
            program.unload()?;
            let _: $handle = $handle::from_pin("/sys/fs/bpf/p")?;
            // SAFETY: the function is safe; existing programs must say otherwise.
            #[allow(unused_unsafe, reason = "existing programs have the block")]
            let _: $handle = unsafe { $handle::from_program_info(info, Cow::Borrowed("p")) }?;
            if let Program::$handle(program) = ebpf.program_mut("p").unwrap() {
                program.load("target", btf)?;
            }
            Ok(())
        }
    };
}

typed!(fentry: FEntry, FEntryLink, FEntryLinkId);
typed!(fexit: FExit, FExitLink, FExitLinkId);
typed!(lsm: Lsm, LsmLink, LsmLinkId);
typed!(tp_btf: BtfTracePoint, BtfTracePointLink, BtfTracePointLinkId);

fn raw_trace_point(ebpf: &mut Ebpf, info: ProgramInfo) -> Result {
    let program: &mut RawTracePoint = ebpf.program_mut("p").unwrap().try_into()?;
    program.load()?;
    let id: RawTracePointLinkId = program.attach("sys_enter")?;
    let link: RawTracePointLink = program.take_link(id)?;
    link.detach()?;
    program.pin("/sys/fs/bpf/p")?;
    program.unload()?;
    let _: RawTracePoint = RawTracePoint::from_pin("/sys/fs/bpf/p")?;
    let program = RawTracePoint::from_program_info(info, "p".into())?;
    let mut options = RawTracePointRunOptions::new();
    options.args = [0; 12];
    options.cpu = Some(0);
    let RawTracePointTestRunResult { return_value, .. } = program.test_run(options)?;
    let _: u32 = return_value;
    Ok(())
}

fn test_run(program: &FExit) -> Result<(), ProgramError> {
    program.test_run(())
}
