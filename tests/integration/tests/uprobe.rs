//! User probes: functions of this executable.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use UProbeScope::{AllProcesses, CallingProcess, OneProcess};
use aya::{
    Ebpf,
    features::{Feature, Features},
    programs::{
        KProbe, ProbeKind, ProgramError, UProbe,
        links::{Link as _, LinkType, PinnedLink},
        uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeError, UProbeScope},
    },
};
use aya_tests::{
    TestResult, in_both_modes, needs_probes, pin_path, probe,
    probes::{Sight, Stock, be_victim, kill_victim, load, load_on, logged, names, says},
};

/// A function with as many arguments as there are registers, and one more.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn probed(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u64 {
    std::hint::black_box(a + b + c + d + e + f + g)
}

/// A function with a string.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn named(name: *const u8) -> u64 {
    std::hint::black_box(name as u64)
}

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".globl stepped",
    ".type stepped, @function",
    "stepped:",
    // Two instructions of a byte, one of 3, and one of a byte.
    "nop",
    "nop",
    "mov rax, rdi",
    "ret",
    ".size stepped, . - stepped",
);

#[cfg(target_arch = "x86_64")]
// SAFETY: the code above; it returns its argument.
unsafe extern "C" {
    /// A function of which the instructions are known.
    safe fn stepped(value: u64) -> u64;
}

fn call(first: u64) -> u64 {
    std::hint::black_box(probed)(first, 2, 3, 4, 5, 6, 7)
}

/// How often the programs run for one call.
fn seen_by(sight: &Sight, act: impl FnOnce()) -> TestResult<u64> {
    let before = sight.here()?.calls;
    act();
    Ok(sight.here()?.calls - before)
}

fn this_file() -> TestResult<PathBuf> {
    Ok(std::env::current_exe()?)
}

/// Where `probed` is in this file, by this process's map of memory.
fn offset_in_file() -> TestResult<u64> {
    let address = probed as *const () as u64;
    for line in std::fs::read_to_string("/proc/self/maps")?.lines() {
        let mut words = line.split([' ', '-']).filter(|word| !word.is_empty());
        let mut number = || u64::from_str_radix(words.next().unwrap_or(""), 16).ok();
        let (Some(start), Some(end)) = (number(), number()) else {
            continue;
        };
        let offset = line.split(' ').nth(2).unwrap_or("");
        if (start..end).contains(&address) {
            return Ok(u64::from_str_radix(offset, 16)? + address - start);
        }
    }
    Err("the function is not mapped".into())
}

in_both_modes! {
    /// A program sees the arguments of each call until it is detached.
    fn arguments(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "arguments");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "call");
        assert_eq!(program.kind(), ProbeKind::Entry);
        let link = program.attach(["probed"], this_file()?, CallingProcess)?;
        call(1);
        let seen = sight.here()?;
        let in_registers = if cfg!(target_arch = "x86_64") { 0 } else { 1 };
        assert_eq!((seen.calls, seen.values, seen.more), (1, [1, 2, 3, 4, 5, 6], in_registers));
        assert_eq!(seen_by(&sight, || { call(9); })?, 1);
        assert_eq!(sight.here()?.values[0], 9);
        program.detach(link)?;
        assert_eq!(seen_by(&sight, || { call(1); })?, 0, "it is detached");
        Ok(())
    }

    /// A program sees what a call returned.
    fn results(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "results");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "result");
        assert_eq!(program.kind(), ProbeKind::Return);
        program.attach(["probed"], this_file()?, CallingProcess)?;
        let result = call(u64::MAX - 100);
        let seen = sight.here()?;
        assert_eq!((seen.calls, seen.values[0]), (1, result));
        Ok(())
    }

    /// Files by path, by the name that this process has mapped them under, and through links.
    fn targets(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "targets");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "call");
        let file = this_file()?;
        let name = file.file_name().ok_or("no name")?;
        for (target, scope) in [
            (file.as_path(), AllProcesses),
            (Path::new("/proc/self/exe"), AllProcesses),
            (Path::new(name), CallingProcess),
            (Path::new(name), OneProcess(NonZeroU32::new(std::process::id()).ok_or("no id")?)),
        ] {
            let link = program.attach(["probed"], target, scope)?;
            assert_eq!(seen_by(&sight, || { call(1); })?, 1, "{target:?} {scope:?}");
            program.detach(link)?;
        }
        Ok(())
    }

    /// Places by symbol, offset, and both.
    fn locations(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "locations");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "call");
        let offset = offset_in_file()?;
        let link = program.attach([offset], this_file()?, CallingProcess)?;
        assert_eq!(seen_by(&sight, || { call(1); })?, 1, "at {offset:#x}");
        program.detach(link)?;
        // In front of it stands nothing of this function, so the symbol's place is that offset.
        let location = UProbeAttachLocation::SymbolOffset("probed", 0);
        let link = program.attach([location], this_file()?, CallingProcess)?;
        assert_eq!(seen_by(&sight, || { call(1); })?, 1);
        program.detach(link)?;
        #[cfg(target_arch = "x86_64")]
        {
            let location = UProbeAttachLocation::SymbolOffset("stepped", 1);
            program.attach([location], this_file()?, CallingProcess)?;
            assert_eq!(seen_by(&sight, || assert_eq!(stepped(3), 3))?, 1);
            assert_eq!(sight.here()?.values[0], 3);
            let outside = UProbeAttachLocation::SymbolOffset("stepped", 6);
            says(program.attach([outside], this_file()?, CallingProcess), &["`stepped`", "6 bytes"])?;
        }
        Ok(())
    }

    /// Several points are one link, each with its cookie.
    fn points(object: "probes", since 5, 15) {
        needs_probes!("uprobe", "points");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "cookie");
        let point = |symbol, cookie| UProbeAttachPoint {
            location: UProbeAttachLocation::Symbol(symbol),
            cookie: Some(cookie),
        };
        let link = program.attach([point("probed", 7), point("named", 8)], "/proc/self/exe", CallingProcess)?;
        call(1);
        assert_eq!(sight.here()?.cookie, 7);
        named(c"x".as_ptr().cast());
        assert_eq!((sight.here()?.cookie, sight.here()?.calls), (8, 2));

        let links = program.take_link(link)?.into_fd_links().map_err(|_| "not bpf_links")?;
        assert_eq!(links.len(), 2);
        let pin = pin_path("link");
        let mut links = links.into_iter();
        let first = links.next().ok_or("two links")?;
        assert_eq!(first.info()?.link_type()?, LinkType::PerfEvent);
        drop(first.pin(&pin)?);
        drop((links, ebpf));
        assert_eq!(seen_by(&sight, || { call(1); })?, 1, "the pin holds the first");
        assert_eq!(seen_by(&sight, || { named(c"x".as_ptr().cast()); })?, 0, "nothing holds the second");
        PinnedLink::from_pin(&pin)?.unpin()?.detach()?;
        assert_eq!(seen_by(&sight, || { call(1); })?, 0);
        Ok(())
    }

    /// Calls of other processes are seen or not, as the scope says.
    fn scopes(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "scopes");
        let mut child = Callee::start()?;
        let pid = child.0.id();
        for (scope, own, others) in [
            (AllProcesses, 1, 1),
            (CallingProcess, 1, 0),
            (OneProcess(NonZeroU32::new(pid).ok_or("no id")?), 0, 1),
        ] {
            let mut ebpf = aya::EbpfLoader::new().override_global("PROCESS", &0_u32, true).load(object)?;
            let sight = Sight::of(&mut ebpf)?;
            let program = probe!(ebpf, UProbe, "call");
            // The thread that attaches ends before anybody calls.
            let attach = || program.attach(["probed"], "/proc/self/exe", scope);
            let attached = thread::scope(|threads| threads.spawn(attach).join());
            attached.map_err(|_| "the thread has panicked")??;
            call(1);
            let thread = child.call()?;
            assert_eq!(sight.here()?.calls, own, "{scope:?}");
            assert_eq!(sight.of_thread(thread)?.calls, others, "{scope:?}");
        }
        Ok(())
    }

    /// Libraries by the name that people call them.
    fn libraries(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "libraries");
        const CACHE: &str = "/etc/ld.so.cache";
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "call");
        if cfg!(target_feature = "crt-static") && Path::new("/guest/commands").is_dir() {
            // Guests have no libraries: this file plays one.
            std::fs::create_dir_all("/etc")?;
            std::fs::write(CACHE, library_cache(&this_file()?))?;
            let link = program.attach(["probed"], "libprobed", AllProcesses);
            says(program.attach(["probed"], "libnone", AllProcesses), &["libnone", "give its path"])?;
            std::fs::write(CACHE, "something else")?;
            let broken = program.attach(["probed"], "libprobed", AllProcesses);
            std::fs::remove_file(CACHE)?;
            link?;
            assert_eq!(seen_by(&sight, || { call(1); })?, 1);
            says(broken, &[CACHE, "ldconfig"])?;
        } else {
            for scope in [AllProcesses, CallingProcess] {
                let link = program.attach(["getppid"], "libc", scope)?;
                let calls = seen_by(&sight, || { nix::unistd::getppid(); })?;
                assert_eq!(calls, 1, "{scope:?}");
                program.detach(link)?;
            }
        }
        Ok(())
    }

    /// Strings of the process can be read.
    fn strings(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "strings");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        probe!(ebpf, UProbe, "text").attach(["named"], "/proc/self/exe", CallingProcess)?;
        named(c"hello".as_ptr().cast());
        let seen = sight.here()?;
        assert_eq!((seen.calls, seen.values[0], &seen.text[..6]), (1, 5, &b"hello\0"[..]));
        named(std::ptr::null());
        assert_eq!(sight.here()?.values[0], u64::MAX, "address 0 cannot be read");
        Ok(())
    }

    /// Programs that may wait (sections with `.s`).
    fn sleepable(object: "probes", since 6, 0) {
        needs_probes!("uprobe", "sleepable");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        probe!(ebpf, UProbe, "sleepy").attach(["named"], "/proc/self/exe", CallingProcess)?;
        named(b"12345678".as_ptr());
        let seen = sight.here()?;
        assert_eq!((seen.calls, seen.values[0], &seen.text[..8]), (1, 0, &b"12345678"[..]));
        Ok(())
    }

    /// The ways of older kernels do the same, and leave nothing.
    fn ways(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "ways");
        for lacks in [
            &[][..],
            &[Feature::PerfLink],
            &[Feature::ProbeDevice],
            &[Feature::PerfLink, Feature::ProbeDevice],
        ] {
            let before = Stock::take()?;
            let mut ebpf = load_on(object, &Features::without(lacks))?;
            let sight = Sight::of(&mut ebpf)?;
            for name in ["call", "result"] {
                let program: &mut UProbe = ebpf.program_mut(name).ok_or("no program")?.try_into()?;
                program.load()?;
                let id = program.attach(["probed", "named"], this_file()?, CallingProcess)?;
                assert_eq!(seen_by(&sight, || { call(1); })?, 1, "{name} without {lacks:?}");
                assert_eq!(seen_by(&sight, || { named(c"".as_ptr().cast()); })?, 1);
                let listed = names().matches("aya/probe_").count();
                let expected = if lacks.contains(&Feature::ProbeDevice) { 2 } else { 0 };
                assert_eq!(listed, expected, "{}", names());
                let link = program.take_link(id)?;
                assert_eq!(seen_by(&sight, || { call(1); })?, 1, "{name} is held by its link");
                link.detach()?;
                assert_eq!(seen_by(&sight, || { call(1); })?, 0, "{name} is detached");
            }
            probe!(ebpf, UProbe, "text").attach(["probed", "named"], this_file()?, AllProcesses)?;
            drop((ebpf, sight));
            before.expect(&format!("without {lacks:?}"))?;
        }
        Ok(())
    }

    /// Programs come back from their pin and from their number, as what they are.
    fn pinned_programs(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "pinned_programs");
        let pin = pin_path("program");
        let mut ebpf = load(object)?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, UProbe, "result");
        program.pin(&pin)?;
        let info = program.info()?;
        assert_eq!(info.name_as_str(), Some("result"));
        drop(ebpf);
        let mut pinned = UProbe::from_pin(&pin, ProbeKind::Return)?;
        assert_eq!(pinned.kind(), ProbeKind::Return);
        pinned.attach(["probed"], "/proc/self/exe", CallingProcess)?;
        let mut again = UProbe::from_program_info(info, "result".into(), ProbeKind::Return)?;
        again.attach(["probed"], "/proc/self/exe", CallingProcess)?;
        let mut result = 0;
        assert_eq!(seen_by(&sight, || result = call(1))?, 2);
        assert_eq!(sight.here()?.values[0], result, "it runs at returns");
        pinned.unpin()?;
        drop((pinned, again));
        assert_eq!(seen_by(&sight, || { call(1); })?, 0);
        Ok(())
    }

    /// Log lines come from both kinds.
    fn logs(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "logs");
        let mut ebpf = load(object)?;
        probe!(ebpf, UProbe, "call").attach(["probed"], "/proc/self/exe", CallingProcess)?;
        probe!(ebpf, UProbe, "result").attach(["probed"], "/proc/self/exe", CallingProcess)?;
        let lines = logged(&mut ebpf, || { call(1); })?;
        assert_eq!(lines, ["called with 1 and 2", "result 28"]);
        Ok(())
    }

    /// What cannot be attached to is named, with what to do.
    fn refusals(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "refusals");
        let before = Stock::take()?;
        for lacks in [&[][..], &[Feature::ProbeDevice]] {
            refuse(&mut load_on(object, &Features::without(lacks))?)?;
        }
        before.expect("after refusals")
    }

    /// Nothing is left of a process that was killed; a name in tracefs goes with the next probe.
    fn a_kill_leaves_nothing(object: "probes", since 5, 8) {
        needs_probes!("uprobe", "a_kill_leaves_nothing");
        let before = Stock::take()?;
        kill_victim(object, &[])?;
        before.expect("after kill -9")?;

        kill_victim(object, &[Feature::ProbeDevice])?;
        assert_eq!(names().matches("aya/probe_").count(), 1, "{}", names());
        let mut ebpf = load_on(object, &Features::without(&[Feature::ProbeDevice]))?;
        let program = probe!(ebpf, UProbe, "call");
        let link = program.attach(["probed"], this_file()?, AllProcesses)?;
        assert_eq!(names().matches("aya/probe_").count(), 1, "ours alone: {}", names());
        program.detach(link)?;
        drop(ebpf);
        before.expect("after kill -9 and another probe")
    }
}

fn refuse(ebpf: &mut Ebpf) -> TestResult {
    let program: &mut UProbe = ebpf.program_mut("call").ok_or("no program")?.try_into()?;
    let exe = "/proc/self/exe";
    let unloaded = program.attach(["probed"], exe, CallingProcess);
    assert!(
        matches!(unloaded, Err(ProgramError::NotLoaded)),
        "{unloaded:?}"
    );
    program.load()?;
    let mut symbol =
        |symbol: &str, parts: &[&str]| says(program.attach([symbol], exe, CallingProcess), parts);
    symbol("probd", &["symbol `probd`", exe, "did you mean `probed`"])?;
    symbol("", &["symbol ``", exe])?;
    symbol(&"x".repeat(300), &["no such symbol"])?;
    let outside = UProbeAttachLocation::SymbolOffset("probed", 1 << 20);
    says(
        program.attach([outside], exe, CallingProcess),
        &["symbol `probed`", "outside"],
    )?;
    let mut target = |target: &str, parts: &[&str]| {
        says(program.attach(["probed"], target, AllProcesses), parts)
    };
    target("/no/such/file", &["/no/such/file", "check path and rights"])?;
    target("no-such-library", &["no-such-library", "give its path"])?;
    target("x", &["x: no such library"])?;
    target("/proc/self/status", &["/proc/self/status", "ELF"])?;
    target("/", &["/: ", "check path"])?;
    let none: [&str; 0] = [];
    let empty = program.attach(none, exe, AllProcesses);
    assert!(matches!(
        &empty,
        Err(ProgramError::UProbeError(UProbeError::EmptyPoints { .. }))
    ));
    says(empty, &[exe, "at least one"])?;
    // Nothing is mapped as far as that.
    says(
        program.attach([u64::MAX >> 1], exe, CallingProcess),
        &["program `call`", exe],
    )?;
    let nobody = OneProcess(NonZeroU32::new(i32::MAX as u32).ok_or("no id")?);
    says(
        program.attach(["probed"], exe, nobody),
        &["program `call`", "process is gone"],
    )?;
    says(
        program.attach(["probed"], "libc", nobody),
        &["process 2147483647", "alive"],
    )?;
    // The first point is taken back when the second is refused.
    let points = [
        UProbeAttachLocation::Symbol("probed"),
        UProbeAttachLocation::AbsoluteOffset(u64::MAX >> 1),
    ];
    says(
        program.attach(points, exe, CallingProcess),
        &["point 1", "offset 0x7fffffffffffffff"],
    )?;

    let program = probe!(ebpf, UProbe, "result");
    let behind = UProbeAttachLocation::SymbolOffset("probed", 1);
    says(
        program.attach([behind], exe, CallingProcess),
        &["symbol `probed`", "alone"],
    )?;
    let other: Result<&mut KProbe, _> = ebpf.program_mut("call").ok_or("no program")?.try_into();
    assert!(matches!(other, Err(ProgramError::UnexpectedProgramType)));
    Ok(())
}

/// A cache of libraries with one entry.
fn library_cache(path: &Path) -> Vec<u8> {
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    let name = b"libprobed.so.1\0";
    let mut cache = b"glibc-ld.so.cache1.1".to_vec();
    cache.extend(1_u32.to_ne_bytes());
    cache.resize(HEADER, 0);
    let text = (HEADER + ENTRY) as u32;
    for number in [0, text, text + name.len() as u32] {
        cache.extend(number.to_ne_bytes());
    }
    cache.resize(HEADER + ENTRY, 0);
    cache.extend(name);
    cache.extend(path.as_os_str().as_encoded_bytes());
    cache.push(0);
    cache
}

/// Another process that calls the function whenever it is asked to.
struct Callee(std::process::Child, BufReader<std::process::ChildStdout>);

/// Set for that process.
const CALLEE: &str = "AYA_TESTS_CALLEE";

impl Callee {
    fn start() -> TestResult<Self> {
        let mut child = Command::new(this_file()?)
            .args(["--exact", "callee", "--nocapture", "--test-threads=1"])
            .env(CALLEE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self(child, BufReader::new(output)))
    }

    /// One call, by the thread with the id that this returns.
    fn call(&mut self) -> TestResult<u32> {
        let input = self.0.stdin.as_mut().ok_or("no input")?;
        input.write_all(b"\n")?;
        loop {
            let mut line = String::new();
            if self.1.read_line(&mut line)? == 0 {
                return Err("the other process has ended".into());
            }
            if let Some((_, thread)) = line.split_once("called by ") {
                return Ok(thread.trim().parse()?);
            }
        }
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The process of [`Callee`]; an ordinary run of the tests passes by.
#[test]
fn callee() -> TestResult {
    if std::env::var_os(CALLEE).is_some() {
        for line in std::io::stdin().lines() {
            line?;
            call(1);
            println!("called by {}", nix::unistd::gettid());
        }
    }
    Ok(())
}

/// The process that [`kill_victim`] kills; an ordinary run of the tests passes by.
#[test]
fn victim() -> TestResult {
    be_victim(|object, features| {
        let mut ebpf = load_on(object, features)?;
        probe!(ebpf, UProbe, "call").attach(["probed"], this_file()?, AllProcesses)?;
        Ok(ebpf)
    })
}
