//! Call stacks and the functions in them: by address, by file, of the kernel.

use std::{env, hint::black_box, path::Path, process};

use aya::{
    Ebpf, EbpfLoader,
    maps::{
        Array, StackTraceMap,
        stack_trace::{FilePlace, StackTrace},
    },
    programs::{
        PerfEvent, RawTracePoint,
        perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent},
    },
    symbols::{Frame, Symbols},
};
use aya_tests::{TestResult, in_both_modes, program};
use nix::unistd::{getppid, gettid};

const PAGE: usize = 4096;

/// A local variable of this type makes a function keep its caller's frame, by which the kernel walks.
#[repr(align(64))]
struct Aligned(#[expect(dead_code, reason = "takes room")] [u8; 64]);

impl Aligned {
    const fn new() -> Self {
        Self([0; 64])
    }
}

/// Where the compiler puts a function into another one: the lines that the stack must name.
const STORE_LINE: u32 = line!() + 3;
#[inline(always)]
fn store(memory: &mut [u8], at: usize) {
    memory[at] = 1;
}

const BETWEEN_LINE: u32 = line!() + 3;
#[inline(always)]
fn between(memory: &mut [u8], at: usize) {
    store(memory, at);
}

const TOUCH_LINE: u32 = line!() + 4;
#[inline(never)]
fn touch(memory: &mut [u8], at: usize) {
    let frame = Aligned::new();
    between(memory, at);
    black_box(&frame);
}

const CALLER_LINE: u32 = line!() + 4;
#[inline(never)]
fn caller(memory: &mut [u8], at: usize) {
    let frame = Aligned::new();
    touch(memory, at);
    black_box(&frame);
}

/// The object, after a page fault in `store`.
fn after_a_fault(object: &[u8]) -> TestResult<Ebpf> {
    // So large that it is memory that nobody has touched.
    let mut memory = vec![0_u8; 64 << 20];
    let start = memory.as_ptr() as usize;
    let first = start.next_multiple_of(PAGE);
    let (from, behind) = (first as u64, (first + PAGE) as u64);
    let mut ebpf = EbpfLoader::new()
        .override_global("FIRST", &from, true)
        .override_global("BEHIND", &behind, true)
        .load(object)?;
    let fault: &mut PerfEvent = program(&mut ebpf, "fault")?;
    fault.load()?;
    let link = fault.attach(
        PerfEventConfig::Software(SoftwareEvent::PageFaults),
        PerfEventScope::CallingProcess { cpu: None },
        SamplePolicy::Period(1),
        false,
    )?;
    caller(&mut memory, first - start);
    fault.detach(link)?;
    black_box(&memory);
    Ok(ebpf)
}

fn stack(ebpf: &Ebpf, map: &str, last: u32) -> TestResult<StackTrace> {
    let ids = Array::<_, i64>::try_from(ebpf.map("LAST").ok_or("no map")?)?;
    let id = u32::try_from(ids.get(&last, 0)?).map_err(|_| "there is no stack")?;
    let stacks = StackTraceMap::try_from(ebpf.map(map).ok_or("no map")?)?;
    Ok(stacks.get(&id, 0)?)
}

/// Whether this executable has debug information; without it there are names, and nothing inlined.
fn has_lines() -> bool {
    option_env!("CARGO_PROFILE_DEV_DEBUG") != Some("0")
}

/// The names of functions without their paths, with the lines where they are in this file.
fn places(frame: &Frame) -> Vec<(&str, Option<u32>)> {
    let here = |file: &Path| file.file_name() == Path::new(file!()).file_name();
    let places = frame.functions.iter().map(|function| {
        let is_hash = |part: &&str| part.len() == 17 && part.starts_with('h');
        let name = function.name.rsplit("::").find(|part| !is_hash(part));
        let line = function
            .line
            .filter(|_| function.file.as_deref().is_some_and(here));
        (name.unwrap_or_default(), line)
    });
    places.collect()
}

/// The innermost frame has three functions, the one behind it called the last of them.
fn is_named(frames: &[Frame]) -> TestResult {
    let [inner, outer, ..] = frames else {
        return Err(format!("{frames:?}").into());
    };
    assert!(inner.offset > 0 && outer.offset > 0);
    let text = inner.to_string();
    let lines: Vec<_> = text.lines().collect();
    if !has_lines() {
        assert_eq!(places(inner), [("touch", None)], "{inner}");
        assert_eq!(places(outer), [("caller", None)], "{outer}");
        assert!(text.contains("touch+0x"), "{text}");
        return Ok(());
    }
    let expected = [
        ("store", Some(STORE_LINE)),
        ("between", Some(BETWEEN_LINE)),
        ("touch", Some(TOUCH_LINE)),
    ];
    assert_eq!(places(inner), expected, "{inner}");
    assert_eq!(places(outer), [("caller", Some(CALLER_LINE))], "{outer}");
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (text, (name, line)) in lines.into_iter().zip(expected) {
        assert!(text.contains(name), "{text}");
        assert!(
            text.ends_with(&format!("symbols.rs:{}", line.unwrap_or(0))),
            "{text}"
        );
    }
    Ok(())
}

in_both_modes! {
    /// Functions of this process by the addresses in it, inlined ones with their lines.
    fn functions_of_a_process(object: "stacks", since 5, 8) {
        let ebpf = after_a_fault(object)?;
        let stack = stack(&ebpf, "ADDRESSES", 0)?;
        assert!(stack.frames().iter().all(|frame| frame.ip != 0 && frame.file.is_none()));
        let frames = Symbols::new().process(process::id(), &stack)?;
        assert_eq!(frames.len(), stack.frames().len());
        is_named(&frames)?;
        let file = frames.first().and_then(|frame| frame.module.clone()).ok_or("no module")?;
        assert_eq!(Path::new(&file).file_name(), env::current_exe()?.file_name());
        Ok(())
    }

    /// The same by build id, with the process's help and without.
    fn functions_of_files(object: "stacks", since 5, 8) {
        let ebpf = after_a_fault(object)?;
        let stack = stack(&ebpf, "FILES", 2)?;
        let place = |at: usize| stack.frames().get(at).and_then(|frame| frame.file);
        let FilePlace { build_id, offset } = place(0).ok_or("no build id")?;
        assert!(build_id != [0; 20] && offset != 0);
        is_named(&Symbols::new().process(process::id(), &stack)?)?;

        let mut symbols = Symbols::new();
        let unknown = symbols.files(&stack)?;
        assert!(unknown.iter().all(|frame| frame.functions.is_empty()));
        let text = unknown.first().ok_or("no frame")?.to_string();
        assert_eq!(text, format!("{offset:#x} of an unknown file"));
        symbols.add_file(env::current_exe()?)?;
        is_named(&symbols.files(&stack)?)
    }

    /// Functions of the kernel, which a system call has gone through.
    fn functions_of_the_kernel(object: "stacks", since 5, 8) {
        let thread = gettid().as_raw().cast_unsigned();
        let mut ebpf = EbpfLoader::new().override_global("THREAD", &thread, true).load(object)?;
        let enter: &mut RawTracePoint = program(&mut ebpf, "enter")?;
        enter.load()?;
        let link = enter.attach("sys_enter")?;
        black_box(getppid());
        enter.detach(link)?;
        let stack = stack(&ebpf, "ADDRESSES", 1)?;
        let frames = Symbols::new().kernel(&stack)?;
        let names: Vec<_> = frames.iter().flat_map(|frame| &frame.functions).map(|it| it.name.as_str()).collect();
        let entered = |name: &&&str| ["do_syscall_64", "el0_svc"].iter().any(|it| name.contains(it));
        assert!(names.iter().find(entered).is_some(), "{names:?}");
        Ok(())
    }

    /// What cannot be read is named.
    fn a_process_that_is_gone(object: "stacks", since 5, 8) {
        let ebpf = after_a_fault(object)?;
        let stack = stack(&ebpf, "ADDRESSES", 0)?;
        // No process has a number as large.
        let gone = u32::MAX >> 1;
        let error = Symbols::new().process(gone, &stack).err().ok_or("found")?;
        assert!(error.to_string().starts_with(&format!("process {gone}: ")), "{error}");
        assert!(std::error::Error::source(&error).is_some());
        let error = Symbols::new().add_file("/no/such/file").err().ok_or("found")?;
        assert!(error.to_string().starts_with("/no/such/file: "), "{error}");
        Ok(())
    }
}
