//! XDP programs on a wire: verdicts, modes, links, pins, and what is left of them.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
    programs::{ProgramError, XdpMode, links::FdLink},
};
use aya_netlab::{FAR_ADDRESS, Lab, NEAR, received};
use aya_tests::{TestResult, can_pin, in_both_modes, xdp};

const BLOCKED: [u8; 4] = [1, 1, 1, 1];
const PORT: u16 = 4000;
const PATIENCE: Duration = Duration::from_millis(200);

/// A wire with a sender for each of two addresses.
struct Wire {
    lab: Lab,
    blocked: UdpSocket,
    other: UdpSocket,
    receiver: UdpSocket,
}

impl Wire {
    fn new() -> TestResult<Self> {
        let lab = Lab::new(&[BLOCKED.into()])?;
        Ok(Self {
            blocked: lab.sender(BLOCKED.into(), PORT)?,
            other: lab.sender(FAR_ADDRESS, PORT)?,
            receiver: lab.receiver(PORT, PATIENCE)?,
            lab,
        })
    }

    /// Sends so many packets from each address; returns how many arrived of (blocked, other).
    fn exchange(&self, each: usize) -> TestResult<(usize, usize)> {
        for _ in 0..each {
            self.blocked.send(b"blocked")?;
            self.other.send(b"other")?;
        }
        let arrived = received(&self.receiver)?;
        let count = |payload: &[u8]| arrived.iter().filter(|(_, got)| got == payload).count();
        Ok((count(b"blocked"), count(b"other")))
    }
}

in_both_modes! {
    /// The firewall's core: what the map holds is dropped, all else passes, everything is reported.
    fn filter_drops_what_the_map_holds(object: "xdp", since 5, 8) {
        let wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let program = xdp(&mut ebpf, "filter")?;
        program.load()?;
        let link = program.attach(NEAR, XdpMode::default())?;
        assert_eq!(wire.exchange(5)?, (5, 5));

        let mut blocked: HashMap<_, u32, u32> =
            HashMap::try_from(ebpf.map_mut("BLOCKED").ok_or("no map")?)?;
        blocked.insert(u32::from_be_bytes(BLOCKED), 0, 0)?;
        assert_eq!(wire.exchange(5)?, (0, 5));

        let seen: PerCpuArray<_, u64> =
            PerCpuArray::try_from(ebpf.map("SEEN").ok_or("no map")?)?;
        assert_eq!(seen.get(&0, 0)?.iter().sum::<u64>(), 20);

        let mut events = RingBuf::try_from(ebpf.take_map("EVENTS").ok_or("no map")?)?;
        let mut dropped = 0;
        let mut all = 0;
        while let Some(event) = events.next() {
            all += 1;
            let expected = [u32::from_be_bytes(BLOCKED).to_ne_bytes(), 1u32.to_ne_bytes()].concat();
            dropped += usize::from(event[..] == expected[..]);
        }
        assert_eq!((all, dropped), (20, 5));

        xdp(&mut ebpf, "filter")?.detach(link)?;
        assert_eq!(wire.exchange(2)?, (2, 2));
        Ok(())
    }

    /// The driver and the network stack can both run a program, and the default picks one.
    fn every_mode_drops(object: "xdp", since 5, 8) {
        let wire = Wire::new()?;
        for mode in [XdpMode::Skb, XdpMode::Driver, XdpMode::Default] {
            let mut ebpf = Ebpf::load(object)?;
            let program = xdp(&mut ebpf, "refuse")?;
            program.load()?;
            program.attach(NEAR, mode)?;
            assert_eq!(wire.exchange(3)?, (0, 0), "{mode}");
            drop(ebpf);
            assert_eq!(wire.exchange(3)?, (3, 3), "{mode}, after its end");
        }
        Ok(())
    }

    /// One program takes another's place.
    fn a_program_is_replaced(object: "xdp", since 5, 9) {
        let wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let pass = xdp(&mut ebpf, "pass")?;
        pass.load()?;
        let id = pass.attach(NEAR, XdpMode::default())?;
        let link = pass.take_link(id)?;
        assert_eq!(wire.exchange(2)?, (2, 2));
        let refuse = xdp(&mut ebpf, "refuse")?;
        refuse.load()?;
        refuse.attach_to_link(link)?;
        assert_eq!(wire.exchange(2)?, (0, 0));
        Ok(())
    }

    /// A second program is refused, and the error says what to do.
    fn a_busy_interface_is_an_error(object: "xdp", since 5, 8) {
        let _wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        for name in ["pass", "refuse"] {
            xdp(&mut ebpf, name)?.load()?;
        }
        xdp(&mut ebpf, "pass")?.attach(NEAR, XdpMode::default())?;
        let error = xdp(&mut ebpf, "refuse")?.attach(NEAR, XdpMode::default()).err();
        let message = error.ok_or("a second program was attached")?.to_string();
        assert!(message.contains("refuse") && message.contains(NEAR), "{message}");
        Ok(())
    }

    /// Interfaces that are not there, or whose driver runs no programs.
    fn interfaces_that_cannot(object: "xdp", since 5, 8) {
        let _wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let program = xdp(&mut ebpf, "pass")?;
        program.load()?;
        let error = program.attach("no-such-if", XdpMode::default()).err().ok_or("attached")?;
        assert!(matches!(error, ProgramError::UnknownInterface { .. }), "{error}");
        assert!(error.to_string().contains("no-such-if"), "{error}");
        let error = program.attach("lo", XdpMode::Driver).err().ok_or("attached")?;
        let message = error.to_string();
        assert!(message.contains("lo") && message.contains("Skb"), "{message}");
        Ok(())
    }

    /// A pinned link outlives its program's handle, and ends when it is unpinned.
    fn a_pinned_link_stays(object: "xdp", since 5, 9) {
        if !can_pin("a_pinned_link_stays")? {
            return Ok(());
        }
        let wire = Wire::new()?;
        // Tests run side by side, both modes of this one too.
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default().replace("::", "-");
        let path = format!("/sys/fs/bpf/{name}-{}", std::process::id());
        let mut ebpf = Ebpf::load(object)?;
        let program = xdp(&mut ebpf, "refuse")?;
        program.load()?;
        let id = program.attach(NEAR, XdpMode::default())?;
        let link: FdLink = program.take_link(id)?.try_into()?;
        let pinned = link.pin(&path)?;
        drop(pinned);
        drop(ebpf);
        assert_eq!(wire.exchange(2)?, (0, 0));
        let pinned = aya::programs::links::PinnedLink::from_pin(&path)?;
        drop(pinned.unpin()?);
        // Some kernels let go of an unpinned link a little later.
        let deadline = Instant::now() + Duration::from_secs(5);
        while wire.exchange(2)? != (2, 2) {
            assert!(Instant::now() < deadline, "the link is still there");
        }
        assert!(!std::path::Path::new(&path).exists());
        Ok(())
    }

    /// User space sets a global before the program is loaded.
    fn a_global_is_overridden(object: "xdp", since 5, 8) {
        for (value, expected) in [(None, 1), (Some(7u32), 7)] {
            let mut loader = EbpfLoader::new();
            if let Some(value) = &value {
                loader.override_global("MARK", value, true);
            }
            let wire = Wire::new()?;
            let mut ebpf = loader.load(object)?;
            let program = xdp(&mut ebpf, "marked")?;
            program.load()?;
            program.attach(NEAR, XdpMode::default())?;
            assert_eq!(wire.exchange(1)?, (1, 1));
            let marks: Array<_, u32> = Array::try_from(ebpf.map("MARKS").ok_or("no map")?)?;
            assert_eq!(marks.get(&0, 0)?, expected);
            drop(wire.lab);
        }
        Ok(())
    }
}
