//! Programs at functions and tracepoints of the kernel: what they are given, and what is left of them.

use std::{
    fs::File,
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use aya::{
    RawTracePointRunOptions, TestRun as _,
    programs::{
        BtfTracePoint, FEntry, FExit, ProgramError, RawTracePoint, TracingError,
        links::{FdLink, LinkType, PinnedLink},
    },
};
use aya_netlab::Lab;
use aya_tests::{
    TestResult, in_both_modes, kernel, pin_path, program,
    tracing::{AWAITED, Watch, may_trace_functions, text, this_thread},
};
use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
    sys::prctl,
};

/// Gives a file room, which the kernel does in `vfs_fallocate`.
fn allocate(file: &File, mode: FallocateFlags, offset: i64, len: i64) -> Result<(), Errno> {
    fallocate(file.as_fd(), mode, offset, len)
}

/// A file without a name, in memory.
fn file() -> TestResult<File> {
    let name = c"aya-tests";
    let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
    Ok(nix::sys::memfd::memfd_create(name, flags)?.into())
}

const KEEP_SIZE: FallocateFlags = FallocateFlags::FALLOC_FL_KEEP_SIZE;
const PLAIN: FallocateFlags = FallocateFlags::empty();

in_both_modes! {
    /// Arguments at entry, arguments and result at return, of real calls.
    fn calls_are_seen_with_arguments_and_results(object: "tracing", since 5, 8) {
        if !may_trace_functions("calls_are_seen_with_arguments_and_results", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        let file = file()?;
        let enter: &mut FEntry = program(&mut watch.ebpf, "enter")?;
        enter.load("vfs_fallocate", watch.btf)?;
        enter.attach()?;
        allocate(&file, KEEP_SIZE, 1 << 33, 4096)?;
        assert_eq!(watch.events()?, [[1, 1 << 33, 4096, 0]]);

        let exit: &mut FExit = program(&mut watch.ebpf, "exit")?;
        exit.load("vfs_fallocate", watch.btf)?;
        exit.attach()?;
        let messages = watch.logged(|watch| {
            assert_eq!(allocate(&file, PLAIN, 8, -2), Err(Errno::EINVAL));
            allocate(&file, PLAIN, 0, 10)?;
            assert_eq!(
                watch.events()?,
                [[0, 8, -2, 0], [0, 8, -2, -22], [0, 0, 10, 0], [0, 0, 10, 0]]
            );
            Ok(())
        })?;
        assert_eq!(
            messages,
            ["enter 1 8589934592 4096", "enter 0 8 -2", "exit -22", "enter 0 0 10", "exit 0"]
        );
        Ok(())
    }

    /// The result, found without counting arguments.
    fn results_by_helper(object: "tracing", since 5, 17) {
        if !may_trace_functions("results_by_helper", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        let file = file()?;
        let result: &mut FExit = program(&mut watch.ebpf, "result")?;
        result.load("vfs_fallocate", watch.btf)?;
        result.attach()?;
        allocate(&file, PLAIN, 0, 10)?;
        assert_eq!(allocate(&file, PLAIN, -1, 1), Err(Errno::EINVAL));
        assert_eq!(watch.events()?, [[0; 4], [-22, 0, 0, 0]]);
        Ok(())
    }

    /// The kernel's own test functions, whose arguments are fixed: every width of argument.
    fn test_runs_call_the_kernels_test_functions(object: "tracing", since 5, 8) {
        if !may_trace_functions("test_runs_call_the_kernels_test_functions", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        let sum: &mut FExit = program(&mut watch.ebpf, "sum")?;
        sum.load("bpf_fentry_test4", watch.btf)?;
        sum.attach()?;
        sum.test_run(())?;
        assert_eq!(watch.events()?, [[7, 8, 9, 10], [34, 0, 0, 0]]);
        Ok(())
    }

    /// A program that sleeps until the memory it reads is there. (Before 6.3 only functions made for
    /// the injection of errors take such programs, which kernels for users are built without.)
    fn sleepable_programs_read_user_memory(object: "tracing", since 6, 3) {
        if !may_trace_functions("sleepable_programs_read_user_memory", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        let sleeper: &mut FEntry = program(&mut watch.ebpf, "sleeper")?;
        sleeper.load("bpf_fentry_test1", watch.btf)?;
        sleeper.attach()?;
        sleeper.test_run(())?;
        assert_eq!(watch.events()?, [[1, i64::from_ne_bytes(*AWAITED), 0, 0]]);
        Ok(())
    }

    /// A panic ends the program with 0, the one value the verifier takes, and nothing else.
    fn panics_at_functions_change_nothing(object: "tracing", since 5, 8) {
        if !may_trace_functions("panics_at_functions_change_nothing", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        let file = file()?;
        let enter: &mut FEntry = program(&mut watch.ebpf, "enter_panics")?;
        enter.load("vfs_fallocate", watch.btf)?;
        enter.attach()?;
        allocate(&file, KEEP_SIZE, 0, 10)?;
        // A mode that the kernel refuses, and the table lacks.
        let unknown = FallocateFlags::from_bits_retain(1 << 20);
        assert_eq!(allocate(&file, unknown, 0, 10), Err(Errno::EOPNOTSUPP));
        assert_eq!(watch.events()?, [[1, 0, 0, 0], [11, 0, 0, 0], [1, 0, 0, 0]]);
        Ok(())
    }

    /// Pointers in typed arguments are followed without a helper.
    fn tracepoints_see_what_tasks_do(object: "tracing", since 5, 8) {
        let mut watch = Watch::new(object)?;
        let fork: &mut BtfTracePoint = program(&mut watch.ebpf, "fork")?;
        fork.load("sched_process_fork", watch.btf)?;
        let id = fork.attach()?;
        let messages = watch.logged(|watch| {
            let child = thread::spawn(|| this_thread().ok());
            let child = child.join().ok().flatten().ok_or("no thread")?;
            let this = this_thread()?;
            assert_eq!(watch.events()?, [[this.into(), child.into(), 0, 0]]);
            Ok(())
        })?;
        assert_eq!(messages.len(), 1, "{messages:?}");
        let fork: &mut BtfTracePoint = program(&mut watch.ebpf, "fork")?;
        fork.detach(id)?;
        thread::spawn(|| ()).join().map_err(|_| "the thread failed")?;
        assert_eq!(watch.events()?, [[0; 4]; 0]);

        let panics: &mut BtfTracePoint = program(&mut watch.ebpf, "fork_panics")?;
        panics.load("sched_process_fork", watch.btf)?;
        panics.attach()?;
        thread::spawn(|| ()).join().map_err(|_| "the thread failed")?;
        assert_eq!(watch.events()?, [[1, 0, 0, 0]]);
        Ok(())
    }

    /// One tracepoint, with types and without.
    fn both_sorts_of_tracepoints_read_strings(object: "tracing", since 5, 8) {
        let old = prctl::get_name()?;
        let mut watch = Watch::new(object)?;
        let typed: &mut BtfTracePoint = program(&mut watch.ebpf, "renamed")?;
        typed.load("task_rename", watch.btf)?;
        let typed_link = typed.attach()?;
        prctl::set_name(c"typed")?;
        assert_eq!(watch.events()?, [[text("typed"), 0, 0, 0]]);
        let typed: &mut BtfTracePoint = program(&mut watch.ebpf, "renamed")?;
        typed.detach(typed_link)?;

        let raw: &mut RawTracePoint = program(&mut watch.ebpf, "renamed_raw")?;
        raw.load()?;
        raw.attach("task_rename")?;
        let messages = watch.logged(|watch| {
            prctl::set_name(c"a raw one")?;
            assert_eq!(watch.events()?, [[text("a raw o"), 0, 0, 0]]);
            Ok(())
        })?;
        assert_eq!(messages, ["renamed"]);
        prctl::set_name(&old)?;
        Ok(())
    }

    /// Numbers of system calls; a program at two tracepoints, off one of them.
    fn raw_tracepoints_see_system_calls(object: "tracing", since 5, 8) {
        // getpgid(2), which nothing here calls otherwise.
        const GETPGID: i64 = if cfg!(target_arch = "x86_64") { 121 } else { 155 };
        let mut watch = Watch::at_syscall(object, GETPGID)?;
        let entered: &mut RawTracePoint = program(&mut watch.ebpf, "entered")?;
        entered.load()?;
        let first = entered.attach("sys_enter")?;
        nix::unistd::getpgid(None)?;
        assert_eq!(watch.events()?, [[GETPGID, 0, 0, 0]]);
        let entered: &mut RawTracePoint = program(&mut watch.ebpf, "entered")?;
        match entered.attach("sys_enter") {
            Ok(second) => {
                nix::unistd::getpgid(None)?;
                assert_eq!(watch.events()?.len(), 2);
                let entered: &mut RawTracePoint = program(&mut watch.ebpf, "entered")?;
                entered.detach(second)?;
            }
            Err(ProgramError::AlreadyAttached) if kernel()? < (6, 10) => {}
            Err(error) => return Err(error.into()),
        }
        // Another tracepoint, whose argument is none of this number.
        let entered: &mut RawTracePoint = program(&mut watch.ebpf, "entered")?;
        let other = entered.attach("task_rename")?;
        entered.detach(first)?;
        nix::unistd::getpgid(None)?;
        assert_eq!(watch.events()?.len(), 0);
        let entered: &mut RawTracePoint = program(&mut watch.ebpf, "entered")?;
        let again = entered.attach("sys_enter")?;
        let link = entered.take_link(again)?;
        entered.detach(other)?;
        nix::unistd::getpgid(None)?;
        assert_eq!(watch.events()?.len(), 1);
        drop(link);
        nix::unistd::getpgid(None)?;
        assert_eq!(watch.events()?.len(), 0);

        let panics: &mut RawTracePoint = program(&mut watch.ebpf, "entered_panics")?;
        panics.load()?;
        panics.attach("sys_enter")?;
        nix::unistd::getpgid(None)?;
        assert_eq!(watch.events()?, [[1, 0, 0, 0]]);
        Ok(())
    }

    /// A program at a tracepoint runs on arguments of the caller's.
    fn raw_tracepoints_run_on_request(object: "tracing", since 5, 10) {
        let mut watch = Watch::new(object)?;
        let given: &mut RawTracePoint = program(&mut watch.ebpf, "given")?;
        given.load()?;
        let mut options = RawTracePointRunOptions::new();
        (options.args[0], options.args[1], options.args[11]) = (1, u64::MAX, 12);
        assert_eq!(given.test_run(options)?.return_value, 0);
        options.cpu = Some(0);
        given.test_run(options)?;
        options.cpu = Some(1 << 20);
        assert!(given.test_run(options).is_err(), "ran on a CPU that is not there");
        assert_eq!(watch.events()?, [[1, -1, 12, 0]; 2]);
        Ok(())
    }

    /// A pinned link, and a pinned program, outlive the process's handles.
    fn pins_keep_programs_and_links(object: "tracing", since 5, 8) {
        if !may_trace_functions("pins_keep_programs_and_links", object)? {
            return Ok(());
        }
        let (program_pin, link_pin) = (pin_path("program"), pin_path("link"));
        let mut watch = Watch::new(object)?;
        let file = file()?;
        let enter: &mut FEntry = program(&mut watch.ebpf, "enter")?;
        enter.load("vfs_fallocate", watch.btf)?;
        enter.pin(&program_pin)?;
        let id = enter.attach()?;
        let link: FdLink = enter.take_link(id)?.try_into()?;
        let info = link.info()?;
        assert_eq!(info.link_type()?, LinkType::Tracing);
        assert_eq!(info.program_id(), enter.info()?.id());
        drop(link.pin(&link_pin)?);
        enter.unload()?;
        allocate(&file, PLAIN, 0, 1)?;
        assert_eq!(watch.events()?, [[0, 0, 1, 0]]);
        drop(PinnedLink::from_pin(&link_pin)?.unpin()?);
        // Some kernels let go of an unpinned link a little later.
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            watch.events()?;
            allocate(&file, PLAIN, 0, 2)?;
            if watch.events()?.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "the link is still there");
        }

        // A program that was opened knows what it was loaded for. Kernels before 5.13 attach once.
        let mut opened = FEntry::from_pin(&program_pin)?;
        if kernel()? < (5, 13) {
            let error = opened.attach().err().ok_or("attached")?;
            opened.unpin()?;
            assert!(error.to_string().contains("load it again"), "{error}");
            return Ok(());
        }
        assert!(matches!(FExit::from_pin(pin_path("none")), Err(ProgramError::Pin(_))));
        opened.attach()?;
        allocate(&file, PLAIN, 0, 3)?;
        assert_eq!(watch.events()?, [[0, 0, 3, 0]]);
        let info = opened.info()?;
        let mut again = FEntry::from_program_info(info, "enter".into())?;
        let twice = again.attach().map(drop);
        opened.unpin()?;
        drop(opened);
        assert!(twice.is_err(), "one program at one function twice");
        again.attach()?;
        allocate(&file, PLAIN, 0, 4)?;
        assert_eq!(watch.events()?, [[0, 0, 4, 0]]);
        Ok(())
    }

    /// Functions that are not there, or not to be traced, by their kind.
    fn functions_that_are_not_there(object: "tracing", since 5, 8) {
        let mut watch = Watch::new(object)?;
        let enter: &mut FEntry = program(&mut watch.ebpf, "enter")?;
        let error = enter.load("vfs_falocate", watch.btf).err().ok_or("loaded")?;
        let message = error.to_string();
        assert!(matches!(error, ProgramError::Tracing(TracingError::UnknownTarget { .. })));
        assert!(message.starts_with("program `enter`: "), "{message}");
        assert!(message.contains("`vfs_falocate`; did you mean `vfs_fallocate`"), "{message}");
        let nothing = enter.load("no_such_function_at_all", watch.btf).err().ok_or("loaded")?;
        assert!(nothing.to_string().contains("check its name"), "{nothing}");
        assert!(enter.load("", watch.btf).is_err() && enter.load("a\0b", watch.btf).is_err());
        // A type, but no function.
        assert!(enter.load("task_struct", watch.btf).is_err());

        let fork: &mut BtfTracePoint = program(&mut watch.ebpf, "fork")?;
        let error = fork.load("sched_proces_fork", watch.btf).err().ok_or("loaded")?;
        let message = error.to_string();
        assert!(message.contains("did you mean `sched_process_fork`"), "{message}");

        let raw: &mut RawTracePoint = program(&mut watch.ebpf, "entered")?;
        raw.load()?;
        let error = raw.attach("sys_entre").err().ok_or("attached")?;
        let message = error.to_string();
        assert!(message.contains("tracepoint `sys_entre`; did you mean `sys_enter`"), "{message}");
        assert!(matches!(raw.attach("sys\0enter"), Err(ProgramError::InvalidName { .. })));
        Ok(())
    }

    /// What the verifier and the kernel refuse is told with the program's name.
    fn programs_that_do_not_fit(object: "tracing", since 5, 8) {
        if !may_trace_functions("programs_that_do_not_fit", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        // It reads more arguments than the function has.
        let sum: &mut FExit = program(&mut watch.ebpf, "sum")?;
        let error = sum.load("bpf_fentry_test1", watch.btf).err().ok_or("loaded")?;
        let ProgramError::LoadError { verifier_log, .. } = &error else {
            return Err(error.into());
        };
        assert!(verifier_log.as_str().contains("bpf_fentry_test1"), "{verifier_log}");
        assert!(error.to_string().starts_with("program `sum`: "), "{error}");
        assert!(matches!(sum.attach(), Err(ProgramError::NotLoaded)));
        // The same program, for a function that fits.
        sum.load("bpf_fentry_test4", watch.btf)?;
        assert!(matches!(
            sum.load("bpf_fentry_test4", watch.btf),
            Err(ProgramError::AlreadyLoaded)
        ));

        // Functions that may not sleep take no programs that do.
        let sleeper: &mut FEntry = program(&mut watch.ebpf, "sleeper")?;
        let error = sleeper.load("vfs_fallocate", watch.btf).err().ok_or("loaded")?;
        assert!(error.to_string().contains("sleep"), "{error}");

        let greedy: &mut RawTracePoint = program(&mut watch.ebpf, "greedy")?;
        greedy.load()?;
        let error = greedy.attach("sys_enter").err().ok_or("attached")?;
        let message = error.to_string();
        assert!(message.contains("`greedy`") && message.contains("arguments"), "{message}");
        Ok(())
    }

    /// Functions of modules are found in the modules' types: guests have `veth` as one.
    fn functions_of_modules(object: "tracing", since 5, 11) {
        if !may_trace_functions("functions_of_modules", object)? {
            return Ok(());
        }
        let mut watch = Watch::new(object)?;
        let anywhere: &mut FEntry = program(&mut watch.ebpf, "anywhere")?;
        anywhere.load("veth_open", watch.btf)?;
        anywhere.attach()?;
        let _wire = Lab::new(&[])?;
        let opened = watch.events()?;
        let this = [std::process::id().into(), 0, 0, 0];
        assert!(opened.contains(&this), "{opened:?}");
        let anywhere: &mut FEntry = program(&mut watch.ebpf, "anywhere")?;
        anywhere.unload()?;
        let error = anywhere.load("veth_opn", watch.btf).err().ok_or("loaded")?;
        assert!(error.to_string().contains("did you mean `veth_open`"), "{error}");
        Ok(())
    }
}
