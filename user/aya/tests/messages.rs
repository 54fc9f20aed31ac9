//! What goes wrong, as a user reads it: `{error}`, and the chain that `{error:#}` of anyhow shows.

mod support;

use std::{
    fs::File,
    io,
    mem::offset_of,
    path::Path,
    sync::{Arc, Mutex},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    features::{Feature, Features},
    maps::{HashMap, MapData, ReusePolicy},
    pin::PinError,
    programs::{
        BtfTracePoint, CgroupError, ProgramError, SockMapError, TracePointError, TracingError, Xdp,
        XdpMode,
    },
    sys::SyscallError,
};
use aya_sys::{
    Errno,
    fake::{self, Call, Reply},
};
use aya_uapi::{
    AttachType, Cmd,
    attr::{self, ProgLoad},
};
use object::{Architecture, Endianness};
use support::{builder::Builder, reads};

/// An index that no interface has.
const NOBODY: u32 = 0x7fff_fff0;

fn fresh(object: &[u8]) -> Result<Ebpf, EbpfError> {
    EbpfLoader::new()
        .features(Features::without(&[]))
        .load(object)
}

/// What loading the object gives on a kernel that answers like that.
fn on(object: Vec<u8>, kernel: fn(&Call) -> Reply) -> EbpfError {
    let (result, _) = fake::run(kernel, move || fresh(&object));
    result.expect_err("it is refused")
}

fn pass(ebpf: &mut Ebpf) -> &mut Xdp {
    let program = ebpf.program_mut("pass").expect("the object has it");
    program.try_into().expect("it is an XDP program")
}

/// What loading the program gives on a kernel that answers its load like that.
fn verified(answer: fn(&Call) -> Reply) -> ProgramError {
    let object = Builder::xdp().bytes();
    let kernel = move |call: &Call| match call.cmd {
        Some(Cmd::PROG_LOAD) => answer(call),
        _ => Reply::Fd,
    };
    let (result, _) = fake::run(kernel, move || {
        pass(&mut fresh(&object).expect("fine")).load()
    });
    result.expect_err("it is refused")
}

fn attached(mode: XdpMode, errno: Errno) -> ProgramError {
    let object = Builder::xdp().bytes();
    let kernel = move |call: &Call| match call.cmd {
        Some(Cmd::LINK_CREATE) => Reply::Error(errno),
        _ => Reply::Fd,
    };
    let (result, _) = fake::run(kernel, move || {
        let mut ebpf = fresh(&object).expect("fine");
        let program = pass(&mut ebpf);
        program.load().expect("fine");
        program.attach_to_if_index(NOBODY, mode)
    });
    result.expect_err("it is refused")
}

#[test]
fn files_that_are_no_objects() {
    let load = |bytes: &[u8]| fresh(bytes).expect_err("refused");
    let whole = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let rebuild = "pass the eBPF object that the build made";
    reads(&load(&[]), "object file: ", rebuild);
    reads(&load(b"#!/bin/sh\n"), "object file: ", rebuild);
    reads(&load(&whole[..whole.len() / 2]), "object file: ", rebuild);
    let mut flipped = whole.clone();
    // The place of the section headers.
    flipped[0x28 + 3] ^= 1;
    reads(&load(&flipped), "object file: ", rebuild);

    let foreign = Builder::new(Architecture::X86_64, Endianness::Little).bytes();
    reads(
        &load(&foreign),
        "object file: built for x86-64",
        "not a program of the host",
    );
    let big = match Endianness::default() {
        Endianness::Little => Endianness::Big,
        Endianness::Big => Endianness::Little,
    };
    let other = Builder::new(Architecture::Bpf, big)
        .program("xdp", "pass")
        .bytes();
    reads(&load(&other), "object file: ", "-unknown-none`");
    let missing = Ebpf::load_file("/no/such/object.o").expect_err("there is none");
    reads(&missing, "/no/such/object.o: ", "check path and rights");
}

#[test]
fn unknown_sections_are_a_warning() {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Collect;
    impl log::Log for Collect {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.level() <= log::Level::Warn
        }
        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                SAID.lock().expect("whole").push(record.args().to_string());
            }
        }
        fn flush(&self) {}
    }
    log::set_logger(&Collect).expect("no other test sets one");
    log::set_max_level(log::LevelFilter::Warn);
    let object = Builder::xdp().program("no_such_type/x", "ignored").bytes();
    let ((), _) = fake::run(
        |_| Reply::Fd,
        move || {
            let ebpf = fresh(&object).expect("no error");
            assert_eq!(ebpf.programs().count(), 1);
        },
    );
    let said = SAID.lock().expect("whole");
    println!("{said:?}");
    let about = |line: &&String| line.starts_with("section `no_such_type/x`: ");
    assert_eq!(said.iter().filter(about).count(), 1, "{said:?}");
}

#[test]
fn maps_that_are_refused() {
    let map = |map_type| Builder::xdp().map("M", [map_type, 4, 8, 16, 0]).bytes();
    let unknown = on(map(9999), |_| Reply::Fd);
    reads(
        &unknown,
        "map `M` is of type 9999, ",
        "`EbpfLoader::allow_unsupported_maps`",
    );
    let error = on(map(1), |_| Reply::Error(Errno::EPERM));
    reads(
        &error,
        "map `M`: missing privilege: ",
        "CAP_BPF (CAP_SYS_ADMIN before kernel 5.8)",
    );
    let error = on(map(1), |call| match call.object_name().as_str() {
        // It takes other hash maps.
        "M" => Reply::Error(Errno::EINVAL),
        _ => Reply::Fd,
    });
    reads(
        &error,
        "map `M` could not be created: ",
        "or use a newer kernel",
    );
    let error = on(map(33), |call| {
        match call.u32(offset_of!(attr::MapCreate, map_type)) {
            33 => Reply::Error(Errno::EINVAL),
            _ => Reply::Fd,
        }
    });
    reads(
        &error,
        "map `M`: this kernel lacks maps of type BPF_MAP_TYPE_ARENA",
        "use Linux 6.9 or newer",
    );
    let error = on(map(1), |_| Reply::Error(Errno::ENOSYS));
    reads(
        &error,
        "map `M` could not be created: ",
        "CONFIG_BPF_SYSCALL",
    );
    let error = on(map(1), |_| Reply::Error(Errno::ENOMEM));
    reads(
        &error,
        "map `M` could not be created: ",
        "lower `max_entries`",
    );

    let object = map(1);
    let ((), _) = fake::run(
        |_| Reply::Fd,
        move || {
            let mut ebpf = fresh(&object).expect("fine");
            let map = ebpf.map_mut("M").expect("there");
            let error = HashMap::<_, u64, u64>::try_from(map).expect_err("other keys");
            reads(&error, "map `M` has keys of 4 bytes", "of the eBPF side");
        },
    );
}

#[test]
fn operations_that_are_refused() {
    let object = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let kernel = |call: &Call| match call.cmd {
        Some(Cmd::MAP_UPDATE_ELEM) => Reply::Error(Errno::E2BIG),
        Some(Cmd::MAP_DELETE_ELEM) => Reply::Error(Errno::EPERM),
        _ => Reply::Fd,
    };
    let ((), _) = fake::run(kernel, move || {
        let mut ebpf = fresh(&object).expect("fine");
        let map = ebpf.map_mut("M").expect("there");
        let mut map = HashMap::<_, u32, u64>::try_from(map).expect("of these types");
        let full = map.insert(1, 2, 0).expect_err("full");
        reads(&full, "map `M` is full with 16 entries", "before loading");
        let read_only = map.remove(&1).expect_err("read-only");
        reads(
            &read_only,
            "`bpf(BPF_MAP_DELETE_ELEM)` failed: ",
            "before kernel 5.8)",
        );
    });
}

#[test]
fn names_do_not_reach_for_the_terminal() {
    let object = Builder::xdp()
        .program("xdp\u{1b}[2J", "gone")
        .program("no_such_type", "x\ny");
    let (programs, _) = fake::run(
        |_| Reply::Fd,
        move || {
            let ebpf = fresh(&object.bytes()).expect("fine");
            let names: Vec<_> = ebpf.programs().map(|(name, _)| name.to_owned()).collect();
            names
        },
    );
    assert_eq!(programs, ["pass"]);
}

#[test]
fn settings_that_name_nothing() {
    let object = Builder::xdp().bytes();
    let mut loader = EbpfLoader::new();
    let error = loader.map_max_entries("FLOWS", 1).load(&object);
    reads(
        &error.expect_err("no map"),
        "map `FLOWS`: ",
        "check the spelling",
    );
    let null = File::open("/dev/null").expect("there");
    let mut loader = EbpfLoader::new();
    let error = loader.map_fd("FLOWS", &null).load(&object);
    reads(
        &error.expect_err("no map"),
        "map `FLOWS`: ",
        "check the spelling",
    );
    let (error, _) = fake::run(
        |_| Reply::Fd,
        || fresh(&object).expect("fine").global::<u32>("PORT").err(),
    );
    reads(
        &error.expect("no variable"),
        "global `PORT`: ",
        "that a program uses it",
    );
    let mut loader = EbpfLoader::new();
    let error = loader.override_global("PORT", &1_u8, true).load(&object);
    reads(
        &error.expect_err("no variable"),
        "global `PORT`: ",
        "static`)",
    );
}

#[test]
fn pins_that_are_refused() {
    let opened = |errno| {
        let kernel = move |_: &Call| Reply::Error(errno);
        let (result, _) = fake::run(kernel, || MapData::from_pin("/sys/fs/bpf/m"));
        result.expect_err("refused")
    };
    let begins = "`/sys/fs/bpf/m` cannot be opened as a pin: ";
    reads(&opened(Errno::ENOENT), begins, "check the path");
    reads(&opened(Errno::EACCES), begins, "check path and rights");
    reads(&opened(Errno::EPERM), begins, "before kernel 5.8)");

    let object = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let (error, _) = fake::run(
        |_| Reply::Error(Errno::ENOENT),
        || {
            let mut loader = EbpfLoader::new();
            loader.map_pin_path("M", Path::new("/sys/fs/bpf/m"));
            loader.map_reuse_policy(ReusePolicy::Reuse).load(&object)
        },
    );
    let begins_with_map = format!("map `M`: {begins}");
    reads(
        &error.expect_err("no pin"),
        &begins_with_map,
        "check the path",
    );

    // An array with the id 7 that is four times as large.
    let info = [2_u32, 7, 4, 8, 64, 0].map(u32::to_ne_bytes).concat();
    let object = Builder::xdp().map("M", [1, 4, 8, 16, 0]).bytes();
    let (error, _) = fake::run(
        move |call| match call.cmd {
            Some(Cmd::OBJ_GET_INFO_BY_FD) => Reply::Info(info.clone()),
            _ => Reply::Fd,
        },
        || {
            let mut loader = EbpfLoader::new();
            loader.map_pin_path("M", Path::new("/sys/fs/bpf/m"));
            let pinned = loader.load(&object).expect_err("another map");
            let null = File::open("/dev/null").expect("there");
            let mut loader = EbpfLoader::new();
            let given = loader
                .map_fd("M", &null)
                .load(&object)
                .expect_err("another map");
            (pinned, given)
        },
    );
    let differences =
        "type is BPF_MAP_TYPE_ARRAY, expected BPF_MAP_TYPE_HASH; max_entries is 64, expected 16;";
    let begins = format!("map `M` does not fit the one at `/sys/fs/bpf/m`: {differences} ");
    reads(&error.0, &begins, "or another name");
    let begins = format!("map `M` does not fit the one given: {differences} ");
    reads(&error.1, &begins, "the same definition");

    // A device map as an older kernel creates it, which is what this object gets there, too.
    let info = [14_u32, 7, 4, 4, 16, 0].map(u32::to_ne_bytes).concat();
    let object = Builder::xdp().map("M", [14, 4, 8, 16, 0]).bytes();
    let load = |features: Arc<Features>| {
        let (object, info) = (object.clone(), info.clone());
        let kernel = move |call: &Call| match call.cmd {
            Some(Cmd::OBJ_GET_INFO_BY_FD) => Reply::Info(info.clone()),
            _ => Reply::Fd,
        };
        let (result, _) = fake::run(kernel, || {
            let mut loader = EbpfLoader::new();
            loader.features(features);
            loader.map_pin_path("M", Path::new("/sys/fs/bpf/m"));
            loader.load(&object)
        });
        result
    };
    let older = load(Features::without(&[Feature::DevMapPrograms]));
    assert!(older.is_ok(), "{older:?}");
    let newer = load(Features::without(&[])).expect_err("another map");
    let begins = "map `M` does not fit the one at `/sys/fs/bpf/m`: value size is 4, expected 8; ";
    reads(&newer, begins, "or another name");

    let pinned = |errno| {
        let object = Builder::xdp().bytes();
        let kernel = move |call: &Call| match call.cmd {
            Some(Cmd::OBJ_PIN) => Reply::Error(errno),
            _ => Reply::Fd,
        };
        let (result, _) = fake::run(kernel, move || {
            let mut ebpf = fresh(&object).expect("fine");
            let program = pass(&mut ebpf);
            let early = program.pin("/sys/fs/bpf/p").expect_err("not loaded");
            assert!(matches!(early, PinError::NoFd { .. }));
            reads(&early, "program `pass` ", "before pinning it");
            program.load().expect("fine");
            program.pin("/sys/fs/bpf/p")
        });
        result.expect_err("refused")
    };
    let begins = "`/sys/fs/bpf/p` cannot be a pin: ";
    reads(&pinned(Errno::EEXIST), begins, "or remove it");
    reads(&pinned(Errno::ENOENT), begins, "a BPF file system");
    reads(&pinned(Errno::EPERM), begins, "no dot in the name");
}

#[test]
fn programs_that_are_refused() {
    let error = verified(|_| Reply::Error(Errno::EPERM));
    reads(
        &error,
        "program `pass`: missing privilege: ",
        "CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before kernel 5.8)",
    );
    let error = verified(
        |call| match call.u32(std::mem::offset_of!(ProgLoad, log_level)) {
            0 => Reply::Error(Errno::EACCES),
            _ => Reply::Refused(
                Errno::EACCES,
                "0: (61) r0 = *(u32 *)(r2 +0)\nR2 !read_ok\nprocessed 1 insns\n".to_owned(),
            ),
        },
    );
    let begins = "program `pass`: the verifier rejected it: R2 !read_ok";
    reads(&error, begins, "(the full log is in `verifier_log`)");
    // A right that the verifier misses: it knows which and where.
    let error = verified(
        |call| match call.u32(std::mem::offset_of!(ProgLoad, log_level)) {
            0 => Reply::Error(Errno::EPERM),
            _ => Reply::Refused(
                Errno::EPERM,
                "0: (85) call pc+1\nfunction calls are for CAP_BPF\n".to_owned(),
            ),
        },
    );
    let begins = "program `pass`: the verifier rejected it: function calls are for CAP_BPF";
    reads(&error, begins, "(the full log is in `verifier_log`)");
    let error = verified(|_| Reply::Error(Errno::ENOSYS));
    reads(
        &error,
        "program `pass`: the kernel refused it: ",
        "CONFIG_BPF_SYSCALL",
    );
    // Not a word from the verifier: the kernel knows nothing of such programs.
    let error = verified(|_| Reply::Error(Errno::EINVAL));
    reads(
        &error,
        "program `pass`: the kernel refused it: ",
        "which section `xdp` needs",
    );
}

#[test]
fn logs_that_do_not_fit_are_no_reason() {
    let error = verified(
        |call| match call.u32(std::mem::offset_of!(ProgLoad, log_level)) {
            0 => Reply::Error(Errno::EINVAL),
            _ => Reply::Refused(Errno::ENOSPC, "0: (b7) r0 = 2\nmore\n".to_owned()),
        },
    );
    reads(
        &error,
        "program `pass`: the verifier rejected it: more, where its log was cut off",
        "`verifier_log`)",
    );
    let ProgramError::LoadError { io_error, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(io_error.raw_os_error(), Some(Errno::EINVAL.0), "not ENOSPC");
}

#[test]
fn cgroups_and_socket_maps_that_refuse() {
    let refusal = || SyscallError {
        call: "bpf(BPF_LINK_CREATE)",
        io_error: io::Error::from_raw_os_error(Errno::EBADF.0),
    };
    let (name, path) = ("egress".to_owned(), "/tmp".to_owned());
    let error = CgroupError::NotACgroup {
        name: name.clone(),
        path: path.clone(),
        source: refusal(),
    };
    reads(
        &ProgramError::from(error),
        "program `egress`: `/tmp` is no",
        "`mount -t cgroup2` shows",
    );
    for source in [None, Some(refusal())] {
        let error = CgroupError::Busy {
            name: name.clone(),
            cgroup: path.clone(),
            source,
        };
        let ends = "`CgroupAttachMode::AllowMultiple`";
        reads(
            &ProgramError::from(error),
            "program `egress`: cgroup `/tmp`",
            ends,
        );
    }
    let error = CgroupError::Refused {
        name: name.clone(),
        cgroup: path,
        attach_type: AttachType::CGROUP_INET_EGRESS,
        source: refusal(),
    };
    reads(
        &ProgramError::from(error),
        "program `egress`: cgroup `/tmp`",
        "that the kernel has the hook",
    );
    let error = SockMapError::Busy {
        name: name.clone(),
        source: Some(refusal()),
    };
    reads(
        &ProgramError::from(error),
        "program `egress`: the socket map",
        "`attach_to_link`",
    );
    let error = SockMapError::Refused {
        name,
        attach_type: AttachType::SK_SKB_VERDICT,
        source: refusal(),
    };
    reads(
        &ProgramError::from(error),
        "program `egress`: the socket map",
        "both kinds of verdict",
    );
}

#[test]
fn interfaces_that_refuse() {
    let error = attached(XdpMode::Driver, Errno::EOPNOTSUPP);
    let begins =
        "program `pass`: interface `index 2147483632` cannot run programs in driver mode: ";
    reads(&error, begins, "which works with every interface");
    let error = attached(XdpMode::Skb, Errno::EPERM);
    reads(
        &error,
        "program `pass`: missing privilege: ",
        "CAP_NET_ADMIN",
    );
    let error = attached(XdpMode::Default, Errno::EBUSY);
    reads(
        &error,
        "program `pass`: interface `index 2147483632` ",
        "`XdpFlags::REPLACE`",
    );
    let error = attached(XdpMode::Driver, Errno::ERANGE);
    reads(
        &error,
        "program `pass`: interface `index 2147483632` ",
        "asks less of it",
    );

    let object = Builder::xdp().bytes();
    let (result, _) = fake::run(
        |_| Reply::Fd,
        move || {
            let mut ebpf = fresh(&object).expect("fine");
            let program = pass(&mut ebpf);
            program.load().expect("fine");
            program.attach("no-such-if0", XdpMode::Skb)
        },
    );
    let error = result.expect_err("no such interface");
    reads(
        &error,
        "network interface `no-such-if0` ",
        "lists those there are",
    );
}

#[test]
fn tracepoints_and_their_fields() {
    let text = |text: &str| text.to_owned();
    let (program, event, field) = (text("exec"), text("sched/sched_process_exec"), text("pid"));
    let unreadable = TracePointError::FileError {
        filename: "/sys/kernel/tracing".into(),
        io_error: io::Error::new(io::ErrorKind::NotFound, "tracefs is not mounted: mount it"),
    };
    reads(&unreadable, "/sys/kernel/tracing: ", "the process be root");
    let unknown = |similar| TracePointError::NotFound {
        event: event.clone(),
        similar,
        folder: "/sys/kernel/tracing/events/sched".into(),
    };
    let begins = "tracepoint `sched/sched_process_exec`: ";
    reads(&unknown(vec![]), begins, "lists those there are");
    reads(&unknown(vec![text("a/b")]), begins, "did you mean `a/b`?");
    let begins = "program `exec`: ";
    let no_event = TracePointError::NoEvent {
        program: program.clone(),
        field: field.clone(),
    };
    reads(&no_event, begins, "in `field!(\"CATEGORY/NAME\", \"pid\")`");
    let no_field = TracePointError::UnknownField {
        program: program.clone(),
        event: event.clone(),
        field: field.clone(),
        fields: vec![text("filename"), text("old_pid")],
    };
    reads(&no_field, begins, "use one of `filename`, `old_pid`");
    let shape = TracePointError::FieldShape {
        program: program.clone(),
        event: event.clone(),
        field: field.clone(),
        declaration: text("pid_t pid"),
        remedy: text("read it with `field`, as a number of 4 bytes"),
    };
    reads(&shape, begins, "as a number of 4 bytes");
    let elsewhere = TracePointError::OtherFields {
        program,
        field,
        loaded_for: event,
        event: text("sched/sched_switch"),
    };
    reads(&elsewhere, begins, "write a program for each");
}

#[test]
fn functions_tracepoints_and_hooks() {
    let begins = "program `watch`: ";
    let name = || "watch".to_owned();
    let unknown = |similar: &[&str]| TracingError::UnknownTarget {
        name: name(),
        what: "kernel function",
        target: "vfs_raed".to_owned(),
        similar: similar.iter().map(|name| (*name).to_owned()).collect(),
    };
    reads(&unknown(&[]), begins, "load the module that has it");
    reads(&unknown(&["vfs_read"]), begins, "did you mean `vfs_read`?");
    let error = TracingError::NoBpfLsm { name: name() };
    reads(&error, begins, "built with CONFIG_BPF_LSM");
    let error = |active: &str| TracingError::BpfLsmDisabled {
        name: name(),
        active: active.to_owned(),
    };
    reads(&error("yama"), begins, "with `lsm=yama,bpf`");
    reads(&error(""), begins, "with `lsm=bpf`");
    for (errno, ends) in [
        (Errno(524), "or a kprobe"),
        (Errno::EBUSY, "or use a kprobe"),
        (Errno::E2BIG, "detach one"),
        (Errno::EINVAL, "ask for fewer"),
        (Errno::ENOENT, "load it again"),
        (Errno::ENOMEM, "`dmesg` may know more"),
    ] {
        let error = attached_to_a_tracepoint(errno);
        reads(&error, begins, ends);
    }
    let error = attached_to_a_tracepoint(Errno::EPERM);
    let ends = "CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before kernel 5.8)";
    reads(&error, begins, ends);
}

/// What attaching a program that is loaded for its tracepoint gives on a kernel that refuses it so.
fn attached_to_a_tracepoint(errno: Errno) -> ProgramError {
    let object = Builder::new(Architecture::Bpf, Endianness::default());
    let object = object.program("tp_btf", "watch").bytes();
    let kernel = move |call: &Call| match call.cmd {
        Some(Cmd::RAW_TRACEPOINT_OPEN) => Reply::Error(errno),
        _ => Reply::Fd,
    };
    let (result, _) = fake::run(kernel, move || {
        let mut types = aya_obj::btf::Btf::new();
        let name = types.intern("btf_trace_event");
        types.add(
            name,
            aya_obj::btf::Kind::Typedef(aya_obj::btf::TypeId::VOID),
        );
        let order = Endianness::default();
        let types = types.write(order).expect("small");
        let btf = aya::Btf::parse(&types, order).expect("types");
        let mut ebpf = fresh(&object).expect("fine");
        let program = ebpf.program_mut("watch").expect("the object has it");
        let program: &mut BtfTracePoint = program.try_into().expect("its type");
        program.load("event", &btf).expect("fine");
        program.attach()
    });
    result.expect_err("it is refused")
}
