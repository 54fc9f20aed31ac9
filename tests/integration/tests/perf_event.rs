//! Perf event programs: what the kernel counts, breakpoints, scopes, links.

use std::{
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    features::{Feature, Features},
    maps::Array,
    programs::{
        PerfEvent, ProgramError,
        links::{FdLink, LinkType, PinnedLink},
        perf_event::{
            BreakpointConfig, HardwareEvent, PerfBreakpointLength, PerfBreakpointType,
            PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent,
        },
    },
};
use aya_log::EbpfLogger;
use aya_tests::{Recorder, TestResult, can_pin, in_both_modes, pin_path, program};
use nix::unistd::gettid;

const PAGE: usize = 4096;
const PAGES: usize = 32;
const CALLER: PerfEventScope = PerfEventScope::CallingProcess { cpu: None };
const FAULTS: PerfEventConfig = PerfEventConfig::Software(SoftwareEvent::PageFaults);
const CLOCK: PerfEventConfig = PerfEventConfig::Software(SoftwareEvent::CpuClock);
const EACH: SamplePolicy = SamplePolicy::Period(1);
const MILLISECOND: u64 = 1_000_000;

fn runs(ebpf: &Ebpf) -> TestResult<u64> {
    number(ebpf, "RUNS", 0)
}

fn number(ebpf: &Ebpf, map: &str, index: u32) -> TestResult<u64> {
    let numbers: Array<_, u64> = Array::try_from(ebpf.map(map).ok_or("no map")?)?;
    Ok(numbers.get(&index, 0)?)
}

/// Memory that nobody has touched.
struct Fresh(Vec<u8>);

impl Fresh {
    fn new() -> TestResult<Self> {
        // One fault per page.
        nix::sys::prctl::set_thp_disable(true)?;
        // So large that the allocator never has it at hand, and gets pages of zeros from the kernel.
        Ok(Self(vec![0; 64 << 20]))
    }

    /// The addresses of its whole pages, and those behind.
    fn pages(&self) -> (u64, u64) {
        let first = (self.0.as_ptr() as usize).next_multiple_of(PAGE);
        (first as u64, (first + PAGES * PAGE) as u64)
    }

    /// Touches so many pages from the first on that was not touched before.
    fn touch(&mut self, pages: std::ops::Range<usize>) {
        let first = (self.0.as_ptr() as usize).next_multiple_of(PAGE) - self.0.as_ptr() as usize;
        for page in pages {
            self.0[first + page * PAGE] = 1;
        }
        black_box(&mut self.0);
    }
}

/// The object, with a program that counts the faults of these pages.
fn counts_faults(loader: &mut EbpfLoader<'_>, object: &[u8], fresh: &Fresh) -> TestResult<Ebpf> {
    let (first, behind) = fresh.pages();
    let mut loader = std::mem::take(loader);
    loader.override_global("FIRST", &first, true);
    let mut loader = loader;
    loader.override_global("BEHIND", &behind, true);
    let mut ebpf = loader.load(object)?;
    program::<PerfEvent>(&mut ebpf, "faults")?.load()?;
    Ok(ebpf)
}

/// Lets the CPU work until the program has run, for five seconds at most.
fn spin_until_it_runs(ebpf: &Ebpf, more_than: u64) -> TestResult {
    let deadline = Instant::now() + Duration::from_secs(5);
    while runs(ebpf)? <= more_than {
        assert!(Instant::now() < deadline, "the program does not run");
        for number in 0..100_000 {
            black_box(number);
        }
    }
    Ok(())
}

in_both_modes! {
    /// Page faults, each of them, as long as the program is attached.
    fn page_faults_are_counted_exactly(object: "events", since 5, 10) {
        for missing in [&[][..], &[Feature::PerfLink]] {
            let mut fresh = Fresh::new()?;
            let mut loader = EbpfLoader::new();
            let mut ebpf = counts_faults(loader.features(Features::without(missing)), object, &fresh)?;
            let faults: &mut PerfEvent = program(&mut ebpf, "faults")?;
            fresh.touch(0..2);
            let link = faults.attach(FAULTS, CALLER, EACH, false)?;
            fresh.touch(0..12);
            faults.detach(link)?;
            fresh.touch(12..16);
            assert_eq!(runs(&ebpf)?, 10, "without {missing:?}");

            let faults: &mut PerfEvent = program(&mut ebpf, "faults")?;
            let link = faults.attach(FAULTS, CALLER, EACH, false)?;
            let link = faults.take_link(link)?;
            faults.unload()?;
            fresh.touch(16..20);
            drop(link);
            fresh.touch(20..24);
            assert_eq!(runs(&ebpf)?, 14, "without {missing:?}");
        }
        Ok(())
    }

    /// Of a period only its end.
    fn a_period(object: "events", since 5, 10) {
        let mut fresh = Fresh::new()?;
        let mut ebpf = counts_faults(&mut EbpfLoader::new(), object, &fresh)?;
        let faults: &mut PerfEvent = program(&mut ebpf, "faults")?;
        let link = faults.attach(FAULTS, CALLER, SamplePolicy::Period(4), false)?;
        fresh.touch(0..PAGES);
        faults.detach(link)?;
        // Faults elsewhere may shift the count by one.
        let runs = runs(&ebpf)?;
        assert!((7..=8).contains(&runs), "{runs}");
        Ok(())
    }

    /// Threads that are started count only where that is asked for.
    fn threads_inherit(object: "events", since 5, 10) {
        for inherit in [false, true] {
            let mut fresh = Fresh::new()?;
            let mut ebpf = counts_faults(&mut EbpfLoader::new(), object, &fresh)?;
            program::<PerfEvent>(&mut ebpf, "faults")?.attach(FAULTS, CALLER, EACH, inherit)?;
            std::thread::scope(|scope| scope.spawn(|| fresh.touch(0..8)).join())
                .map_err(|_| "panicked")?;
            assert_eq!(runs(&ebpf)?, if inherit { 8 } else { 0 });
        }
        Ok(())
    }

    /// Another thread, by number, and a CPU.
    fn scopes(object: "events", since 5, 10) {
        let mut fresh = Fresh::new()?;
        let mut ebpf = counts_faults(&mut EbpfLoader::new(), object, &fresh)?;
        let faults: &mut PerfEvent = program(&mut ebpf, "faults")?;
        let pid = gettid().as_raw().cast_unsigned();
        let link = faults.attach(FAULTS, PerfEventScope::OneProcess { pid, cpu: None }, EACH, false)?;
        fresh.touch(0..3);
        faults.detach(link)?;
        let online = aya::util::online_cpus().map_err(|(_, error)| error)?;
        for cpu in &online {
            faults.attach(FAULTS, PerfEventScope::AllProcessesOneCpu { cpu: *cpu }, EACH, false)?;
        }
        fresh.touch(3..8);
        assert_eq!(runs(&ebpf)?, 8);
        let faults: &mut PerfEvent = program(&mut ebpf, "faults")?;
        faults.unload()?;
        faults.load()?;
        for cpu in &online {
            faults.attach(FAULTS, PerfEventScope::CallingProcess { cpu: Some(*cpu) }, EACH, false)?;
        }
        fresh.touch(8..12);
        assert_eq!(runs(&ebpf)?, 12);
        Ok(())
    }

    /// A clock, by period and by frequency; what the context tells.
    fn clocks(object: "events", since 5, 10) {
        for (event, policy, period) in [
            (SoftwareEvent::CpuClock, SamplePolicy::Period(MILLISECOND), Some(MILLISECOND)),
            (SoftwareEvent::TaskClock, SamplePolicy::Frequency(100), None),
        ] {
            let mut ebpf = Ebpf::load(object)?;
            let overflow: &mut PerfEvent = program(&mut ebpf, "overflow")?;
            overflow.load()?;
            let link = overflow.attach(PerfEventConfig::Software(event), CALLER, policy, false)?;
            spin_until_it_runs(&ebpf, 0)?;
            spin_until_it_runs(&ebpf, 1)?;
            program::<PerfEvent>(&mut ebpf, "overflow")?.detach(link)?;
            let after = runs(&ebpf)?;
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(runs(&ebpf)?, after, "{event:?}: it is detached");

            let last = |index| number(&ebpf, "LAST", index);
            let sampled = last(0)?;
            assert!(period.is_none_or(|period| sampled == period) && sampled > 0, "{sampled}");
            assert!(last(1)? > 0 && last(2)? > 0, "{event:?}: counter and time");
            assert!(last(3)? > 0, "{event:?}: instruction pointer");
        }
        Ok(())
    }

    /// Each write to a variable.
    fn a_breakpoint(object: "events", since 5, 10) {
        let watched = Box::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let mut ebpf = Ebpf::load(object)?;
        let overflow: &mut PerfEvent = program(&mut ebpf, "overflow")?;
        overflow.load()?;
        let config = PerfEventConfig::Breakpoint(BreakpointConfig::Data {
            r#type: PerfBreakpointType::Write,
            address: (&raw const watched[0]) as u64,
            length: PerfBreakpointLength::Len4,
        });
        let link = overflow.attach(config, CALLER, EACH, false)?;
        for number in 0..5 {
            watched[0].store(number, Ordering::SeqCst);
            watched[1].store(number, Ordering::SeqCst);
            black_box(watched[0].load(Ordering::SeqCst));
        }
        overflow.detach(link)?;
        watched[0].store(7, Ordering::SeqCst);
        assert_eq!(runs(&ebpf)?, 5);
        Ok(())
    }

    /// A function that is called.
    fn an_instruction(object: "events", since 5, 10) {
        #[inline(never)]
        fn target(number: u32) -> u32 {
            black_box(number + 1)
        }
        let function: fn(u32) -> u32 = target;
        let mut ebpf = Ebpf::load(object)?;
        let overflow: &mut PerfEvent = program(&mut ebpf, "overflow")?;
        overflow.load()?;
        let address = function as usize as u64;
        let config = PerfEventConfig::Breakpoint(BreakpointConfig::Instruction { address });
        let link = overflow.attach(config, CALLER, EACH, false)?;
        for number in 0..3 {
            black_box(black_box(function)(number));
        }
        overflow.detach(link)?;
        black_box(function)(3);
        assert_eq!(runs(&ebpf)?, 3);
        Ok(())
    }

    /// Programs and links that outlive who made them.
    fn pins(object: "events", since 5, 15) {
        if !can_pin("pins")? {
            return Ok(());
        }
        let (program_path, link_path) = (pin_path("program"), pin_path("link"));
        let mut fresh = Fresh::new()?;
        let mut ebpf = counts_faults(&mut EbpfLoader::new(), object, &fresh)?;
        let faults: &mut PerfEvent = program(&mut ebpf, "faults")?;
        faults.pin(&program_path)?;
        let mut opened = PerfEvent::from_pin(&program_path)?;
        assert_eq!(opened.info()?.name_as_str(), Some("faults"));
        faults.unload()?;
        let link = opened.attach(FAULTS, CALLER, EACH, false)?;
        let link: FdLink = opened.take_link(link)?.try_into()?;
        assert_eq!(link.info()?.link_type()?, LinkType::PerfEvent);
        drop(link.pin(&link_path)?);
        opened.unpin()?;
        drop(opened);
        fresh.touch(0..6);
        assert_eq!(runs(&ebpf)?, 6);
        drop(PinnedLink::from_pin(&link_path)?.unpin()?);
        assert!(!Path::new(&program_path).exists() && !Path::new(&link_path).exists());
        Ok(())
    }

    /// A number of the attachment's own.
    fn a_cookie(object: "events", since 5, 15) {
        let mut ebpf = Ebpf::load(object)?;
        let cookie: &mut PerfEvent = program(&mut ebpf, "event_cookie")?;
        cookie.load()?;
        cookie.attach_with_cookie(CLOCK, CALLER, SamplePolicy::Period(MILLISECOND), false, 77)?;
        spin_until_it_runs(&ebpf, 0)?;
        assert_eq!(number(&ebpf, "LAST", 0)?, 77);
        Ok(())
    }

    /// Messages from a perf event.
    fn logging(object: "events", since 5, 10) {
        let thread = gettid().as_raw().cast_unsigned();
        let mut ebpf = EbpfLoader::new().override_global("THREAD", &thread, true).load(object)?;
        let recorder = Recorder::default();
        let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
        let log: &mut PerfEvent = program(&mut ebpf, "log_overflow")?;
        log.load()?;
        log.attach(CLOCK, CALLER, SamplePolicy::Period(2 * MILLISECOND), false)?;
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            logger.flush();
            let said = recorder.take();
            if let Some(message) = said.first() {
                assert_eq!(message.text, "every 2000000");
                return Ok(());
            }
            assert!(Instant::now() < deadline, "nothing is logged");
        }
    }

    /// Events, CPUs and processes that are not there.
    fn what_is_not_there(object: "events", since 5, 10) {
        let mut ebpf = Ebpf::load(object)?;
        let overflow: &mut PerfEvent = program(&mut ebpf, "overflow")?;
        assert!(matches!(overflow.attach(CLOCK, CALLER, EACH, false), Err(ProgramError::NotLoaded)));
        overflow.load()?;
        let everywhere = |cpu| PerfEventScope::AllProcessesOneCpu { cpu };
        let process = |pid| PerfEventScope::OneProcess { pid, cpu: None };
        let breakpoint = |address| PerfEventConfig::Breakpoint(BreakpointConfig::Data {
            r#type: PerfBreakpointType::Write,
            address,
            length: PerfBreakpointLength::Len8,
        });
        let often = SamplePolicy::Frequency(u64::MAX);
        for (config, scope, policy, remedy) in [
            (CLOCK, everywhere(4095), EACH, "not online"),
            (CLOCK, everywhere(u32::MAX), EACH, "not online"),
            (CLOCK, process(0x7fff_fff0), EACH, "process is gone"),
            (CLOCK, CALLER, often, "max_sample_rate"),
            (breakpoint(1), CALLER, EACH, "multiple of the length"),
            (PerfEventConfig::Pmu { pmu_type: 0x7fff_fff0, config: 0 }, CALLER, EACH, "no device"),
            (PerfEventConfig::TracePoint { event_id: 0xffff_ffff }, CALLER, EACH, "event"),
        ] {
            let error = overflow.attach(config, scope, policy, false).err();
            let error = error.ok_or_else(|| format!("{config:?} {scope:?}"))?;
            assert!(matches!(error, ProgramError::EventRefused { .. }), "{error:?}");
            let message = error.to_string();
            assert!(message.contains("`overflow`") && message.contains(remedy), "{message}");
        }
        // Virtual machines have no counters of the CPU, and say so.
        let cycles = PerfEventConfig::Hardware(HardwareEvent::CpuCycles);
        match overflow.attach(cycles, CALLER, SamplePolicy::Period(1 << 20), false) {
            Ok(_) => assert!(Path::new("/sys/bus/event_source/devices/cpu").exists()),
            Err(error) => assert!(error.to_string().contains("use a software event"), "{error}"),
        }
        Ok(())
    }
}
