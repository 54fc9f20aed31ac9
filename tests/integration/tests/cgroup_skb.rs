//! Programs on the packets of a cgroup: verdicts, modes, links, and what is left of them.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, HashMap},
    programs::{
        CgroupAttachMode, CgroupError, CgroupSkb, CgroupSkbAttachType, ProgramError, ProgramType,
        cgroup_skb::CgroupSkbLink,
        links::{FdLink, LinkType, PinnedLink},
    },
};
use aya_netlab::received;
use aya_tests::{
    TestResult,
    cgroups::{READY, Scene, VICTIM, attached, kill_victim, with_log, without_links},
    in_both_modes, object, pin_path, program,
};
use aya_uapi::AttachType;

const PORT: u16 = 4100;
const PATIENCE: Duration = Duration::from_millis(60);
const BLOCKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const EGRESS: AttachType = AttachType::CGROUP_INET_EGRESS;

use CgroupAttachMode::{AllowMultiple, AllowOverride, Single};
use CgroupSkbAttachType::{Egress, Ingress};

/// A sender and two receivers on the loopback interface.
struct Wire {
    sender: UdpSocket,
    receivers: [UdpSocket; 2],
}

impl Wire {
    /// Its sockets belong to the control group that the thread is in.
    fn new() -> io::Result<Self> {
        let receiver = |address| {
            let socket = UdpSocket::bind((address, PORT))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            io::Result::Ok(socket)
        };
        Ok(Self {
            sender: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            receivers: [receiver(BLOCKED)?, receiver(OTHER)?],
        })
    }

    /// Sends three packets to each address; returns how many were sent and how many arrived of each.
    fn exchange(&self) -> TestResult<[(usize, usize); 2]> {
        let mut sent = [0; 2];
        for _ in 0..3 {
            for (sent, address) in sent.iter_mut().zip([BLOCKED, OTHER]) {
                match self.sender.send_to(b"packet", (address, PORT)) {
                    Ok(_) => *sent += 1,
                    // What the sender of a packet that is dropped hears.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let [blocked, other] = &self.receivers;
        Ok([
            (sent[0], received(blocked)?.len()),
            (sent[1], received(other)?.len()),
        ])
    }
}

const ALL: [(usize, usize); 2] = [(3, 3), (3, 3)];
const NONE: [(usize, usize); 2] = [(0, 0), (0, 0)];

fn skb<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut CgroupSkb> {
    program(ebpf, name)
}

fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut CgroupSkb> {
    let program = skb(ebpf, name)?;
    program.load()?;
    Ok(program)
}

fn block(ebpf: &mut Ebpf, address: Ipv4Addr) -> TestResult {
    let mut blocked: HashMap<_, u32, u32> =
        HashMap::try_from(ebpf.map_mut("BLOCKED").ok_or("no map")?)?;
    Ok(blocked.insert(u32::from(address), 0, 0)?)
}

/// How often the counting programs ran since the last time.
fn runs(ebpf: &mut Ebpf) -> TestResult<[u64; 2]> {
    let mut runs: Array<_, u64> = Array::try_from(ebpf.map_mut("RUNS").ok_or("no map")?)?;
    let both = [runs.get(&0, 0)?, runs.get(&1, 0)?];
    for index in 0..2 {
        runs.set(index, 0, 0)?;
    }
    Ok(both)
}

in_both_modes! {
    /// What is sent from the cgroup to one address is dropped, all else passes, and is logged.
    fn egress_to_one_address_is_dropped(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let inside = scene.cgroup.run(Wire::new)??;
        let (mut ebpf, mut logger, recorder) = with_log(object)?;
        block(&mut ebpf, BLOCKED)?;
        let program = loaded(&mut ebpf, "by_destination")?;
        assert_eq!(program.expected_attach_type(), &None);
        assert_eq!(inside.exchange()?, ALL);
        let link = program.attach(&scene.cgroup, Egress, Single)?;
        assert_eq!(inside.exchange()?, [(0, 0), (3, 3)]);
        logger.flush();
        let mut texts: Vec<_> = recorder.take().into_iter().map(|said| said.text).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts, ["127.0.0.2 blocked: 1", "127.0.0.3 blocked: 0"]);

        // Others are not concerned.
        drop(inside);
        let outside = Wire::new()?;
        assert_eq!(outside.exchange()?, ALL);
        drop(outside);

        skb(&mut ebpf, "by_destination")?.detach(link)?;
        let inside = scene.cgroup.run(Wire::new)??;
        assert_eq!(inside.exchange()?, ALL);
        scene.expect_empty(EGRESS)
    }

    /// What arrives in the cgroup from one address is dropped; its sender does not notice.
    fn ingress_from_one_address_is_dropped(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let receiver = scene.cgroup.run(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, PORT)))??;
        receiver.set_read_timeout(Some(PATIENCE))?;
        let mut ebpf = Ebpf::load(object)?;
        block(&mut ebpf, BLOCKED)?;
        let program = loaded(&mut ebpf, "by_source")?;
        assert_eq!(program.expected_attach_type(), &Some(Ingress));
        program.attach(&scene.cgroup, Ingress, AllowMultiple)?;
        for address in [BLOCKED, OTHER] {
            UdpSocket::bind((address, 0))?.send_to(b"packet", receiver.local_addr()?)?;
        }
        let arrived: Vec<_> = received(&receiver)?.into_iter().map(|(from, _)| from.ip()).collect();
        assert_eq!(arrived, [OTHER]);
        Ok(())
    }

    /// Links admit each other, whatever the mode says, in the cgroup and below.
    fn links_admit_others(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let child = scene.cgroup.child("child")?;
        let wire = child.run(Wire::new)??;
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf, "count_first")?.attach(&scene.cgroup, Egress, Single)?;
        loaded(&mut ebpf, "count_second")?.attach(&scene.cgroup, Egress, Single)?;
        assert_eq!(scene.attached(EGRESS)?, 2);
        assert_eq!(wire.exchange()?, ALL);
        assert_eq!(runs(&mut ebpf)?, [6, 6]);
        let refuse = loaded(&mut ebpf, "refuse")?;
        let link = refuse.attach(&child, Egress, AllowMultiple)?;
        assert_eq!(attached(&child, EGRESS)?, 1);
        assert_eq!(wire.exchange()?, NONE);
        skb(&mut ebpf, "refuse")?.detach(link)?;
        assert_eq!(wire.exchange()?, ALL);
        Ok(())
    }

    /// Without links, `Single` is alone in its cgroup and all below.
    fn single_without_links_is_alone(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let child = scene.cgroup.child("child")?;
        let mut ebpf = without_links(object)?;
        let link = loaded(&mut ebpf, "count_first")?.attach(&scene.cgroup, Egress, Single)?;
        loaded(&mut ebpf, "count_second")?;
        for cgroup in [&scene.cgroup, &child] {
            for mode in [Single, AllowOverride, AllowMultiple] {
                let second = skb(&mut ebpf, "count_second")?;
                let error = second.attach(cgroup, Egress, mode).err().ok_or("attached")?;
                let message = error.to_string();
                assert!(matches!(error, ProgramError::Cgroup(CgroupError::Busy { .. })), "{message}");
                assert!(message.contains("count_second"), "{message}");
                assert!(message.contains(&cgroup.path().display().to_string()), "{message}");
            }
        }
        // A link does not get in either.
        let mut linked = Ebpf::load(object)?;
        let second = loaded(&mut linked, "count_second")?;
        let error = second.attach(&scene.cgroup, Egress, AllowMultiple).err().ok_or("attached")?;
        assert!(matches!(error, ProgramError::Cgroup(CgroupError::Busy { .. })), "{error}");

        skb(&mut ebpf, "count_first")?.detach(link)?;
        skb(&mut ebpf, "count_second")?.attach(&child, Egress, Single)?;
        assert_eq!(attached(&child, EGRESS)?, 1);
        drop(ebpf);
        assert_eq!(attached(&child, EGRESS)?, 0);
        Ok(())
    }

    /// A program below takes the place of one that may be overridden, and gives it back.
    fn a_program_below_overrides(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let child = scene.cgroup.child("child")?;
        let wire = child.run(Wire::new)??;
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf, "refuse")?.attach(&scene.cgroup, Egress, AllowOverride)?;
        assert_eq!(wire.exchange()?, NONE);
        let link = loaded(&mut ebpf, "count_first")?.attach(&child, Egress, AllowOverride)?;
        assert_eq!(wire.exchange()?, ALL);
        assert_eq!(runs(&mut ebpf)?, [6, 0]);
        skb(&mut ebpf, "count_first")?.detach(link)?;
        assert_eq!(wire.exchange()?, NONE);
        drop(ebpf);
        assert_eq!(wire.exchange()?, ALL);
        assert_eq!((scene.attached(EGRESS)?, attached(&child, EGRESS)?), (0, 0));
        Ok(())
    }

    /// Without links several programs run all the same, and each takes off its own.
    fn several_without_links(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let wire = scene.cgroup.run(Wire::new)??;
        let mut ebpf = without_links(object)?;
        let first = loaded(&mut ebpf, "count_first")?;
        let first = first.attach(&scene.cgroup, Egress, AllowMultiple)?;
        loaded(&mut ebpf, "count_second")?.attach(&scene.cgroup, Egress, AllowMultiple)?;
        assert_eq!(wire.exchange()?, ALL);
        assert_eq!(runs(&mut ebpf)?, [6, 6]);
        skb(&mut ebpf, "count_first")?.detach(first)?;
        assert_eq!(wire.exchange()?, ALL);
        assert_eq!(runs(&mut ebpf)?, [0, 6]);
        // There is nothing to pin.
        let second = skb(&mut ebpf, "count_second")?;
        let link = second.attach(&scene.cgroup, Ingress, AllowMultiple)?;
        let link = second.take_link(link)?;
        assert!(FdLink::try_from(link).is_err());
        Ok(())
    }

    /// One program takes another's place, with a link and without, alone and among others.
    fn a_program_is_replaced(object: "cgroup", since 5, 8) {
        type Load = fn(&[u8]) -> TestResult<Ebpf>;
        let ways: [(Load, _); 4] = [
            (|object| Ok(Ebpf::load(object)?), Single),
            (without_links, Single),
            (without_links, AllowOverride),
            (without_links, AllowMultiple),
        ];
        for (load, mode) in ways {
            let scene = Scene::new()?;
            let wire = scene.cgroup.run(Wire::new)??;
            let mut ebpf = load(object)?;
            let count = loaded(&mut ebpf, "count_first")?;
            let link = count.attach(&scene.cgroup, Egress, mode)?;
            let link: CgroupSkbLink = count.take_link(link)?;
            assert_eq!(wire.exchange()?, ALL);
            let refuse = loaded(&mut ebpf, "refuse")?;
            let link = refuse.attach_to_link(link)?;
            assert_eq!(scene.attached(EGRESS)?, 1, "{mode:?}");
            assert_eq!(wire.exchange()?, NONE, "{mode:?}");
            skb(&mut ebpf, "refuse")?.detach(link)?;
            assert_eq!(wire.exchange()?, ALL, "{mode:?}");
        }
        Ok(())
    }

    /// A program that asks for slower sending is one for egress alone, and the error says so.
    fn a_section_may_say_the_direction(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let wire = scene.cgroup.run(Wire::new)??;
        let mut ebpf = Ebpf::load(object)?;
        let program = loaded(&mut ebpf, "congested")?;
        assert_eq!(program.expected_attach_type(), &Some(Egress));
        let error = program.attach(&scene.cgroup, Ingress, Single).err().ok_or("attached")?;
        let message = error.to_string();
        assert!(matches!(error, ProgramError::Cgroup(CgroupError::Refused { .. })), "{message}");
        assert!(message.contains("congested") && message.contains("INGRESS"), "{message}");
        program.attach(&scene.cgroup, Egress, Single)?;
        assert_eq!(wire.exchange()?, ALL);
        Ok(())
    }

    /// A program and its link outlive their owner under their pins.
    fn pins(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let wire = scene.cgroup.run(Wire::new)??;
        let (pinned_program, pinned_link) = (pin_path("program"), pin_path("link"));
        let mut ebpf = Ebpf::load(object)?;
        let refuse = loaded(&mut ebpf, "refuse")?;
        refuse.pin(&pinned_program)?;
        let id = refuse.attach(&scene.cgroup, Egress, Single)?;
        let link: FdLink = refuse.take_link(id)?.try_into()?;
        let info = link.info()?;
        assert_eq!(info.link_type()?, LinkType::Cgroup);
        assert_eq!(info.program_id(), refuse.info()?.id());
        link.pin(&pinned_link)?;
        drop(ebpf);
        assert_eq!(wire.exchange()?, NONE);
        drop(PinnedLink::from_pin(&pinned_link)?.unpin()?);
        scene.expect_empty(EGRESS)?;
        assert_eq!(wire.exchange()?, ALL);

        let mut program = CgroupSkb::from_pin(&pinned_program, Egress)?;
        assert_eq!(program.expected_attach_type(), &Some(Egress));
        let info = program.info()?;
        assert_eq!((info.name_as_str(), info.program_type()), (Some("refuse"), ProgramType::CgroupSkb));
        let mut same = CgroupSkb::from_program_info(info, "refuse".into(), None)?;
        same.attach(&scene.cgroup, Egress, Single)?;
        assert_eq!(wire.exchange()?, NONE);
        drop(same);
        assert_eq!(wire.exchange()?, ALL);
        program.attach(&scene.cgroup, Egress, Single)?;
        assert_eq!(wire.exchange()?, NONE);
        std::fs::remove_file(&pinned_program)?;
        program.unload()?;
        assert_eq!(wire.exchange()?, ALL);
        Ok(())
    }

    /// What is no cgroup of version 2 is named, and so is the program.
    fn what_is_no_cgroup(object: "cgroup", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let program = skb(&mut ebpf, "refuse")?;
        let root = File::open("/")?;
        let error = program.attach(&root, Egress, Single).err().ok_or("attached")?;
        assert!(matches!(error, ProgramError::NotLoaded), "{error}");
        program.load()?;
        let mut strangers = vec![("/", root), ("/dev/null", File::open("/dev/null")?)];
        // A cgroup of version 1, where the machine has one.
        if let Ok(old) = File::open("/sys/fs/cgroup/cpu") {
            strangers.push(("/sys/fs/cgroup/cpu", old));
        }
        for (path, stranger) in strangers {
            let error = program.attach(&stranger, Egress, Single).err().ok_or("attached")?;
            let message = error.to_string();
            assert!(matches!(error, ProgramError::Cgroup(CgroupError::NotACgroup { .. })), "{message}");
            assert!(message.contains("`refuse`") && message.contains(&format!("`{path}`")), "{message}");
        }
        Ok(())
    }

    /// Nothing is left on the cgroup after a drop, a panic, and `kill -9`.
    fn nothing_is_left(object: "cgroup", since 5, 8) {
        for load in [without_links, |object: &[u8]| Ok(Ebpf::load(object)?)] {
            let scene = Scene::new()?;
            let attach = || -> TestResult<Ebpf> {
                let mut ebpf = load(object)?;
                loaded(&mut ebpf, "refuse")?.attach(&scene.cgroup, Egress, Single)?;
                assert_eq!(scene.attached(EGRESS)?, 1);
                Ok(ebpf)
            };
            drop(attach()?);
            scene.expect_empty(EGRESS)?;
            let ebpf = attach()?;
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _owned = ebpf;
                resume_unwind(Box::new("on purpose"));
            }));
            assert!(panicked.is_err());
            scene.expect_empty(EGRESS)?;
        }
        let scene = Scene::new()?;
        let mode = if aya_tests::object("donor", "cgroup") == Some(object) { "donor" } else { "native" };
        let path = scene.cgroup.path().display();
        kill_victim(&format!("{mode} links {path}"))?;
        scene.expect_empty(EGRESS)?;
        // Without a link the program stays, as documented, until the cgroup goes.
        kill_victim(&format!("{mode} without {path}"))?;
        assert_eq!(scene.attached(EGRESS)?, 1);
        Ok(())
    }
}

/// The process that is killed; an ordinary run of the tests passes by.
#[test]
fn victim() -> TestResult {
    let Ok(task) = std::env::var(VICTIM) else {
        return Ok(());
    };
    let words: Vec<_> = task.split(' ').collect();
    let [mode, how, path] = words[..] else {
        return Err("a strange task".into());
    };
    let object = object(mode, "cgroup").ok_or("no object")?;
    let mut ebpf = if how == "links" {
        Ebpf::load(object)?
    } else {
        without_links(object)?
    };
    loaded(&mut ebpf, "refuse")?.attach(File::open(path)?, Egress, Single)?;
    println!("{READY}");
    std::thread::sleep(Duration::from_secs(60));
    Err("nobody killed this process".into())
}
