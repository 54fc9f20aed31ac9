//! Security modules in eBPF: what they deny and allow.

use std::{fs, io, path::Path, thread};

use aya::{
    maps::Array,
    programs::{Lsm, ProgramError, TracingError},
};
use aya_tests::{
    TestResult, in_both_modes, program,
    tracing::{AWAITED, Watch, may_trace_functions, this_thread},
};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// Asks for a nice value for a thread of its own, whose answers a program decides. Values that only
/// root may ask for stay out of it.
fn nice(value: i32) -> io::Result<()> {
    Ok(rustix::process::setpriority_process(None, value)?)
}

fn load(watch: &mut Watch, name: &str, hook: &str) -> TestResult {
    let lsm: &mut Lsm = program(&mut watch.ebpf, name)?;
    lsm.load(hook, watch.btf)?;
    lsm.attach()?;
    Ok(())
}

fn denied(result: io::Result<()>) -> TestResult {
    match result {
        Err(error) if error.raw_os_error() == Some(nix::libc::EPERM) => Ok(()),
        other => Err(format!("not denied: {other:?}").into()),
    }
}

/// Runs a test on a thread of its own, as it changes the thread.
fn on_a_thread(body: impl FnOnce() -> TestResult + Send) -> TestResult {
    thread::scope(|scope| {
        let run = scope.spawn(|| body().map_err(|error| error.to_string()));
        let result = run.join().map_err(|_| "the thread panicked")?;
        Ok(result?)
    })
}

in_both_modes! {
    /// One value is denied, others are allowed, with the exact arguments of each call.
    fn denies_and_allows(object: "tracing", since 5, 8) {
        if !may_trace_functions("denies_and_allows", object)? {
            return Ok(());
        }
        on_a_thread(|| {
            let mut watch = Watch::new(object)?;
            nice(7)?;
            load(&mut watch, "nice", "task_setnice")?;
            let messages = watch.logged(|watch| {
                denied(nice(7))?;
                nice(8)?;
                let this = i64::from(this_thread()?);
                assert_eq!(watch.events()?, [[this, 7, 0, 0], [this, 8, 0, 0]]);
                Ok(())
            })?;
            assert_eq!(messages, ["nice 7", "nice 8"]);
            let lsm: &mut Lsm = program(&mut watch.ebpf, "nice")?;
            lsm.unload()?;
            nice(7)?;
            assert_eq!(watch.events()?, [[0; 4]; 0]);
            Ok(())
        })
    }

    /// A program sees what the one before it has decided.
    fn decisions_are_handed_on(object: "tracing", since 5, 8) {
        if !may_trace_functions("decisions_are_handed_on", object)? {
            return Ok(());
        }
        on_a_thread(|| {
            let mut watch = Watch::new(object)?;
            load(&mut watch, "nice_first", "task_setnice")?;
            let error = nice(5).err().and_then(|error| error.raw_os_error());
            assert_eq!(error, Some(nix::libc::EACCES));
            nice(6)?;
            Ok(())
        })
    }

    /// A panic denies.
    fn panics_deny(object: "tracing", since 5, 8) {
        if !may_trace_functions("panics_deny", object)? {
            return Ok(());
        }
        on_a_thread(|| {
            let mut watch = Watch::new(object)?;
            load(&mut watch, "nice_panics", "task_setnice")?;
            nice(2)?;
            denied(nice(9))?;
            assert_eq!(watch.events()?, [[12, 0, 0, 0]]);
            Ok(())
        })
    }

    /// A program that may sleep denies opening files while a map says so. (5.10 lets programs sleep at
    /// `bprm_committed_creds` alone.)
    fn sleepable_programs_deny(object: "tracing", since 5, 11) {
        if !may_trace_functions("sleepable_programs_deny", object)? {
            return Ok(());
        }
        on_a_thread(|| {
            let mut watch = Watch::new(object)?;
            load(&mut watch, "open", "file_open")?;
            fs::File::open("/proc/self/status")?;
            let map = watch.ebpf.map_mut("CLOSED").ok_or("no map")?;
            let mut closed: Array<_, u32> = Array::try_from(map)?;
            closed.set(0, 1, 0)?;
            let opened = fs::File::open("/proc/self/status").map(drop);
            closed.set(0, 0, 0)?;
            denied(opened)?;
            assert_eq!(watch.events()?, [[i64::from_ne_bytes(*AWAITED), 0, 0, 0]]);
            fs::File::open("/proc/self/status")?;
            Ok(())
        })
    }

    /// A program outlives its handle as long as its link is there.
    fn links_hold_programs(object: "tracing", since 5, 8) {
        if !may_trace_functions("links_hold_programs", object)? {
            return Ok(());
        }
        on_a_thread(|| {
            let mut watch = Watch::new(object)?;
            let lsm: &mut Lsm = program(&mut watch.ebpf, "nice_first")?;
            lsm.load("task_setnice", watch.btf)?;
            let id = lsm.attach()?;
            let link = lsm.take_link(id)?;
            drop(watch);
            assert!(nice(5).is_err());
            drop(link);
            Ok(nice(5)?)
        })
    }

    /// Hooks that are not there.
    fn hooks_that_are_not_there(object: "tracing", since 5, 8) {
        let mut watch = Watch::new(object)?;
        let lsm: &mut Lsm = program(&mut watch.ebpf, "nice")?;
        let error = lsm.load("task_setnise", watch.btf).err().ok_or("loaded")?;
        let message = error.to_string();
        assert!(message.contains("LSM hook `task_setnise`; did you mean `task_setnice`"), "{message}");
        // The kernel's own name of the function, which is none of the hook.
        assert!(lsm.load("bpf_lsm_task_setnice", watch.btf).is_err());
        assert!(matches!(lsm.attach(), Err(ProgramError::NotLoaded)));
        Ok(())
    }

    /// On a kernel without `bpf` among its security modules the program would never run: attaching says
    /// so, and what to do.
    fn kernels_that_were_booted_without(object: "tracing", since 5, 8) {
        if !may_trace_functions("kernels_that_were_booted_without", object)? {
            return Ok(());
        }
        const ACTIVE: &str = "/sys/kernel/security/lsm";
        on_a_thread(|| {
            let mut watch = Watch::new(object)?;
            let lsm: &mut Lsm = program(&mut watch.ebpf, "nice")?;
            lsm.load("task_setnice", watch.btf)?;
            // Only this thread sees another list.
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            let directory = Path::new(ACTIVE).parent().ok_or("no folder")?;
            mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), none)?;
            fs::write(ACTIVE, "capability,yama")?;
            let error = lsm.attach().err().ok_or("attached")?;
            assert!(matches!(
                &error,
                ProgramError::Tracing(TracingError::BpfLsmDisabled { active, .. })
                    if active == "capability,yama"
            ));
            let message = error.to_string();
            assert!(message.contains("boot the kernel with `lsm=capability,yama,bpf`"), "{message}");
            fs::write(ACTIVE, "capability,bpf")?;
            lsm.attach()?;
            Ok(())
        })
    }
}
