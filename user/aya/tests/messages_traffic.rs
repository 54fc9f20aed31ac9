//! What goes wrong with traffic control, as a user reads it, on a stand-in for the kernel.

mod support;

use aya::{
    EbpfLoader,
    features::{Feature, Features},
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType, TcError,
        tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle},
    },
};
use aya_sys::{
    Errno,
    fake::{self, Call, Reply},
};
use aya_uapi::Cmd;
use object::{Architecture, Endianness};
use support::{builder::Builder, reads};

/// An interface that every machine has; nothing is attached to it here.
const LOOPBACK: &str = "lo";

/// Attaches the program `out` on a kernel that answers so.
fn attached(
    missing: &[Feature],
    kernel: impl Fn(&Call) -> Reply + 'static,
    attach: impl FnOnce(&mut SchedClassifier) -> Result<(), ProgramError>,
) -> ProgramError {
    let object = Builder::new(Architecture::Bpf, Endianness::default())
        .program("classifier", "out")
        .bytes();
    let features = Features::without(missing);
    let (result, _) = fake::run(kernel, move || {
        let mut ebpf = EbpfLoader::new()
            .features(features)
            .load(&object)
            .expect("fine");
        let program = ebpf.program_mut("out").expect("the object has it");
        let program: &mut SchedClassifier = program.try_into().expect("of this type");
        program.load().expect("fine");
        attach(program)
    });
    result.expect_err("it is refused")
}

/// By TCX, where creating the link is answered so.
fn by_link(errno: Errno) -> ProgramError {
    let kernel = move |call: &Call| match call.cmd {
        Some(Cmd::LINK_CREATE) => Reply::Error(errno),
        _ => Reply::Fd,
    };
    attached(&[], kernel, |program| {
        program.attach(LOOPBACK, TcAttachType::Egress).map(drop)
    })
}

/// By netlink, where the request for the filter is answered so.
fn by_filter(answer: Reply, clsact: bool) -> ProgramError {
    let kernel = move |call: &Call| match call.name {
        "netlink(RTM_NEWTFILTER)" => answer.clone(),
        "netlink(RTM_GETQDISC)" if !clsact => Reply::Error(Errno::ENOENT),
        _ => Reply::Fd,
    };
    let options = NlOptions {
        priority: 3,
        handle: TcHandle::new(0, 0x1f),
        classid: None,
    };
    attached(&[Feature::TcxLink], kernel, move |program| {
        let options = TcAttachOptions::Netlink(options);
        program
            .attach_with_options(LOOPBACK, TcAttachType::Ingress, options)
            .map(drop)
    })
}

#[test]
fn what_tcx_refuses() {
    let begins = "program `out`: ";
    reads(&by_link(Errno::EPERM), begins, "CAP_NET_ADMIN");
    reads(&by_link(Errno::EEXIST), begins, "detach it first");
    reads(&by_link(Errno::ENOENT), begins, "lists what is");
    // The kernel has TCX, so it dislikes something else.
    let error = by_link(Errno::EINVAL);
    assert!(
        matches!(error, ProgramError::TcError(TcError::Refused { .. })),
        "{error:?}"
    );
    reads(&error, begins, "that the options fit the interface");
    let error = by_link(Errno::ENODEV);
    reads(&error, "network interface `lo` ", "lists those there are");
}

#[test]
fn what_filters_are_refused_for() {
    let begins = "program `out`: ";
    let refused = |errno| by_filter(Reply::Error(errno), true);
    reads(&refused(Errno::EPERM), begins, "CAP_NET_ADMIN");
    let error = refused(Errno::EEXIST);
    assert!(error.to_string().contains("0:1f at priority 3"), "{error}");
    reads(&error, begins, "(`TcHandle::AUTO_ASSIGN`)");
    let error = by_filter(Reply::Error(Errno::EINVAL), false);
    reads(&error, begins, "call `tc::qdisc_add_clsact(\"lo\")` first");
    let words = "Specified filter kind does not match existing one".to_owned();
    let error = by_filter(Reply::Refused(Errno::EINVAL, words), true);
    assert!(error.to_string().contains("does not match"), "{error}");
    reads(&error, begins, "change that in the options");
}

#[test]
fn orders_without_tcx() {
    let order = |side| {
        move |program: &mut SchedClassifier| {
            let order = TcAttachOptions::TcxOrder(LinkOrder::first());
            program.attach_with_options(LOOPBACK, side, order).map(drop)
        }
    };
    let error = attached(
        &[Feature::TcxLink],
        |_| Reply::Fd,
        order(TcAttachType::Ingress),
    );
    let begins = "interface `lo`: this kernel has no TCX (6.6): ";
    reads(&error, begins, "`TcAttachOptions::Netlink`");
    // A kernel that knows neither the links nor the question.
    let kernel = |call: &Call| match call.cmd {
        Some(Cmd::LINK_CREATE | Cmd::PROG_QUERY) => Reply::Error(Errno::EINVAL),
        _ => Reply::Fd,
    };
    let error = attached(&[], kernel, order(TcAttachType::Egress));
    reads(&error, begins, "`TcAttachOptions::Netlink`");
    let error = attached(&[], |_| Reply::Fd, order(TcAttachType::Custom(0x1_0002)));
    reads(
        &error,
        "TCX has no hook 1:2: ",
        "`TcAttachOptions::Netlink`",
    );
    let (query, _) = fake::run(kernel, || {
        SchedClassifier::query_tcx(LOOPBACK, TcAttachType::Ingress)
    });
    reads(
        &query.expect_err("no TCX"),
        begins,
        "`TcAttachOptions::Netlink`",
    );
}

#[test]
fn without_tcx_a_program_becomes_a_filter() {
    let kernel = |call: &Call| match (call.cmd, call.name) {
        (Some(Cmd::LINK_CREATE | Cmd::PROG_QUERY), _) => Reply::Error(Errno::EINVAL),
        (_, "netlink(RTM_NEWTFILTER)") => Reply::Error(Errno::EEXIST),
        _ => Reply::Fd,
    };
    let error = attached(&[], kernel, |program| {
        program.attach(LOOPBACK, TcAttachType::Egress).map(drop)
    });
    assert!(
        matches!(error, ProgramError::TcError(TcError::HandleTaken { .. })),
        "{error:?}"
    );
}

#[test]
fn disciplines_that_are_refused() {
    let add = |errno| {
        let kernel = move |_: &Call| Reply::Error(errno);
        fake::run(kernel, || tc::qdisc_add_clsact(LOOPBACK))
            .0
            .expect_err("refused")
    };
    assert!(matches!(add(Errno::EEXIST), TcError::AlreadyAttached));
    reads(
        &add(Errno::EEXIST),
        "the interface has a queueing discipline ",
        "use that one",
    );
    reads(
        &add(Errno::EPERM),
        "interface `lo`: missing privilege: ",
        "CAP_NET_ADMIN",
    );
    let missing = tc::qdisc_detach_program("no-such-if0", TcAttachType::Egress, "out");
    let begins = "network interface `no-such-if0` ";
    reads(
        &missing.expect_err("not there"),
        begins,
        "lists those there are",
    );
    let (ingress, handle) = (TcAttachType::Ingress, TcHandle::new(0, 1));
    let missing = SchedClassifierLink::attached("no-such-if0", ingress, 50, handle, None);
    let missing = missing.expect_err("not there");
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    reads(&missing, begins, "lists those there are");
    let none = fake::run(
        |_| Reply::Ok,
        || tc::qdisc_detach_program(LOOPBACK, TcAttachType::Egress, "out"),
    );
    let begins = "interface `lo` has no filter `out` on egress: ";
    reads(&none.0.expect_err("none"), begins, "lists those there are");
}
