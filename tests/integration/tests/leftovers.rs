//! Nothing is left of a program when its owner is done: by drop, by a panic, by `kill -9`.
//!
//! These tests count what the whole kernel holds, so they are in an executable of their own and one
//! waits for the other.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    features::{Feature, Features},
    programs::{
        BtfTracePoint, FEntry, FExit, Lsm, PerfEvent, RawTracePoint, TracePoint, XdpMode,
        perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent},
    },
};
use aya_netlab::{Lab, NEAR};
use aya_tests::{Inventory, TestResult, in_both_modes, object, program, skip, xdp};

/// Set for the process that is killed: the mode of its object and the name of its [`Hook`].
const VICTIM: &str = "AYA_TESTS_VICTIM";
const ATTACHED: &str = "attached";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A way of attaching.
struct Hook {
    name: &'static str,
    object: &'static str,
    /// A path that machines without such hooks do not have.
    needs: &'static str,
    attach: fn(&[u8]) -> TestResult<Ebpf>,
}

const HOOKS: &[Hook] = &[
    // The firewall example, with its maps and its log.
    Hook {
        name: "xdp",
        object: "xdp-drop-ebpf",
        needs: "/",
        attach: |object| {
            let mut ebpf = Ebpf::load(object)?;
            let program = xdp(&mut ebpf, "xdp_drop")?;
            program.load()?;
            program.attach(NEAR, XdpMode::default())?;
            Ok(ebpf)
        },
    },
    Hook {
        name: "tracepoint",
        object: "events",
        needs: "/sys/kernel/tracing/events/sched",
        attach: |object| tracepoint(object, &[]),
    },
    Hook {
        name: "tracepoint without a link",
        object: "events",
        needs: "/sys/kernel/tracing/events/sched",
        attach: |object| tracepoint(object, &[Feature::PerfLink]),
    },
    Hook {
        name: "perf event",
        object: "events",
        needs: "/",
        attach: |object| perf_event(object, &[]),
    },
    Hook {
        name: "perf event without a link",
        object: "events",
        needs: "/",
        attach: |object| perf_event(object, &[Feature::PerfLink]),
    },
    Hook {
        name: "function",
        object: "tracing",
        needs: FUNCTIONS,
        attach: |object| {
            let mut ebpf = Ebpf::load(object)?;
            let btf = Btf::from_sys_fs()?;
            let enter: &mut FEntry = program(&mut ebpf, "enter")?;
            enter.load("vfs_fallocate", &btf)?;
            enter.attach()?;
            let exit: &mut FExit = program(&mut ebpf, "exit")?;
            exit.load("vfs_fallocate", &btf)?;
            exit.attach()?;
            Ok(ebpf)
        },
    },
    Hook {
        name: "security hook",
        object: "tracing",
        needs: "/sys/kernel/security/lsm",
        attach: |object| {
            let mut ebpf = Ebpf::load(object)?;
            let nice: &mut Lsm = program(&mut ebpf, "nice")?;
            nice.load("task_setnice", &Btf::from_sys_fs()?)?;
            nice.attach()?;
            Ok(ebpf)
        },
    },
    Hook {
        name: "typed and raw tracepoints",
        object: "tracing",
        needs: "/",
        attach: |object| {
            let mut ebpf = Ebpf::load(object)?;
            let typed: &mut BtfTracePoint = program(&mut ebpf, "renamed")?;
            typed.load("task_rename", &Btf::from_sys_fs()?)?;
            typed.attach()?;
            let raw: &mut RawTracePoint = program(&mut ebpf, "renamed_raw")?;
            raw.load()?;
            raw.attach("task_rename")?;
            Ok(ebpf)
        },
    },
];

/// Where the kernel lists the functions that can be traced.
const FUNCTIONS: &str = "/sys/kernel/tracing/available_filter_functions";

fn tracepoint(object: &[u8], missing: &[Feature]) -> TestResult<Ebpf> {
    let mut loader = EbpfLoader::new();
    let mut ebpf = loader.features(Features::without(missing)).load(object)?;
    let exec: &mut TracePoint = program(&mut ebpf, "exec")?;
    exec.load()?;
    exec.attach("sched", "sched_process_exec")?;
    Ok(ebpf)
}

fn perf_event(object: &[u8], missing: &[Feature]) -> TestResult<Ebpf> {
    let mut loader = EbpfLoader::new();
    let mut ebpf = loader.features(Features::without(missing)).load(object)?;
    let overflow: &mut PerfEvent = program(&mut ebpf, "overflow")?;
    overflow.load()?;
    overflow.attach(
        PerfEventConfig::Software(SoftwareEvent::CpuClock),
        PerfEventScope::AllProcessesOneCpu { cpu: 0 },
        SamplePolicy::Frequency(10),
        false,
    )?;
    Ok(ebpf)
}

/// Whether the machine has such hooks; else the test has been skipped.
fn is_there(hook: &Hook) -> TestResult<bool> {
    let is_there = Path::new(hook.needs).exists();
    if !is_there {
        skip(hook.name, &format!("needs {}", hook.needs))?;
    }
    Ok(is_there)
}

/// Runs `test` with each hook that the machine has, and its object of the same mode as `object`; nothing
/// may be left after it.
fn each_hook(
    when: &str,
    object: &[u8],
    test: fn(&Hook, &str, &[u8], &Inventory) -> TestResult,
) -> TestResult {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _lab = Lab::new(&[])?;
    let modes = ["donor", "native"];
    let is_it = |mode: &&str| aya_tests::object(mode, "xdp-drop-ebpf") == Some(object);
    let mode = modes.into_iter().find(is_it).ok_or("no such object")?;
    for hook in HOOKS {
        if is_there(hook)? {
            let object = aya_tests::object(mode, hook.object).ok_or("no object")?;
            let before = Inventory::take()?;
            test(hook, mode, object, &before).map_err(|error| format!("{}: {error}", hook.name))?;
            before.expect(&format!("{} after {when}", hook.name))?;
        }
    }
    Ok(())
}

in_both_modes! {
    /// After a drop.
    fn drop_leaves_nothing(object: "xdp-drop-ebpf", since 5, 8) {
        each_hook("a drop", object, |hook, _, object, before| {
            let ebpf = (hook.attach)(object)?;
            assert_ne!(Inventory::take()?, *before, "{}", hook.name);
            drop(ebpf);
            Ok(())
        })
    }

    /// After a panic.
    fn a_panic_leaves_nothing(object: "xdp-drop-ebpf", since 5, 8) {
        each_hook("a panic", object, |hook, _, object, _| {
            let ebpf = (hook.attach)(object)?;
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _owned = ebpf;
                std::panic::resume_unwind(Box::new("on purpose"));
            }));
            assert!(panicked.is_err());
            Ok(())
        })
    }

    /// After a process that was killed.
    fn a_kill_leaves_nothing(object: "xdp-drop-ebpf", since 5, 9) {
        each_hook("kill -9", object, |hook, mode, _, before| {
            let mut victim = Command::new(std::env::current_exe()?)
                .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
                .env(VICTIM, format!("{mode} {}", hook.name))
                .stdout(Stdio::piped())
                .spawn()?;
            let output = victim.stdout.take().ok_or("no output")?;
            let attached = BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .any(|line| line.contains(ATTACHED));
            let during = Inventory::take()?;
            victim.kill()?;
            victim.wait()?;
            assert!(attached, "{}: the process to be killed did not attach its program", hook.name);
            assert_ne!(during.programs, before.programs, "{}", hook.name);
            Ok(())
        })
    }
}

/// The process that [`a_kill_leaves_nothing`] kills; an ordinary run of the tests passes by.
#[test]
fn victim() -> TestResult {
    let Ok(victim) = std::env::var(VICTIM) else {
        return Ok(());
    };
    let (mode, name) = victim.split_once(' ').ok_or("no name")?;
    let hook = HOOKS
        .iter()
        .find(|hook| hook.name == name)
        .ok_or("no such hook")?;
    let _ebpf = (hook.attach)(object(mode, hook.object).ok_or("no object")?)?;
    println!("{ATTACHED}");
    std::thread::sleep(std::time::Duration::from_secs(60));
    Err("nobody killed this process".into())
}
