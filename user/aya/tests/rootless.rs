//! The loader against a stand-in for the kernel: bad input, and kernels of all ages, without
//! privileges.

mod support;

use std::{cell::Cell, rc::Rc};

use aya::{
    Ebpf, EbpfError, EbpfLoader, VerifierLogLevel,
    features::{Feature, Features},
    maps::{Map, MapError},
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, ProgramError, Xdp, XdpError, XdpMode,
    },
};
use aya_sys::{
    Errno,
    fake::{self, Call, Reply},
};
use aya_uapi::{Cmd, Insn, attr::ProgLoad};
use object::{Architecture, Endianness};
use support::builder::Builder;

/// A kernel that agrees to everything.
fn willing(_: &Call) -> Reply {
    Reply::Fd
}

fn pass(ebpf: &mut Ebpf) -> &mut Xdp {
    let program = ebpf.program_mut("pass").expect("the object has it");
    program.try_into().expect("it is an XDP program")
}

fn commands(calls: &[Call]) -> Vec<Option<Cmd>> {
    calls.iter().map(|call| call.cmd).collect()
}

fn fresh(object: &[u8]) -> Result<Ebpf, EbpfError> {
    EbpfLoader::new()
        .features(Features::without(&[]))
        .load(object)
}

#[test]
fn a_simple_program_takes_one_call() {
    let object = Builder::xdp().bytes();
    let ((), calls) = fake::run(willing, move || {
        let mut ebpf = fresh(&object).expect("fine");
        pass(&mut ebpf).load().expect("the kernel agrees");
    });
    assert_eq!(
        commands(&calls),
        [Some(Cmd::PROG_LOAD)],
        "nothing is probed for"
    );
    assert_eq!(calls[0].object_name(), "pass");
    assert_eq!(calls[0].insns.last(), Some(&Insn::EXIT));
}

#[test]
fn what_is_no_object_is_an_error_that_says_what_to_do() {
    let big = match Endianness::default() {
        Endianness::Little => Endianness::Big,
        Endianness::Big => Endianness::Little,
    };
    let host = std::fs::read(std::env::current_exe().expect("this test")).expect("readable");
    let foreign = Builder::new(Architecture::X86_64, Endianness::Little).bytes();
    let other_order = Builder::new(Architecture::Bpf, big)
        .program("xdp", "pass")
        .bytes();
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty", &[], "ELF"),
        ("no ELF", b"#!/bin/sh\n", "ELF"),
        ("x86 object", &foreign, "not for eBPF"),
        ("x86 program", &host, "not for eBPF"),
        ("other byte order", &other_order, "byte order"),
    ];
    for (what, bytes, expected) in cases {
        let error = Ebpf::load(bytes).expect_err(what);
        assert!(
            matches!(
                error,
                EbpfError::ParseError(_) | EbpfError::RelocationError(_)
            ),
            "{what}: {error:?}"
        );
        let text = error.to_string();
        assert!(text.contains(expected), "{what}: {text}");
    }
    let missing = Ebpf::load_file("/no/such/object.o").expect_err("there is no such file");
    assert!(
        missing.to_string().starts_with("/no/such/object.o: "),
        "{missing}"
    );
}

#[test]
fn damaged_objects_are_errors_or_load_but_never_panic() {
    let whole = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let ((), _) = fake::run(willing, move || {
        for length in 0..whole.len() {
            if let Ok(ebpf) = fresh(&whole[..length]) {
                assert!(ebpf.programs().count() <= 1);
            }
        }
        let mut refused = 0;
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(fresh(&bytes).is_err());
        }
        assert!(refused > 100, "most bits of the headers matter: {refused}");
    });
}

#[test]
fn unknown_sections_are_passed_over_and_unknown_maps_are_not() {
    let object = Builder::xdp().program("no_such_type/x", "ignored").bytes();
    let (programs, _) = fake::run(willing, move || {
        let ebpf = fresh(&object).expect("an unknown section is no error");
        ebpf.programs()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    });
    assert_eq!(programs, ["pass"]);

    let object = Builder::xdp().map("STRANGE", [9999, 4, 4, 1, 0]).bytes();
    let ((), _) = fake::run(willing, move || {
        let error = fresh(&object).expect_err("nobody knows the type");
        assert!(
            matches!(&error, EbpfError::MapError(MapError::Unsupported { name, map_type: 9999 })
                if name == "STRANGE"),
            "{error:?}"
        );
        let ebpf = EbpfLoader::new()
            .allow_unsupported_maps()
            .load(&object)
            .expect("allowed");
        assert!(matches!(ebpf.map("STRANGE"), Some(Map::Unsupported(_))));
    });
}

#[test]
fn settings_that_do_not_fit_are_errors() {
    let object = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let ((), calls) = fake::run(willing, move || {
        let missing = EbpfLoader::new()
            .override_global("NO_SUCH", &1_u32, true)
            .load(&object);
        let text = missing.expect_err("there is no such variable").to_string();
        assert!(text.contains("NO_SUCH"), "{text}");
        let missing = EbpfLoader::new()
            .map_max_entries("NO_SUCH", 1)
            .load(&object);
        let text = missing.expect_err("there is no such map").to_string();
        assert!(text.contains("NO_SUCH"), "{text}");
    });
    assert!(calls.is_empty(), "nothing was created for it: {calls:?}");
}

#[test]
fn kernels_without_names_get_none_and_are_asked_once() {
    let object = Builder::xdp().bytes();
    // Before 4.15 a name is bytes past the end of what the kernel knows.
    let old = |call: &Call| match call.object_name().is_empty() {
        true => Reply::Fd,
        false => Reply::Error(Errno::E2BIG),
    };
    let ((), calls) = fake::run(old, move || {
        let features = Features::without(&[]);
        for _ in 0..2 {
            let mut loader = EbpfLoader::new();
            let mut ebpf = loader
                .features(features.clone())
                .load(&object)
                .expect("fine");
            pass(&mut ebpf).load().expect("without a name it goes");
        }
        assert!(!features.has(Feature::Names));
    });
    let load = Some(Cmd::PROG_LOAD);
    assert_eq!(commands(&calls), [load, Some(Cmd::MAP_CREATE), load, load]);
}

#[test]
fn who_may_not_ask_gets_no_answer_to_keep() {
    let features = Features::without(&[]);
    let all = [Feature::Names, Feature::Btf, Feature::RingBuf];
    let asked = features.clone();
    let (answers, _) = fake::run(
        |_| Reply::Error(Errno::EPERM),
        move || all.map(|feature| asked.has(feature)),
    );
    assert_eq!(answers, [true; 3], "the attempt itself shows what is wrong");
    let (answers, _) = fake::run(
        |_| Reply::Error(Errno::EINVAL),
        move || all.map(|feature| features.has(feature)),
    );
    assert_eq!(answers, [false; 3], "asked again");
}

#[test]
fn the_log_gets_room_until_it_fits() {
    const WORD: &str = "R1 invalid mem access 'scalar'";
    let object = Builder::xdp().bytes();
    let attempts = Rc::new(Cell::new(0));
    let seen = Rc::clone(&attempts);
    let verifier = move |call: &Call| {
        attempts.set(attempts.get() + 1);
        match call.u32(std::mem::offset_of!(ProgLoad, log_size)) {
            0 => Reply::Error(Errno::EACCES),
            small if small < 1 << 20 => Reply::Error(Errno::ENOSPC),
            _ => Reply::Refused(Errno::EACCES, format!("0: (b7) r0 = 2\n{WORD}\n")),
        }
    };
    let (result, calls) = fake::run(verifier, move || {
        pass(&mut fresh(&object).expect("fine")).load()
    });
    let Err(ProgramError::LoadError {
        reason,
        verifier_log,
        ..
    }) = &result
    else {
        panic!("{result:?}");
    };
    assert!(reason.starts_with(WORD), "{reason}");
    assert!(verifier_log.as_str().contains(WORD));
    assert_eq!(calls.len(), seen.get());
    assert_eq!(
        calls[0].u32(std::mem::offset_of!(ProgLoad, log_level)),
        0,
        "silent at first"
    );
}

#[test]
fn refusals_have_types() {
    let object = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let copy = object.clone();
    let (result, _) = fake::run(|_| Reply::Error(Errno::EPERM), move || fresh(&copy));
    let error = result.expect_err("not permitted");
    assert!(
        matches!(&error, EbpfError::MissingPrivilege { name, .. } if name == "M"),
        "{error:?}"
    );
    assert!(error.to_string().contains("CAP_BPF"), "{error}");

    let program_only = |call: &Call| match call.cmd {
        Some(Cmd::PROG_LOAD) => Reply::Error(Errno::EPERM),
        _ => Reply::Fd,
    };
    let copy = object.clone();
    let (result, _) = fake::run(program_only, move || {
        pass(&mut fresh(&copy).expect("fine")).load()
    });
    let error = result.expect_err("not permitted");
    assert!(
        matches!(error, ProgramError::MissingPrivilege { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");

    let answers = [
        (Errno::EPERM, "CAP_NET_ADMIN"),
        (Errno::EOPNOTSUPP, "XdpMode::Skb"),
        (Errno::EBUSY, "has an XDP program already"),
        (Errno::ENODEV, "does not exist"),
    ];
    for (errno, expected) in answers {
        let attach = move |call: &Call| match call.cmd {
            Some(Cmd::LINK_CREATE) => Reply::Error(errno),
            _ => Reply::Fd,
        };
        let copy = object.clone();
        let (text, _) = fake::run(attach, move || {
            let mut ebpf = fresh(&copy).expect("fine");
            let program = pass(&mut ebpf);
            program.load().expect("fine");
            let refused = program.attach_to_if_index(7, XdpMode::Driver);
            refused.expect_err("refused").to_string()
        });
        assert!(text.contains(expected), "{errno:?}: {text}");
    }
}

#[test]
fn without_xdp_links_netlink_is_used_and_remembered() {
    let object = Builder::xdp().bytes();
    let old = |call: &Call| match call.cmd {
        Some(Cmd::LINK_CREATE) => Reply::Error(Errno::EINVAL),
        _ => Reply::Fd,
    };
    let ((), calls) = fake::run(old, move || {
        let mut ebpf = fresh(&object).expect("fine");
        let program = pass(&mut ebpf);
        program.load().expect("fine");
        for _ in 0..2 {
            let id = program
                .attach_to_if_index(7, XdpMode::Skb)
                .expect("by netlink");
            program.detach(id).expect("attached");
        }
    });
    let (load, netlink) = (Some(Cmd::PROG_LOAD), None);
    let link = Some(Cmd::LINK_CREATE);
    assert_eq!(
        commands(&calls),
        [load, link, netlink, netlink, netlink, netlink]
    );
}

#[test]
fn a_level_of_nothing_asks_for_no_log() {
    let object = Builder::xdp().bytes();
    let (result, calls) = fake::run(
        |_| Reply::Error(Errno::EACCES),
        move || {
            let mut loader = EbpfLoader::new();
            let mut ebpf = loader
                .verifier_log_level(VerifierLogLevel::DISABLE)
                .load(&object)
                .expect("fine");
            pass(&mut ebpf).load()
        },
    );
    assert!(
        matches!(result, Err(ProgramError::LoadError { .. })),
        "{result:?}"
    );
    assert_eq!(calls.len(), 1);
}

#[test]
fn the_interface_busy_error_carries_its_source() {
    let object = Builder::xdp().bytes();
    let busy = |call: &Call| match call.cmd {
        Some(Cmd::LINK_CREATE) => Reply::Error(Errno::EBUSY),
        _ => Reply::Fd,
    };
    let (result, _) = fake::run(busy, move || {
        let mut ebpf = fresh(&object).expect("fine");
        let program = pass(&mut ebpf);
        program.load().expect("fine");
        program.attach_to_if_index(7, XdpMode::Skb).map(drop)
    });
    let Err(error @ ProgramError::XdpError(XdpError::InterfaceBusy { .. })) = result else {
        panic!("{result:?}");
    };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert!(source.is_some_and(|source| source.contains("LINK_CREATE")));
}

/// Takes a program off a cgroup on which `attached` is by now; whether the kernel is asked to.
fn taken_off(attached: u32) -> bool {
    const OURS: u32 = 7;
    let object = Builder::new(Architecture::Bpf, Endianness::default())
        .program("cgroup/skb", "pass")
        .bytes();
    // What is queried comes back as zeros.
    let id = if attached == OURS { 0 } else { OURS };
    let kernel = move |call: &Call| match call.cmd {
        // `type`, then `id`.
        Some(Cmd::OBJ_GET_INFO_BY_FD) => Reply::Info([0, id].map(u32::to_ne_bytes).concat()),
        _ => Reply::Fd,
    };
    let ((), calls) = fake::run(kernel, move || {
        let mut ebpf = EbpfLoader::new()
            .features(Features::without(&[Feature::CgroupLink]))
            .load(&object)
            .expect("fine");
        let program = ebpf.program_mut("pass").expect("the object has it");
        let program: &mut CgroupSkb = program.try_into().expect("of this type");
        program.load().expect("fine");
        let cgroup = std::fs::File::open("/").expect("a folder");
        let (egress, mode) = (CgroupSkbAttachType::Egress, CgroupAttachMode::AllowMultiple);
        let id = program.attach(cgroup, egress, mode).expect("fine");
        program.detach(id).expect("fine");
    });
    commands(&calls).contains(&Some(Cmd::PROG_DETACH))
}

#[test]
fn programs_of_others_stay_on_a_cgroup() {
    assert!(taken_off(7), "ours goes");
    assert!(!taken_off(8), "another's stays");
}
