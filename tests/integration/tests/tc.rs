//! Traffic control programs on a wire: verdicts, changes, order, both mechanisms, and what is left.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, UdpSocket},
    process::Command,
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunOptions,
    features::{Feature, Features},
    maps::{Array, CgroupArray, HashMap},
    programs::{
        LinkOrder, ProgramError, ProgramId, SchedClassifier, TcAttachType, TcError,
        links::{FdLink, Link as _, PinnedLink},
        tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle},
    },
};
use aya_log::EbpfLogger;
use aya_netlab::{FAR_ADDRESS, Lab, NEAR, NEAR_ADDRESS, Running, netlink, received, udp_packet};
use aya_sys::netlink::{FilterInfo, Route};
use aya_tests::{Recorder, TestResult, frame, in_both_modes, kernel, pin_path};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};

const BLOCKED: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
const PORT: u16 = 4000;
const PATIENCE: Duration = Duration::from_millis(100);
/// As `tc` numbers them.
const PARENTS: [(TcAttachType, u32); 2] = [
    (TcAttachType::Ingress, 0xffff_fff2),
    (TcAttachType::Egress, 0xffff_fff3),
];

/// The slots that the programs leave figures in.
mod slot {
    pub(crate) const ORDER: u32 = 0;
    pub(crate) const COUNT: u32 = 1;
    pub(crate) const COPIED: u32 = 2;
    pub(crate) const SUM: u32 = 3;
    pub(crate) const MARK: u32 = 4;
    pub(crate) const INTERFACE: u32 = 5;
    pub(crate) const MEMBER: u32 = 6;
    pub(crate) const NOBODY: u32 = 7;
}

/// How programs are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Tcx,
    Netlink,
}

impl Mechanism {
    /// Those that this kernel has. Where TCX is missing nobody pretends: `attach` finds out.
    fn all() -> TestResult<Vec<Self>> {
        Ok(if kernel()? >= (6, 6) {
            vec![Self::Tcx, Self::Netlink]
        } else {
            vec![Self::Netlink]
        })
    }

    /// Loads the object so that `attach` uses this mechanism.
    fn load(self, object: &[u8]) -> TestResult<Ebpf> {
        let mut loader = EbpfLoader::new();
        if self == Self::Netlink {
            if kernel()? >= (6, 6) {
                loader.features(Features::without(&[Feature::TcxLink]));
            }
            tc::qdisc_add_clsact(NEAR)?;
        }
        Ok(loader.load(object)?)
    }
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut SchedClassifier> {
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| format!("no program {name}"))?;
    Ok(program.try_into()?)
}

fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut SchedClassifier> {
    let program = classifier(ebpf, name)?;
    program.load()?;
    Ok(program)
}

fn slot(ebpf: &Ebpf, slot: u32) -> TestResult<u64> {
    let slots: Array<_, u64> = Array::try_from(ebpf.map("SLOTS").ok_or("no map")?)?;
    Ok(slots.get(&slot, 0)?)
}

/// The filters on both sides of the near interface.
fn filters() -> TestResult<Vec<FilterInfo>> {
    let route = Route::open()?;
    let index = netlink::index_of(NEAR)?;
    let mut filters = Vec::new();
    for (_, parent) in PARENTS {
        filters.extend(route.filters(index, parent)?);
    }
    Ok(filters)
}

/// How many programs the near interface has, by either mechanism.
fn attached() -> TestResult<usize> {
    let mut count = filters()?.len();
    if kernel()? >= (6, 6) {
        for (side, _) in PARENTS {
            count += SchedClassifier::query_tcx(NEAR, side)?.1.len();
        }
    }
    Ok(count)
}

/// A wire with sockets at both ends, for both directions.
struct Wire {
    lab: Lab,
    near: UdpSocket,
    far: UdpSocket,
    blocked: UdpSocket,
}

impl Wire {
    fn new() -> TestResult<Self> {
        let lab = Lab::new(&[BLOCKED])?;
        let near = lab.receiver(PORT, PATIENCE)?;
        let far = lab.in_far(|| UdpSocket::bind((FAR_ADDRESS, PORT)))??;
        let blocked = lab.in_far(|| UdpSocket::bind((BLOCKED, PORT)))??;
        far.set_read_timeout(Some(PATIENCE))?;
        // What goes to this one arrives while the other is being waited for.
        blocked.set_read_timeout(Some(PATIENCE / 10))?;
        Ok(Self {
            lab,
            near,
            far,
            blocked,
        })
    }

    /// Sends two packets from each far address to the near one; returns how many arrived.
    fn inwards(&self) -> TestResult<(usize, usize)> {
        for socket in [&self.far, &self.blocked, &self.far, &self.blocked] {
            socket.send_to(b"inwards", (NEAR_ADDRESS, PORT))?;
        }
        let arrived = received(&self.near)?;
        let from = |source: Ipv4Addr| {
            arrived
                .iter()
                .filter(|(from, _)| from.ip() == source)
                .count()
        };
        Ok((from(FAR_ADDRESS), from(BLOCKED)))
    }

    /// Sends two packets to each far address; returns how many arrived.
    fn outwards(&self) -> TestResult<(usize, usize)> {
        for address in [FAR_ADDRESS, BLOCKED, FAR_ADDRESS, BLOCKED] {
            // What a filter on egress drops, the sender may hear of.
            if let Err(error) = self.near.send_to(b"outwards", (address, PORT))
                && error.raw_os_error() != Some(nix::errno::Errno::ENOBUFS as i32)
            {
                return Err(error.into());
            }
        }
        Ok((received(&self.far)?.len(), received(&self.blocked)?.len()))
    }
}

/// The one's complement sum of a header or datagram, which is 0xffff when its checksum is right
/// (RFC 1071).
fn sum(parts: &[&[u8]]) -> u32 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum = words.fold(0, |sum: u32, word| {
        sum + u32::from(word[0]) * 256 + u32::from(word.get(1).copied().unwrap_or(0))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) + (folded >> 16)
}

/// The sum over a UDP datagram in an IPv4 packet, with the addresses that belong to it.
fn udp_sum(packet: &[u8]) -> u32 {
    let (ip, udp) = packet.split_at(20);
    sum(&[&ip[12..20], &[0, 17], &udp[4..6], udp])
}

/// A packet whose datagram has a checksum.
fn checked_packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = udp_packet(FAR_ADDRESS, 1000, PORT, payload);
    let checksum = !udp_sum(&packet) as u16;
    packet[26..28].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(udp_sum(&packet), 0xffff);
    packet
}

/// The error of something that must fail.
fn refused<T>(result: Result<T, ProgramError>) -> TestResult<ProgramError> {
    result.err().ok_or_else(|| "it was accepted".into())
}

in_both_modes! {
    /// Both directions, by either mechanism: what the map holds is dropped, all else passes, each
    /// packet is logged; a drop of the object ends it and leaves nothing.
    fn addresses_are_dropped_both_ways(object: "tc", since 5, 8) {
        let wire = Wire::new()?;
        for mechanism in Mechanism::all()? {
            for side in [TcAttachType::Ingress, TcAttachType::Egress] {
                let mut ebpf = mechanism.load(object).or_else(|error| {
                    // The second time round clsact is there.
                    match error.downcast_ref() {
                        Some(TcError::AlreadyAttached) => {
                            Ok(EbpfLoader::new().features(Features::without(&[Feature::TcxLink])).load(object)?)
                        }
                        _ => Err(error),
                    }
                })?;
                let recorder = Recorder::default();
                let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
                loaded(&mut ebpf, "block")?.attach(NEAR, side)?;
                let exchange = || match side {
                    TcAttachType::Ingress => wire.inwards(),
                    _ => wire.outwards(),
                };
                assert_eq!(exchange()?, (2, 2), "{mechanism:?} {side}");
                let mut blocked: HashMap<_, u32, u32> =
                    HashMap::try_from(ebpf.map_mut("BLOCKED").ok_or("no map")?)?;
                blocked.insert(u32::from(BLOCKED), 0, 0)?;
                assert_eq!(exchange()?, (2, 0), "{mechanism:?} {side}");
                logger.flush();
                let texts: Vec<_> = recorder.take().into_iter().map(|message| message.text).collect();
                let dropped = match side {
                    TcAttachType::Ingress => format!("{BLOCKED} to {NEAR_ADDRESS}: 1"),
                    _ => format!("{NEAR_ADDRESS} to {BLOCKED}: 1"),
                };
                assert_eq!(texts.len(), 8, "{texts:?}");
                assert_eq!(texts.iter().filter(|text| **text == dropped).count(), 2, "{texts:?}");
                let by_filter = usize::from(mechanism == Mechanism::Netlink);
                assert_eq!((attached()?, filters()?.len()), (1, by_filter));
                drop(ebpf);
                assert_eq!(attached()?, 0);
                assert_eq!(exchange()?, (2, 2), "{mechanism:?} {side}, after its end");
            }
        }
        Ok(())
    }

    /// A packet is changed in place and by helpers, and arrives with right checksums.
    fn a_packet_arrives_changed(object: "tc", since 5, 8) {
        let wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let _there_already = tc::qdisc_add_clsact(NEAR);
        loaded(&mut ebpf, "rewrite")?.attach(NEAR, TcAttachType::Ingress)?;
        // Sees whole packets, and does not judge their checksums.
        let raw = socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::Udp,
        )?;
        wire.lab.send_packet(&checked_packet(b"shout it"))?;
        let arrived = received(&wire.near)?;
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].0.ip(), Ipv4Addr::new(10, 99, 0, 77));
        assert_eq!(arrived[0].1, b"SHOUt it");
        let mut packet = [0; 128];
        let len = recv(std::os::fd::AsRawFd::as_raw_fd(&raw), &mut packet, MsgFlags::empty())?;
        let packet = &packet[..len];
        assert_eq!(len, 20 + 8 + 8);
        assert_eq!((sum(&[&packet[..20]]), udp_sum(packet)), (0xffff, 0xffff), "{packet:?}");
        Ok(())
    }

    /// The same program on a packet of the test's.
    fn a_test_run_changes_a_packet(object: "tc", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let mut packet = checked_packet(b"hello");
        // The kernel fills this in for packets that travel.
        let checksum = !sum(&[&packet[..20]]) as u16;
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        let mut out = [0; 128];
        let result = loaded(&mut ebpf, "rewrite")?.test_run(TestRunOptions {
            data_in: Some(&frame(&packet)),
            data_out: Some(&mut out),
            ..TestRunOptions::new()
        })?;
        assert_eq!(result.return_value, 0, "TC_ACT_OK");
        let packet = &out[14..result.data_size_out as usize];
        assert_eq!(&packet[28..], b"HELLo");
        assert_eq!(packet[12..16], [10, 99, 0, 77]);
        assert_eq!((sum(&[&packet[..20]]), udp_sum(packet)), (0xffff, 0xffff));
        Ok(())
    }

    /// As many bytes are copied as there are, and as there is room for.
    fn bytes_are_copied(object: "tc", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf, "copy")?;
        for (payload, copied) in [(&[7; 10][..], 10), (&[7; 100], 16), (&[], 0)] {
            let packet = frame(&udp_packet(BLOCKED, 1, 2, payload));
            classifier(&mut ebpf, "copy")?.test_run(TestRunOptions {
                data_in: Some(&packet),
                ..TestRunOptions::new()
            })?;
            assert_eq!(slot(&ebpf, slot::COPIED)?, copied);
            assert_eq!(slot(&ebpf, slot::SUM)?, copied * 7);
        }
        Ok(())
    }

    /// A packet goes on at another interface.
    fn a_packet_is_redirected(object: "tc", since 5, 8) {
        let wire = Wire::new()?;
        let loopback = netlink::index_of("lo")?;
        netlink::set_up(loopback)?;
        let mut ebpf = EbpfLoader::new().override_global("TARGET", &loopback, true).load(object)?;
        for interface in [NEAR, "lo"] {
            tc::qdisc_add_clsact(interface)?;
        }
        loaded(&mut ebpf, "count")?.attach("lo", TcAttachType::Ingress)?;
        loaded(&mut ebpf, "elsewhere")?.attach(NEAR, TcAttachType::Ingress)?;
        assert_eq!(wire.inwards()?, (0, 0));
        assert_eq!(slot(&ebpf, slot::COUNT)?, 4);
        assert_eq!(slot(&ebpf, slot::INTERFACE)?, u64::from(loopback));
        Ok(())
    }

    /// A packet that leaves is known by its sender's cgroup. All are in the first one.
    fn a_sender_is_in_a_cgroup(object: "tc", since 5, 8) {
        let Some(root) = cgroups()? else {
            aya_tests::skip("a_sender_is_in_a_cgroup", "needs cgroups of version 2")?;
            return Ok(());
        };
        let wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        tc::qdisc_add_clsact(NEAR)?;
        let mut cgroups: CgroupArray<_> = CgroupArray::try_from(ebpf.map_mut("CGROUPS").ok_or("no map")?)?;
        cgroups.set(0, File::open(root)?, 0)?;
        loaded(&mut ebpf, "member")?.attach(NEAR, TcAttachType::Egress)?;
        assert_eq!(wire.outwards()?, (2, 2));
        assert_eq!(slot(&ebpf, slot::MEMBER)?, 1);
        assert_eq!(slot(&ebpf, slot::NOBODY)? as i64, -i64::from(nix::errno::Errno::EAGAIN as i32));
        Ok(())
    }

    /// TCX: each way to say where a program goes, seen in the order that packets meet them.
    fn programs_run_in_their_order(object: "tc", since 6, 6) {
        let wire = Wire::new()?;
        // Two objects: a program can be on an interface once.
        let mut ebpf = Ebpf::load(object)?;
        for name in ["first", "second", "third"] {
            loaded(&mut ebpf, name)?;
        }
        let ids = |ebpf: &Ebpf, name| -> TestResult<ProgramId> {
            Ok(ProgramId::new(ebpf.program(name).ok_or("none")?.info()?.id()))
        };
        let second_id = ids(&ebpf, "second")?;
        let run = |ebpf: &mut Ebpf, orders: [(&str, LinkOrder); 2], expected| -> TestResult {
            let (before, _) = SchedClassifier::query_tcx(NEAR, TcAttachType::Ingress)?;
            let mut links = Vec::new();
            for (name, order) in orders {
                let program = classifier(ebpf, name)?;
                let id = program.attach_with_options(
                    NEAR,
                    TcAttachType::Ingress,
                    TcAttachOptions::TcxOrder(order),
                )?;
                links.push(program.take_link(id)?);
            }
            let mut slots: Array<_, u64> = Array::try_from(ebpf.map_mut("SLOTS").ok_or("no map")?)?;
            slots.set(slot::ORDER, 0, 0)?;
            wire.far.send_to(b"x", (NEAR_ADDRESS, PORT))?;
            assert_eq!(received(&wire.near)?.len(), 1);
            assert_eq!(slot(ebpf, slot::ORDER)?, expected);
            let (revision, programs) = SchedClassifier::query_tcx(NEAR, TcAttachType::Ingress)?;
            assert!(revision > before, "{revision} after {before}");
            let names: String = programs
                .iter()
                .filter_map(|program| program.name_as_str())
                .map(|name| match name { "first" => '1', "second" => '2', _ => '3' })
                .collect();
            assert_eq!(names, expected.to_string());
            Ok(())
        };
        let id = classifier(&mut ebpf, "second")?.attach(NEAR, TcAttachType::Ingress)?;
        let link = classifier(&mut ebpf, "second")?.take_link(id)?;
        let second = || -> TestResult<SchedClassifier> {
            let info = SchedClassifier::query_tcx(NEAR, TcAttachType::Ingress)?.1;
            let info = info.into_iter().find(|info| info.name_as_str() == Some("second"));
            Ok(SchedClassifier::from_program_info(info.ok_or("none")?, "second".into())?)
        };
        run(&mut ebpf, [("first", LinkOrder::first()), ("third", LinkOrder::last())], 123)?;
        assert_eq!(slot(&ebpf, slot::MARK)?, 0xabc, "what the first program has set");
        run(&mut ebpf, [("first", LinkOrder::default()), ("third", LinkOrder::first())], 321)?;
        run(&mut ebpf, [
            ("third", LinkOrder::before_program(&second()?)?),
            ("first", LinkOrder::after_program(&second()?)?),
        ], 321)?;
        run(&mut ebpf, [
            ("first", LinkOrder::before_link(&link)?),
            ("third", LinkOrder::after_link(&link)?),
        ], 123)?;
        run(&mut ebpf, [
            ("third", LinkOrder::before_program_id(second_id)),
            ("first", LinkOrder::before_program_id(second_id)),
        ], 312)?;
        run(&mut ebpf, [
            ("third", LinkOrder::after_program_id(second_id)),
            ("first", LinkOrder::after_program_id(second_id)),
        ], 213)?;
        assert_eq!(attached()?, 1);
        drop(link);
        assert_eq!(attached()?, 0);
        Ok(())
    }

    /// Filters: priorities decide the order; what the kernel has chosen can be read; the class too.
    fn filters_run_by_priority(object: "tc", since 5, 8) {
        let wire = Wire::new()?;
        let mut ebpf = Mechanism::Netlink.load(object)?;
        let attach = |ebpf: &mut Ebpf, name: &str, options| -> TestResult<SchedClassifierLink> {
            let program = loaded(ebpf, name)?;
            let options = TcAttachOptions::Netlink(options);
            let id = program.attach_with_options(NEAR, TcAttachType::Ingress, options)?;
            Ok(program.take_link(id)?)
        };
        let chosen = NlOptions {
            priority: 60,
            handle: TcHandle::new(0, 0x20),
            classid: Some(TcHandle::new(1, 2)),
        };
        let third = attach(&mut ebpf, "third", chosen)?;
        let second = attach(&mut ebpf, "second", NlOptions { priority: 50, ..NlOptions::default() })?;
        let first = attach(&mut ebpf, "first", NlOptions::default())?;
        wire.far.send_to(b"x", (NEAR_ADDRESS, PORT))?;
        assert_eq!(received(&wire.near)?.len(), 1);
        assert_eq!(slot(&ebpf, slot::ORDER)?, 231);

        assert_eq!((third.priority()?, third.handle()?), (60, TcHandle::new(0, 0x20)));
        assert_eq!(third.classid()?, Some(TcHandle::new(1, 2)));
        assert_eq!(second.priority()?, 50);
        assert_ne!(second.handle()?, TcHandle::AUTO_ASSIGN);
        assert_eq!(first.attach_type()?, TcAttachType::Ingress);
        let found: Vec<_> = filters()?
            .into_iter()
            .map(|filter| (filter.place.priority, TcHandle::from(filter.place.handle), filter.name))
            .collect();
        let expected: Vec<_> = [(&second, "second"), (&third, "third"), (&first, "first")]
            .into_iter()
            .map(|(link, name)| Ok((link.priority()?, link.handle()?, name.as_bytes().to_vec())))
            .collect::<TestResult<_>>()?;
        assert_eq!(found, expected);
        assert_eq!(first.priority()?, 49152);

        // Two at one priority, and one place twice.
        let more = NlOptions { priority: 60, ..NlOptions::default() };
        let beside = attach_again(&mut ebpf, more)?;
        assert_eq!(beside.priority()?, 60);
        assert_ne!(beside.handle()?, third.handle()?);
        let error = refused(classifier(&mut ebpf, "first")?.attach_with_options(
            NEAR,
            TcAttachType::Ingress,
            TcAttachOptions::Netlink(chosen),
        ))?;
        let ProgramError::TcError(TcError::HandleTaken { priority: 60, handle, .. }) = &error else {
            return Err(error.into());
        };
        assert_eq!(handle.to_string(), "0:20");
        assert_eq!(filters()?.len(), 4);

        // Each takes off its own.
        second.detach()?;
        let left = |filters: Vec<FilterInfo>| {
            filters.into_iter().map(|filter| filter.place.priority).collect::<Vec<_>>()
        };
        assert_eq!(left(filters()?), [60, 60, 49152]);
        drop(beside);
        drop(first);
        assert_eq!(left(filters()?), [60]);
        drop(third);
        assert_eq!(filters()?, []);
        Ok(())
    }

    /// A filter that another process's program has taken the place of stays.
    fn a_filter_of_another_stays(object: "tc", since 5, 8) {
        let _wire = Wire::new()?;
        let mut ebpf = Mechanism::Netlink.load(object)?;
        let options = NlOptions { priority: 7, handle: TcHandle::new(0, 1), classid: None };
        let attach = |ebpf: &mut Ebpf, name| -> TestResult<SchedClassifierLink> {
            let program = loaded(ebpf, name)?;
            let options = TcAttachOptions::Netlink(options);
            let id = program.attach_with_options(NEAR, TcAttachType::Egress, options)?;
            Ok(program.take_link(id)?)
        };
        let ours = attach(&mut ebpf, "first")?;
        tc::qdisc_detach_program(NEAR, TcAttachType::Egress, "first")?;
        let theirs = attach(&mut ebpf, "second")?;
        drop(ours);
        assert_eq!(filters()?.len(), 1);
        assert_eq!(filters()?[0].name, b"second");
        drop(theirs);
        assert_eq!(filters()?, []);
        Ok(())
    }

    /// Removing by name, and taking over what another process has left.
    fn filters_are_found_again(object: "tc", since 5, 8) {
        let wire = Wire::new()?;
        let mut ebpf = Mechanism::Netlink.load(object)?;
        let program = loaded(&mut ebpf, "block")?;
        for _ in 0..2 {
            let id = program.attach(NEAR, TcAttachType::Ingress)?;
            std::mem::forget(program.take_link(id)?);
        }
        let wrong = tc::qdisc_detach_program(NEAR, TcAttachType::Egress, "block");
        let Err(TcError::IoError(error)) = wrong else {
            return Err("there is none on egress".into());
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(filters()?.len(), 2);
        tc::qdisc_detach_program(NEAR, TcAttachType::Ingress, "block")?;
        assert_eq!(filters()?, []);

        let id = program.attach(NEAR, TcAttachType::Ingress)?;
        let left = program.take_link(id)?;
        let (priority, handle) = (left.priority()?, left.handle()?);
        std::mem::forget(left);
        drop(ebpf);
        let attached = |handle| {
            SchedClassifierLink::attached(NEAR, TcAttachType::Ingress, priority, handle, None)
        };
        let missing = attached(TcHandle::new(0, 0x99)).err().ok_or("there is none")?;
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let link = attached(handle)?;
        assert_eq!((link.priority()?, link.handle()?), (priority, handle));
        // Another program takes its place.
        let mut other = Ebpf::load(object)?;
        let program = loaded(&mut other, "count")?;
        program.attach_to_link(link)?;
        assert_eq!(wire.inwards()?, (0, 0));
        assert_eq!(slot(&other, slot::COUNT)?, 4);
        assert_eq!(filters()?.len(), 1);
        drop(other);
        assert_eq!(filters()?, []);
        assert_eq!(wire.inwards()?, (2, 2));
        Ok(())
    }

    /// One program takes another's place, by either mechanism, and a program is opened by its pin.
    fn a_program_is_replaced_and_pinned(object: "tc", since 5, 8) {
        for mechanism in Mechanism::all()? {
            let wire = Wire::new()?;
            let mut ebpf = mechanism.load(object)?;
            let id = loaded(&mut ebpf, "third")?.attach(NEAR, TcAttachType::Ingress)?;
            let link = classifier(&mut ebpf, "third")?.take_link(id)?;
            assert_eq!(wire.inwards()?, (2, 2));
            let path = pin_path(&format!("{mechanism:?}"));
            loaded(&mut ebpf, "count")?.pin(&path)?;
            let mut pinned = SchedClassifier::from_pin(&path)?;
            pinned.unpin()?;
            assert_eq!(pinned.info()?.name_as_str(), Some("count"));
            let id = pinned.attach_to_link(link)?;
            assert_eq!(wire.inwards()?, (0, 0));
            assert_eq!(attached()?, 1);
            pinned.detach(id)?;
            assert_eq!(wire.inwards()?, (2, 2));
        }
        Ok(())
    }

    /// A pinned link of TCX outlives its process's handles; its side can be asked.
    fn a_pinned_link_stays(object: "tc", since 6, 6) {
        let wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let program = loaded(&mut ebpf, "count")?;
        let id = program.attach(NEAR, TcAttachType::Ingress)?;
        let link = program.take_link(id)?;
        assert_eq!(link.attach_type()?, TcAttachType::Ingress);
        for error in [refused(link.priority())?, refused(link.handle())?, refused(link.classid())?] {
            assert!(matches!(error, ProgramError::TcError(TcError::InvalidLinkOperation)), "{error}");
        }
        let path = pin_path("link");
        drop(FdLink::try_from(link)?.pin(&path)?);
        drop(ebpf);
        assert_eq!(wire.inwards()?, (0, 0));
        let link = PinnedLink::from_pin(&path)?.unpin()?;
        let link = SchedClassifierLink::try_from(link)?;
        drop(link);
        assert_eq!(wire.inwards()?, (2, 2));
        Ok(())
    }

    /// A link ends in the namespace where it began, wherever its owner is.
    fn a_link_is_dropped_elsewhere(object: "tc", since 5, 8) {
        for mechanism in Mechanism::all()? {
            let wire = Wire::new()?;
            let mut ebpf = mechanism.load(object)?;
            loaded(&mut ebpf, "count")?.attach(NEAR, TcAttachType::Ingress)?;
            wire.lab.in_far(|| drop(ebpf))?;
            assert_eq!(attached()?, 0, "{mechanism:?}");
        }
        Ok(())
    }

    /// After a panic, by either mechanism.
    fn a_panic_leaves_nothing(object: "tc", since 5, 8) {
        for mechanism in Mechanism::all()? {
            let _wire = Wire::new()?;
            let mut ebpf = mechanism.load(object)?;
            loaded(&mut ebpf, "count")?.attach(NEAR, TcAttachType::Egress)?;
            assert_eq!(attached()?, 1);
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _owned = ebpf;
                std::panic::resume_unwind(Box::new("on purpose"));
            }));
            assert!(panicked.is_err());
            assert_eq!(attached()?, 0, "{mechanism:?}");
        }
        Ok(())
    }

    /// TCX lets go of the program of a process that is killed.
    fn a_kill_leaves_nothing(object: "tc", since 6, 6) {
        let _wire = Wire::new()?;
        let victim = start_victim(object, Mechanism::Tcx)?;
        assert_eq!((attached()?, filters()?.len()), (1, 0));
        drop(victim);
        let deadline = Instant::now() + Duration::from_secs(5);
        while attached()? != 0 {
            assert!(Instant::now() < deadline, "the program is still there");
        }
        Ok(())
    }

    /// Nothing ties a filter to its process: the documentation says what stays, and how it goes.
    fn a_kill_leaves_a_filter(object: "tc", since 5, 8) {
        let _wire = Wire::new()?;
        drop(start_victim(object, Mechanism::Netlink)?);
        assert_eq!(attached()?, 1);
        assert_eq!(filters()?[0].name, b"count");
        tc::qdisc_detach_program(NEAR, TcAttachType::Ingress, "count")?;
        assert_eq!(attached()?, 0);
        Ok(())
    }

    /// What users get wrong, each by name and with what to do.
    fn mistakes_are_named(object: "tc", since 5, 8) {
        let _wire = Wire::new()?;
        let mut ebpf = EbpfLoader::new()
            .features(Features::without(&[Feature::TcxLink]))
            .load(object)?;
        let program = classifier(&mut ebpf, "first")?;
        let error = refused(program.attach(NEAR, TcAttachType::Ingress))?;
        assert!(matches!(error, ProgramError::NotLoaded), "{error}");
        program.load()?;
        let error = refused(program.attach("no-such-if", TcAttachType::Ingress))?;
        assert!(matches!(&error, ProgramError::UnknownInterface { name } if name == "no-such-if"), "{error}");
        let error = tc::qdisc_add_clsact("no-such-if").err().ok_or("accepted")?;
        assert!(matches!(&error, TcError::UnknownInterface { name } if name == "no-such-if"), "{error}");
        for side in [TcAttachType::Ingress, TcAttachType::Egress] {
            let error = refused(program.attach(NEAR, side))?;
            assert!(matches!(error, ProgramError::TcError(TcError::NoClsact { .. })), "{error}");
            assert!(error.to_string().contains("`first`") && error.to_string().contains("qdisc_add_clsact"), "{error}");
        }
        // No such class.
        let error = refused(program.attach(NEAR, TcAttachType::Custom(0x9_0001)))?;
        assert!(matches!(error, ProgramError::TcError(TcError::Refused { words: Some(_), .. })), "{error:?}");
        tc::qdisc_add_clsact(NEAR)?;
        let error = tc::qdisc_add_clsact(NEAR).err().ok_or("twice")?;
        assert!(matches!(error, TcError::AlreadyAttached), "{error}");
        let order = TcAttachOptions::TcxOrder(LinkOrder::first());
        let error = refused(program.attach_with_options(NEAR, TcAttachType::Custom(1), order))?;
        assert!(matches!(error, ProgramError::TcError(TcError::InvalidTcxAttach(1))), "{error}");
        let order = TcAttachOptions::TcxOrder(LinkOrder::first());
        let error = refused(program.attach_with_options(NEAR, TcAttachType::Ingress, order))?;
        assert!(matches!(error, ProgramError::TcError(TcError::TcxNotSupported { .. })), "{error}");
        Ok(())
    }

    /// What the kernel itself says where TCX is missing.
    fn old_kernels_have_no_tcx(object: "tc", since 5, 8) {
        if kernel()? >= (6, 6) {
            return Ok(());
        }
        let _wire = Wire::new()?;
        let error = refused(SchedClassifier::query_tcx(NEAR, TcAttachType::Ingress))?;
        assert!(matches!(error, ProgramError::TcError(TcError::TcxNotSupported { .. })), "{error}");
        let mut ebpf = Ebpf::load(object)?;
        let order = TcAttachOptions::TcxOrder(LinkOrder::first());
        let error = refused(loaded(&mut ebpf, "first")?.attach_with_options(NEAR, TcAttachType::Ingress, order))?;
        assert!(matches!(error, ProgramError::TcError(TcError::TcxNotSupported { .. })), "{error}");
        Ok(())
    }

    /// What TCX refuses.
    fn mistakes_with_tcx_are_named(object: "tc", since 6, 6) {
        let _wire = Wire::new()?;
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf, "first")?.attach(NEAR, TcAttachType::Ingress)?;
        let error = refused(classifier(&mut ebpf, "first")?.attach(NEAR, TcAttachType::Ingress))?;
        assert!(matches!(error, ProgramError::TcError(TcError::AttachedTwice { .. })), "{error}");
        // Loaded, and not attached.
        loaded(&mut ebpf, "second")?;
        let stranger = ebpf.program("second").ok_or("none")?.info()?.id();
        let orders = [LinkOrder::before_program_id(ProgramId::new(stranger)), LinkOrder::after_program_id(ProgramId::new(u32::MAX))];
        for order in orders {
            let order = TcAttachOptions::TcxOrder(order);
            let error = refused(loaded_or_not(&mut ebpf, "third")?.attach_with_options(NEAR, TcAttachType::Ingress, order))?;
            assert!(matches!(error, ProgramError::TcError(TcError::NoNeighbour { .. })), "{error}");
            assert!(error.to_string().contains("`third`"), "{error}");
        }
        assert_eq!(attached()?, 1);
        Ok(())
    }
}

/// Where cgroups of version 2 are mounted, if they are.
fn cgroups() -> io::Result<Option<String>> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let mut mounts = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let found = mounts.find(|words| words.get(2) == Some(&"cgroup2"));
    Ok(found.and_then(|words| words.get(1).map(|path| (*path).to_owned())))
}

fn loaded_or_not<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut SchedClassifier> {
    let program = classifier(ebpf, name)?;
    if program.fd().is_err() {
        program.load()?;
    }
    Ok(program)
}

/// Set for the process that is killed: mode and mechanism.
const VICTIM: &str = "AYA_TESTS_TC_VICTIM";
const ATTACHED: &str = "attached";

/// Starts a process that attaches a program; it is killed when it is dropped.
fn start_victim(object: &[u8], mechanism: Mechanism) -> TestResult<Running> {
    let donor = aya_tests::object("donor", "tc") == Some(object);
    let mode = if donor { "donor" } else { "native" };
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
        .env(VICTIM, format!("{mode} {mechanism:?}"));
    let running = Running::start(command)?;
    let (found, lines) = running.wait_for(ATTACHED, Duration::from_secs(20))?;
    assert!(found, "{lines:?}");
    Ok(running)
}

/// The process that tests kill; an ordinary run of the tests passes by.
#[test]
fn victim() -> TestResult {
    let Ok(settings) = std::env::var(VICTIM) else {
        return Ok(());
    };
    let (mode, mechanism) = settings.split_once(' ').ok_or("two words")?;
    let object = aya_tests::object(mode, "tc").ok_or("no object")?;
    let mechanism = match mechanism {
        "Tcx" => Mechanism::Tcx,
        _ => Mechanism::Netlink,
    };
    let mut ebpf = mechanism.load(object)?;
    loaded(&mut ebpf, "count")?.attach(NEAR, TcAttachType::Ingress)?;
    println!("{ATTACHED}");
    std::thread::sleep(Duration::from_secs(60));
    Err("nobody killed this process".into())
}

/// Attaches a program that is attached already a second time.
fn attach_again(ebpf: &mut Ebpf, options: NlOptions) -> TestResult<SchedClassifierLink> {
    let program = classifier(ebpf, "second")?;
    let options = TcAttachOptions::Netlink(options);
    let id = program.attach_with_options(NEAR, TcAttachType::Ingress, options)?;
    Ok(program.take_link(id)?)
}
