//! Tracepoint programs: fields by name, links, and what is said when something is wrong.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    features::{Feature, Features},
    maps::{Array, RingBuf},
    programs::{
        ProgramError, TracePoint, TracePointError,
        links::{FdLink, LinkError, LinkType, PinnedLink},
    },
};
use aya_log::EbpfLogger;
use aya_tests::{Recorder, TestResult, in_both_modes, pin_path, program, skip};
use nix::unistd::{getsid, gettid};

/// What [`event`] makes.
const CATEGORY: &str = "syscalls";
const NAME: &str = "sys_enter_getsid";

/// Makes events in this thread.
fn event(times: usize) -> TestResult {
    for _ in 0..times {
        getsid(None)?;
    }
    Ok(())
}

/// This thread, as programs know it.
fn thread() -> u32 {
    gettid().as_raw().cast_unsigned()
}

/// Whether there are trace events; else the test has been skipped.
fn has_events() -> TestResult<bool> {
    let has = Path::new("/sys/kernel/tracing/events/syscalls").is_dir();
    if !has {
        skip("tracepoint", "needs tracefs with system calls")?;
    }
    Ok(has)
}

/// The object, with programs that count this thread's events.
fn load(loader: &mut EbpfLoader<'_>, object: &[u8]) -> TestResult<Ebpf> {
    let thread = thread();
    let mut loader = std::mem::take(loader);
    Ok(loader
        .override_global("THREAD", &thread, true)
        .load(object)?)
}

fn runs(ebpf: &Ebpf) -> TestResult<u64> {
    let runs: Array<_, u64> = Array::try_from(ebpf.map("RUNS").ok_or("no map")?)?;
    Ok(runs.get(&0, 0)?)
}

/// Runs a program, this executable, to its end: its path and process.
fn execute() -> TestResult<(String, u32)> {
    let path = std::env::current_exe()?;
    let mut child = Command::new(&path)
        .arg("--list")
        .stdout(Stdio::null())
        .spawn()?;
    let pid = child.id();
    child.wait()?;
    Ok((path.to_str().ok_or("not UTF-8")?.to_owned(), pid))
}

/// What programs wrote down: numbers and texts.
fn texts(ebpf: &mut Ebpf) -> TestResult<Vec<([u32; 3], Vec<u8>)>> {
    let mut ring = RingBuf::try_from(ebpf.map_mut("TEXTS").ok_or("no map")?)?;
    let mut texts = Vec::new();
    while let Some(record) = ring.next() {
        let (words, bytes) = record.split_at(16);
        let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|byte| words[4 * at + byte]));
        texts.push(([0, 1, 2].map(word), bytes[..word(3) as usize].to_vec()));
    }
    Ok(texts)
}

/// What a program that cannot be used says.
fn refusal(object: &[u8], name: &str) -> TestResult<TracePointError> {
    let mut ebpf = Ebpf::load(object)?;
    match program::<TracePoint>(&mut ebpf, name)?.load() {
        Err(ProgramError::TracePointError(error)) => Ok(error),
        other => Err(format!("{name}: {other:?}").into()),
    }
}

in_both_modes! {
    /// Numbers by name and by offset, and a string, of a program's execution.
    fn fields_by_name(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let exec: &mut TracePoint = program(&mut ebpf, "exec")?;
        exec.load()?;
        exec.attach("sched", "sched_process_exec")?;
        let (path, pid) = execute()?;
        let seen = texts(&mut ebpf)?;
        // Other tests execute it, too.
        assert!(seen.contains(&([pid; 3], path.clone().into_bytes())), "{path} {pid}: {seen:?}");
        Ok(())
    }

    /// A string as bytes, its final zero among them, and a number that a function reads.
    fn bytes_by_name(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let exec: &mut TracePoint = program(&mut ebpf, "exec_bytes")?;
        exec.load()?;
        exec.attach("sched", "sched_process_exec")?;
        let (path, pid) = execute()?;
        let path = [path.as_bytes(), b"\0"].concat();
        let seen = texts(&mut ebpf)?;
        assert!(seen.contains(&([pid; 3], path.clone())), "{path:?} {pid}: {seen:?}");
        Ok(())
    }

    /// A field that is a pointer to memory of the process.
    fn a_pointer_of_a_system_call(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let execve: &mut TracePoint = program(&mut ebpf, "execve")?;
        execve.load()?;
        execve.attach("syscalls", "sys_enter_execve")?;
        let (path, pid) = execute()?;
        let seen = texts(&mut ebpf)?;
        assert!(seen.contains(&([pid, 0, 0], path.clone().into_bytes())), "{path} {pid}: {seen:?}");
        Ok(())
    }

    /// A program that may sleep fetches memory of the process.
    fn a_sleepable_program(object: "events", since 7, 2) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let execve: &mut TracePoint = program(&mut ebpf, "execve_sleepable")?;
        execve.load()?;
        execve.attach("syscalls", "sys_enter_execve")?;
        let (path, pid) = execute()?;
        let seen = texts(&mut ebpf)?;
        assert!(seen.contains(&([pid, 1, 0], path.as_bytes()[..4].to_vec())), "{path} {pid}: {seen:?}");
        Ok(())
    }

    /// An array of fixed size comes whole.
    fn an_array(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = load(&mut EbpfLoader::new(), object)?;
        let switch: &mut TracePoint = program(&mut ebpf, "switch")?;
        switch.load()?;
        switch.attach("sched", "sched_switch")?;
        std::thread::sleep(Duration::from_millis(20));
        let mut name = std::fs::read(format!("/proc/self/task/{}/comm", thread()))?;
        name.pop();
        name.resize(16, 0);
        let seen = texts(&mut ebpf)?;
        assert!(!seen.is_empty(), "the thread slept and ran again");
        assert!(seen.iter().all(|seen| *seen == ([thread(), 1, 0], name.clone())), "{seen:?}");
        Ok(())
    }

    /// Every event counts as long as the program is attached, and none after that.
    fn detached_means_silent(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        for missing in [&[][..], &[Feature::PerfLink]] {
            let mut loader = EbpfLoader::new();
            let mut ebpf = load(loader.features(Features::without(missing)), object)?;
            let count: &mut TracePoint = program(&mut ebpf, "count")?;
            assert!(matches!(count.attach(CATEGORY, NAME), Err(ProgramError::NotLoaded)));
            count.load()?;
            event(2)?;
            let link = count.attach(CATEGORY, NAME)?;
            event(3)?;
            count.detach(link)?;
            event(4)?;
            assert_eq!(runs(&ebpf)?, 3, "without {missing:?}");

            let count: &mut TracePoint = program(&mut ebpf, "count")?;
            let link = count.attach(CATEGORY, NAME)?;
            let link = count.take_link(link)?;
            count.unload()?;
            event(5)?;
            drop(link);
            event(6)?;
            assert_eq!(runs(&ebpf)?, 8, "without {missing:?}");
        }
        Ok(())
    }

    /// One program at several tracepoints.
    fn several_links(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = load(&mut EbpfLoader::new(), object)?;
        let count: &mut TracePoint = program(&mut ebpf, "count")?;
        count.load()?;
        let enter = count.attach(CATEGORY, NAME)?;
        count.attach(CATEGORY, "sys_exit_getsid")?;
        event(1)?;
        assert_eq!(runs(&ebpf)?, 2);
        program::<TracePoint>(&mut ebpf, "count")?.detach(enter)?;
        event(1)?;
        assert_eq!(runs(&ebpf)?, 3);
        Ok(())
    }

    /// A pinned program can be attached by who opens it.
    fn a_pinned_program(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let path = pin_path("program");
        let mut ebpf = load(&mut EbpfLoader::new(), object)?;
        let count: &mut TracePoint = program(&mut ebpf, "count")?;
        count.load()?;
        count.pin(&path)?;
        let mut opened = TracePoint::from_pin(&path)?;
        count.unload()?;
        assert_eq!(opened.info()?.name_as_str(), Some("count"));
        opened.attach(CATEGORY, NAME)?;
        event(2)?;
        drop(opened);
        event(1)?;
        std::fs::remove_file(&path)?;
        assert_eq!(runs(&ebpf)?, 2);
        Ok(())
    }

    /// A pinned link keeps the program at its tracepoint.
    fn a_pinned_link(object: "events", since 5, 15) {
        if !has_events()? {
            return Ok(());
        }
        let path = pin_path("link");
        let mut ebpf = load(&mut EbpfLoader::new(), object)?;
        let count: &mut TracePoint = program(&mut ebpf, "count")?;
        count.load()?;
        let link = count.attach(CATEGORY, NAME)?;
        let link: FdLink = count.take_link(link)?.try_into()?;
        assert_eq!(link.info()?.link_type()?, LinkType::PerfEvent);
        drop(link.pin(&path)?);
        count.unload()?;
        event(2)?;
        assert_eq!(runs(&ebpf)?, 2);
        drop(PinnedLink::from_pin(&path)?.unpin()?);
        // The kernel lets go of an unpinned link a little later.
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let before = runs(&ebpf)?;
            event(1)?;
            if runs(&ebpf)? == before {
                return Ok(());
            }
            assert!(Instant::now() < deadline, "the link is still there");
        }
    }

    /// A number of the attachment's own, and what kernels without it say.
    fn a_cookie(object: "events", since 5, 15) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = load(&mut EbpfLoader::new(), object)?;
        let cookie: &mut TracePoint = program(&mut ebpf, "cookie")?;
        cookie.load()?;
        cookie.attach_with_cookie(CATEGORY, NAME, 0x1234_5678_9abc)?;
        event(1)?;
        let last: Array<_, u64> = Array::try_from(ebpf.map("LAST").ok_or("no map")?)?;
        assert_eq!(last.get(&0, 0)?, 0x1234_5678_9abc);

        let mut loader = EbpfLoader::new();
        let mut ebpf = load(loader.features(Features::without(&[Feature::PerfLink])), object)?;
        let count: &mut TracePoint = program(&mut ebpf, "count")?;
        count.load()?;
        let error = count.attach_with_cookie(CATEGORY, NAME, 1).err().ok_or("attached")?;
        assert!(matches!(error, ProgramError::AttachCookieNotSupported { .. }), "{error}");
        let link = count.attach(CATEGORY, NAME)?;
        let link = FdLink::try_from(count.take_link(link)?);
        assert!(matches!(link, Err(LinkError::InvalidLink)));
        Ok(())
    }

    /// Messages from a tracepoint.
    fn logging(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let recorder = Recorder::default();
        let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
        let log: &mut TracePoint = program(&mut ebpf, "log")?;
        log.load()?;
        log.attach("sched", "sched_process_exec")?;
        let (_, pid) = execute()?;
        logger.flush();
        let said = recorder.take();
        let expected = format!("thread {pid} executes a program");
        assert!(said.iter().any(|message| message.text == expected), "{said:?}");
        Ok(())
    }

    /// Fields that the event does not have in this shape.
    fn wrong_fields(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        for name in ["unknown_field", "hidden_field"] {
            let error = refusal(object, name)?;
            let TracePointError::UnknownField { program, event, fields, .. } = &error else {
                return Err(format!("{error:?}").into());
            };
            assert_eq!((program.as_str(), event.as_str()), (name, "sched/sched_process_exec"));
            assert_eq!(fields[..], ["filename", "pid", "old_pid"]);
            assert!(error.to_string().contains("`filename`, `pid`, `old_pid`"), "{error}");
        }
        for (name, remedy) in [
            ("wrong_size", "number of 4 bytes"),
            ("not_a_string", "number of 4 bytes"),
            ("not_a_number", "`bytes` or `str`"),
        ] {
            let error = refusal(object, name)?;
            assert!(matches!(error, TracePointError::FieldShape { .. }), "{error}");
            let message = error.to_string();
            assert!(message.contains(name) && message.contains(remedy), "{message}");
        }
        let error = refusal(object, "no_event")?;
        assert!(matches!(error, TracePointError::NoEvent { .. }), "{error}");
        let error = refusal(object, "unknown_event")?;
        assert!(error.to_string().contains("did you mean `sched/sched_process_exec`"), "{error}");
        Ok(())
    }

    /// A program that reads fields by name is not attached where they are elsewhere.
    fn another_event(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let exec: &mut TracePoint = program(&mut ebpf, "exec")?;
        exec.load()?;
        let error = exec.attach("sched", "sched_switch").err().ok_or("attached")?;
        let is_it = matches!(error, ProgramError::TracePointError(TracePointError::OtherFields { .. }));
        assert!(is_it, "{error}");
        Ok(())
    }

    /// Tracepoints that are not there.
    fn unknown_tracepoints(object: "events", since 5, 10) {
        if !has_events()? {
            return Ok(());
        }
        let mut ebpf = Ebpf::load(object)?;
        let count: &mut TracePoint = program(&mut ebpf, "count")?;
        count.load()?;
        for (category, name, similar) in [
            ("sched", "sched_process_exce", Some("sched/sched_process_exec")),
            ("shed", "sched_switch", Some("sched/sched_switch")),
            ("sched", "nothing-like-it", None),
            ("sched", "", None),
            ("", "sched_switch", None),
            ("../events/sched", "sched_switch", None),
            ("sched", "../sched/sched_switch", None),
            ("sched", "sched\0switch", None),
        ] {
            let error = count.attach(category, name).err().ok_or(category)?;
            let ProgramError::TracePointError(TracePointError::NotFound { similar: found, .. }) = &error
            else {
                return Err(format!("{category}/{name}: {error:?}").into());
            };
            if let Some(similar) = similar {
                assert_eq!(found[0], similar);
            }
            assert!(error.to_string().starts_with(&format!("tracepoint `{category}/{name}`: ")), "{error}");
        }
        Ok(())
    }
}
