//! Traffic control, programs on sockets, and orders among programs.

use std::{
    borrow::Cow,
    io,
    net::UdpSocket,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::{
    Ebpf, TestRun, TestRunOptions, TestRunResult,
    pin::PinError,
    programs::{
        self, LinkOrder, MultiProgLink, MultiProgram, Program, ProgramError, ProgramFd, ProgramId,
        ProgramInfo, ProgramType, ReusePortSocketFilter, SchedClassifier, SkReuseport,
        SkReuseportAttachType, SkReuseportError, SocketFilter, SocketFilterError, TcAttachType,
        TcError, TcHandle,
        links::{self, FdLink, Link as _, LinkError, PinnedLink},
        sk_reuseport, socket_filter,
        tc::{
            self, NlOptions, SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions,
            qdisc_add_clsact, qdisc_detach_program,
        },
    },
};

use crate::{Result, debug, is, link, reportable, shared};

fn types() {
    reportable::<TcError>();
    reportable::<SocketFilterError>();
    reportable::<SkReuseportError>();
    reportable::<tc::TcError>();
    reportable::<socket_filter::SocketFilterError>();
    link::<SchedClassifierLink, SchedClassifierLinkId>();
    shared::<SchedClassifierLink>();
    shared::<tc::SchedClassifier>();
    shared::<socket_filter::SocketFilter>();
    shared::<socket_filter::ReusePortSocketFilter>();
    shared::<sk_reuseport::SkReuseport>();
    debug::<LinkOrder>();
    debug::<TcAttachOptions>();
    is::<ProgramType>(SchedClassifier::PROGRAM_TYPE);
    is::<ProgramType>(SocketFilter::PROGRAM_TYPE);
    is::<ProgramType>(ReusePortSocketFilter::PROGRAM_TYPE);
    is::<ProgramType>(SkReuseport::PROGRAM_TYPE);
}

fn classifier(ebpf: &mut Ebpf) -> Result {
    let program: &mut SchedClassifier = ebpf.program_mut("tc_egress").unwrap().try_into()?;
    let _ = tc::qdisc_add_clsact("eth0");
    let _: std::result::Result<(), TcError> = qdisc_add_clsact("eth0");
    let _: std::result::Result<(), TcError> =
        qdisc_detach_program("eth0", TcAttachType::Ingress, "tc_egress");
    program.load()?;
    let id: SchedClassifierLinkId = program.attach("eth0", TcAttachType::Egress)?;
    let link: SchedClassifierLink = program.take_link(id)?;
    is::<SchedClassifierLinkId>(link.id());
    let id: SchedClassifierLinkId = program.attach_to_link(link)?;
    program.detach(id)?;
    let options = NlOptions {
        priority: 50,
        handle: TcHandle::new(0, 3),
        classid: None,
    };
    let options = TcAttachOptions::Netlink(NlOptions {
        handle: TcHandle::AUTO_ASSIGN,
        ..options
    });
    let custom = programs::tc::TcAttachType::Custom(0x1_0001);
    let id = program.attach_with_options("eth0", custom, options)?;
    let link = program.take_link(id)?;
    is::<TcAttachType>(link.attach_type()?);
    is::<u16>(link.priority()?);
    is::<tc::TcHandle>(link.handle()?);
    is::<Option<TcHandle>>(link.classid()?);
    let link: std::result::Result<FdLink, LinkError> = link.try_into();
    let link: std::result::Result<SchedClassifierLink, LinkError> = link?.try_into();
    link?.detach()?;
    let link: io::Result<SchedClassifierLink> = SchedClassifierLink::attached(
        "eth0",
        TcAttachType::Ingress,
        50,
        TcHandle::new(0, 1),
        Some(TcHandle::new(1, 1)),
    );
    drop(link?);
    drop(PinnedLink::from_pin("/sys/fs/bpf/link")?);

    let (revision, programs) = SchedClassifier::query_tcx("eth0", TcAttachType::Ingress)?;
    is::<u64>(revision);
    is::<Vec<ProgramInfo>>(programs);
    is::<&ProgramFd>(program.fd()?);
    let result: TestRunResult = program.test_run(TestRunOptions::new())?;
    is::<u32>(result.return_value);
    is::<std::result::Result<(), PinError>>(program.pin("/sys/fs/bpf/program"));
    is::<io::Result<()>>(program.unpin());
    let info: ProgramInfo = program.info()?;
    program.unload()?;
    SchedClassifier::from_program_info(info, Cow::Borrowed("tc_egress"))?;
    tc::SchedClassifier::from_pin("/sys/fs/bpf/program")?;
    Ok(())
}

fn order(program: &mut SchedClassifier, link: &SchedClassifierLink) -> Result {
    // Existing programs write `unsafe` here, which is a warning at most.
    #[allow(unused_unsafe, clippy::undocumented_unsafe_blocks)]
    let id = unsafe { ProgramId::new(1) };
    let all = [
        links::LinkOrder::first(),
        LinkOrder::last(),
        LinkOrder::default(),
        LinkOrder::before_program(&*program)?,
        LinkOrder::after_program(&*program)?,
        LinkOrder::before_link(link)?,
        LinkOrder::after_link(link)?,
        LinkOrder::before_program_id(id),
        LinkOrder::after_program_id(ProgramId::new(1)),
    ];
    for order in all {
        let options = TcAttachOptions::TcxOrder(order);
        program.attach_with_options("eth0", TcAttachType::Ingress, options)?;
    }
    Ok(())
}

fn descriptors<P: MultiProgram, L: MultiProgLink>(program: &P, link: &L) -> Result {
    is::<BorrowedFd<'_>>(program.fd()?);
    is::<BorrowedFd<'_>>(link.fd()?);
    Ok(())
}

fn errors(error: ProgramError) {
    match error {
        ProgramError::TcError(TcError::NetlinkError(error)) => {
            is::<Option<i32>>(error.raw_os_error())
        }
        ProgramError::TcError(TcError::IoError(error)) => is::<io::Error>(error),
        ProgramError::TcError(TcError::NulError(error)) => is::<std::ffi::NulError>(error),
        ProgramError::TcError(TcError::InvalidTcxAttach(parent)) => is::<u32>(parent),
        ProgramError::TcError(TcError::AlreadyAttached | TcError::InvalidLinkOperation) => {}
        ProgramError::SocketFilterError(SocketFilterError::SetsockoptError {
            option,
            io_error,
        }) => {
            is::<&'static str>(option);
            is::<io::Error>(io_error);
        }
        _ => {}
    }
}

fn sockets(ebpf: &mut Ebpf) -> Result {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let program: &mut SocketFilter = ebpf.program_mut("filter").unwrap().try_into()?;
    program.load()?;
    program.attach(&socket)?;
    program.attach(socket.as_fd())?;
    SocketFilter::detach(&socket)?;
    let result: TestRunResult = program.test_run(TestRunOptions::new())?;
    is::<u32>(result.return_value);
    is::<&ProgramFd>(program.fd()?);
    program.pin("/sys/fs/bpf/program")?;
    program.unpin()?;
    let info = program.info()?;
    program.unload()?;
    SocketFilter::from_program_info(info, "filter".into())?;
    socket_filter::SocketFilter::from_pin("/sys/fs/bpf/program")?;

    let program = ebpf.program_mut("pick").unwrap();
    if let Program::ReusePortSocketFilter(program) = program {
        program.load()?;
        program.attach(&socket)?;
        ReusePortSocketFilter::detach(&socket)?;
        let _: TestRunResult = program.test_run(TestRunOptions::new())?;
        let info = program.info()?;
        ReusePortSocketFilter::from_program_info(info, "pick".into())?;
        ReusePortSocketFilter::from_pin("/sys/fs/bpf/program")?;
    }

    let program: &mut SkReuseport = ebpf.program_mut("select").unwrap().try_into()?;
    program.load()?;
    match program.attach(&socket) {
        Err(ProgramError::SkReuseportError(SkReuseportError::SetsockoptError {
            option, ..
        })) => is::<&str>(option),
        attached => attached?,
    }
    SkReuseport::detach(&socket)?;
    is::<&ProgramFd>(program.fd()?);
    program.pin("/sys/fs/bpf/program")?;
    program.unpin()?;
    let info = program.info()?;
    program.unload()?;
    let attach_type = SkReuseportAttachType::SelectOrMigrate;
    SkReuseport::from_program_info(info, "select".into(), attach_type)?;
    let attach_type = sk_reuseport::SkReuseportAttachType::Select;
    SkReuseport::from_pin("/sys/fs/bpf/program", attach_type)?;
    Ok(())
}
