//! Kernel probes: `vfs_read`, by a read of this process.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::FileExt as _,
};

use aya::{
    features::{Feature, Features},
    programs::{
        KProbe, ProbeKind, ProgramError, ProgramType, Xdp,
        kprobe::KProbeError,
        links::{FdLink, Link as _, LinkType, PinnedLink},
    },
};
use aya_tests::{
    TestResult, in_both_modes, needs_probes, pin_path, probe,
    probes::{Sight, Stock, be_victim, kill_victim, load, load_on, logged, names, says},
};

/// An odd number of bytes.
const COUNT: usize = 1234;

/// A file that can be read again and again.
struct Zeros(File, [u8; COUNT]);

impl Zeros {
    fn open() -> TestResult<Self> {
        Ok(Self(File::open("/dev/zero")?, [0; COUNT]))
    }

    /// Reads once, and returns where to.
    fn read(&mut self) -> u64 {
        assert_eq!(self.0.read(&mut self.1).ok(), Some(COUNT));
        self.1.as_ptr() as u64
    }

    /// How often the programs run for one read.
    fn seen_by(&mut self, sight: &Sight) -> TestResult<u64> {
        let before = sight.here()?.calls;
        self.read();
        Ok(sight.here()?.calls - before)
    }
}

in_both_modes! {
    /// A program sees the arguments of each call until it is detached.
    fn arguments(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "arguments");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, KProbe, "entry");
        assert_eq!(program.kind(), ProbeKind::Entry);
        let link = program.attach("vfs_read", 0)?;
        let address = zeros.read();
        let seen = sight.here()?;
        assert_eq!((seen.calls, seen.values[1], seen.values[2]), (1, address, COUNT as u64));
        assert_eq!(seen.more, 1, "the file's structure can be read");
        assert_eq!(zeros.seen_by(&sight)?, 1);
        program.detach(link)?;
        assert_eq!(zeros.seen_by(&sight)?, 0, "it is detached");
        Ok(())
    }

    /// A program sees what a call returned, errors too.
    fn results(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "results");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        let memory = File::open("/proc/self/mem")?;
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, KProbe, "leave");
        assert_eq!(program.kind(), ProbeKind::Return);
        program.attach("vfs_read", 0)?;
        zeros.read();
        let seen = sight.here()?;
        assert_eq!((seen.calls, seen.values[0]), (1, COUNT as u64));
        // Nothing is mapped at address 0.
        let error = memory.read_at(&mut [0; 8], 0).err().and_then(|error| error.raw_os_error());
        let expected = error.ok_or("address 0 was read")?;
        let seen = sight.here()?;
        assert_eq!((seen.calls, seen.values[0] as i64), (2, -i64::from(expected)));
        Ok(())
    }

    /// Instructions behind the first one can be probed, and places between instructions not.
    fn offsets(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "offsets");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, KProbe, "entry");
        let (mut taken, mut refused) = (0, 0);
        // The first instruction has four bytes, or five.
        for offset in [1, 4, 5] {
            match program.attach("vfs_read", offset) {
                Ok(link) => {
                    assert_eq!(zeros.seen_by(&sight)?, 1, "at offset {offset}");
                    program.detach(link)?;
                    taken += 1;
                }
                Err(ProgramError::KProbeError(error @ KProbeError::NotProbeable { .. })) => {
                    assert!(error.to_string().contains(&format!("vfs_read+{offset}")), "{error}");
                    refused += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
        let outside = program.attach("vfs_read", 1 << 20);
        let Err(ProgramError::KProbeError(KProbeError::OffsetOutside { size, .. })) = outside else {
            return Err(format!("{outside:?}").into());
        };
        assert!((16..1 << 20).contains(&size), "{size}");
        Ok(())
    }

    /// The ways of older kernels do the same, and leave nothing.
    fn ways(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "ways");
        for lacks in [
            &[][..],
            &[Feature::PerfLink],
            &[Feature::ProbeDevice],
            &[Feature::PerfLink, Feature::ProbeDevice],
        ] {
            let before = Stock::take()?;
            let mut zeros = Zeros::open()?;
            let mut ebpf = load_on(object, &Features::without(lacks))?;
            let sight = Sight::of(&mut ebpf)?;
            for name in ["entry", "leave"] {
                let program: &mut KProbe = ebpf.program_mut(name).ok_or("no program")?.try_into()?;
                program.load()?;
                let link = program.attach("vfs_read", 0)?;
                assert_eq!(zeros.seen_by(&sight)?, 1, "{name} without {lacks:?}");
                let listed = names().matches("aya/probe_").count();
                let expected = usize::from(lacks.contains(&Feature::ProbeDevice));
                assert_eq!(listed, expected, "{}", names());
                let link = program.take_link(link)?;
                link.detach()?;
                assert_eq!(zeros.seen_by(&sight)?, 0, "{name} is detached");
            }
            // The drop of the object detaches too.
            probe!(ebpf, KProbe, "with_target").attach("vfs_read", 0)?;
            drop((ebpf, sight, zeros));
            before.expect(&format!("without {lacks:?}"))?;
        }
        Ok(())
    }

    /// A taken link holds the program, whatever becomes of its handle.
    fn a_taken_link_holds(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "a_taken_link_holds");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, KProbe, "entry");
        let id = program.attach("vfs_read", 0)?;
        let link = program.take_link(id)?;
        drop(ebpf);
        assert_eq!(zeros.seen_by(&sight)?, 1);
        drop(link);
        assert_eq!(zeros.seen_by(&sight)?, 0);
        Ok(())
    }

    /// Programs come back from their pin and from their number, as what they are.
    fn pinned_programs(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "pinned_programs");
        let pin = pin_path("program");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, KProbe, "leave");
        program.pin(&pin)?;
        let info = program.info()?;
        assert_eq!(info.name_as_str(), Some("leave"));
        assert_eq!(info.program_type(), ProgramType::KProbe);
        drop(ebpf);
        let mut pinned = KProbe::from_pin(&pin, ProbeKind::Return)?;
        assert_eq!(pinned.kind(), ProbeKind::Return);
        pinned.attach("vfs_read", 0)?;
        zeros.read();
        assert_eq!(sight.here()?.values[0], COUNT as u64, "it runs at returns");
        let mut again = KProbe::from_program_info(info, "leave".into(), ProbeKind::Return)?;
        again.attach("vfs_read", 0)?;
        assert_eq!(zeros.seen_by(&sight)?, 2, "it is attached twice now");
        assert!(matches!(Xdp::from_pin(&pin, aya::programs::XdpAttachType::Interface), Err(ProgramError::UnexpectedProgramType)));
        pinned.unpin()?;
        drop((pinned, again));
        assert_eq!(zeros.seen_by(&sight)?, 0);
        Ok(())
    }

    /// A link that is pinned holds the program without any process.
    fn pinned_links(object: "probes", since 5, 15) {
        needs_probes!("kprobe", "pinned_links");
        let pin = pin_path("link");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        let sight = Sight::of(&mut ebpf)?;
        let program = probe!(ebpf, KProbe, "entry");
        let id = program.attach("vfs_read", 0)?;
        let link = FdLink::try_from(program.take_link(id)?)?;
        assert_eq!(link.info()?.link_type()?, LinkType::PerfEvent);
        drop(link.pin(&pin)?);
        drop(ebpf);
        assert_eq!(zeros.seen_by(&sight)?, 1);
        let link = PinnedLink::from_pin(&pin)?.unpin()?;
        let link = aya::programs::kprobe::KProbeLink::try_from(link)?;
        link.detach()?;
        assert_eq!(zeros.seen_by(&sight)?, 0);
        Ok(())
    }

    /// The program is told the place's cookie; kernels that keep none say so.
    fn cookies(object: "probes", since 5, 15) {
        needs_probes!("kprobe", "cookies");
        for lacks in [&[][..], &[Feature::ProbeDevice]] {
            let mut ebpf = load_on(object, &Features::without(lacks))?;
            let (sight, mut zeros) = (Sight::of(&mut ebpf)?, Zeros::open()?);
            let program = probe!(ebpf, KProbe, "marked");
            program.attach_with_cookie("vfs_read", 0, 0x1234_5678_9abc)?;
            zeros.read();
            assert_eq!(sight.here()?.cookie, 0x1234_5678_9abc, "without {lacks:?}");
        }
        let mut ebpf = load_on(object, &Features::without(&[Feature::PerfLink]))?;
        let program = probe!(ebpf, KProbe, "marked");
        let refused = program.attach_with_cookie("vfs_read", 0, 1);
        assert!(matches!(refused, Err(ProgramError::AttachCookieNotSupported { .. })), "{refused:?}");
        Ok(())
    }

    /// Log lines come from both kinds.
    fn logs(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "logs");
        let (mut ebpf, mut zeros) = (load(object)?, Zeros::open()?);
        probe!(ebpf, KProbe, "entry").attach("vfs_read", 0)?;
        probe!(ebpf, KProbe, "leave").attach("vfs_read", 0)?;
        let mut lines = logged(&mut ebpf, || { zeros.read(); })?;
        // Whatever else this process has read.
        lines.retain(|line| line.ends_with(&COUNT.to_string()));
        assert_eq!(lines, [format!("read of {COUNT}"), format!("returned {COUNT}")]);
        Ok(())
    }

    /// The target of the section's name is there for whoever reads the object.
    fn targets(object: "probes", since 5, 8) {
        let mut ebpf = load(object)?;
        probe!(ebpf, KProbe, "with_target");
        Ok(())
    }

    /// What cannot be attached to is named, with what to do.
    fn refusals(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "refusals");
        let before = Stock::take()?;
        let mut ebpf = load(object)?;
        let program: &mut KProbe = ebpf.program_mut("entry").ok_or("no program")?.try_into()?;
        assert!(matches!(program.attach("vfs_read", 0), Err(ProgramError::NotLoaded)));
        program.load()?;
        let close = "did you mean `vfs_read`";
        says(program.attach("vfs_raed", 0), &["program `entry`", "`vfs_raed`", close])?;
        says(program.attach("", 0), &["program `entry`", "no function ``"])?;
        let long = "a".repeat(300);
        says(program.attach(&long, 0), &["program `entry`", &long])?;
        says(program.attach("vfs\0read", 0), &["zero byte"])?;
        says(program.attach("get_kprobe", 0), &["`entry`", "`get_kprobe`", "blacklist"])?;
        let program = probe!(ebpf, KProbe, "leave");
        says(program.attach("vfs_read", 5), &["program `leave`", "pass 0"])?;
        drop(ebpf);

        // By way of tracefs the same is said.
        let mut ebpf = load_on(object, &Features::without(&[Feature::ProbeDevice]))?;
        let program = probe!(ebpf, KProbe, "entry");
        says(program.attach("vfs_raed", 0), &["program `entry`", "`vfs_raed`", close])?;
        drop(ebpf);
        before.expect("after refusals")
    }

    /// Names that several functions have are refused (since 6.6 by the kernel too).
    fn several_functions(object: "probes", since 6, 6) {
        needs_probes!("kprobe", "several_functions");
        let known = fs::read_to_string("/proc/kallsyms")?;
        let mut names: Vec<&str> = known
            .lines()
            .filter(|line| line.contains(" t ") && !line.contains('['))
            .filter_map(|line| line.split_whitespace().nth(2))
            .collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1] && !pair[0].contains("__pfx"));
        let name = twice.ok_or("all names differ")?[0];
        let mut ebpf = load(object)?;
        says(probe!(ebpf, KProbe, "entry").attach(name, 0), &["several functions", name])
    }

    /// Nothing is left after a panic.
    fn a_panic_leaves_nothing(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "a_panic_leaves_nothing");
        for lacks in [&[][..], &[Feature::PerfLink], &[Feature::ProbeDevice]] {
            let before = Stock::take()?;
            let mut ebpf = load_on(object, &Features::without(lacks))?;
            probe!(ebpf, KProbe, "entry").attach("vfs_read", 0)?;
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _owned = ebpf;
                std::panic::resume_unwind(Box::new("on purpose"));
            }));
            assert!(panicked.is_err());
            before.expect(&format!("after a panic, without {lacks:?}"))?;
        }
        Ok(())
    }

    /// Nothing is left of a process that was killed; a name in tracefs goes with the next probe.
    fn a_kill_leaves_nothing(object: "probes", since 5, 8) {
        needs_probes!("kprobe", "a_kill_leaves_nothing");
        let before = Stock::take()?;
        kill_victim(object, &[])?;
        before.expect("after kill -9")?;

        kill_victim(object, &[Feature::ProbeDevice])?;
        assert_eq!(names().matches("aya/probe_").count(), 1, "{}", names());
        let mut ebpf = load_on(object, &Features::without(&[Feature::ProbeDevice]))?;
        let program = probe!(ebpf, KProbe, "entry");
        let link = program.attach("vfs_read", 0)?;
        assert_eq!(names().matches("aya/probe_").count(), 1, "ours alone: {}", names());
        program.detach(link)?;
        drop(ebpf);
        before.expect("after kill -9 and another probe")
    }
}

/// The process that [`kill_victim`] kills; an ordinary run of the tests passes by.
#[test]
fn victim() -> TestResult {
    be_victim(|object, features| {
        let mut ebpf = load_on(object, features)?;
        probe!(ebpf, KProbe, "entry").attach("vfs_read", 0)?;
        Ok(ebpf)
    })
}
