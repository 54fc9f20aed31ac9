//! XDP on the machine's own kernel, in a network namespace made for the test.

mod support;

use std::{process::Command, time::Duration};

use aya::{
    Ebpf, EbpfLoader, TestRun as _, TestRunOptions, VerifierLogLevel,
    features::{Feature, Features},
    maps::HashMap,
    programs::{
        Program, ProgramError, ProgramType, Xdp, XdpAttachType, XdpError, XdpMode,
        links::{FdLink, LinkType, PinnedLink},
        loaded_links, loaded_programs,
    },
};
use support::{isolated, object, skip};

/// An Ethernet frame that nobody waits for.
const FRAME: [u8; 64] = [0xff; 64];

/// The object `xdp.c`, or the end of the test where there is no compiler.
macro_rules! xdp_object {
    ($test:literal) => {
        match object("xdp") {
            Some(object) => object,
            None => return skip($test, "needs clang with the bpf target"),
        }
    };
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut Xdp {
    let program = ebpf.program_mut(name).expect("the object has it");
    program.try_into().expect("it is an XDP program")
}

fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut Xdp {
    let program = xdp(ebpf, name);
    program.load().expect("the verifier accepts it");
    program
}

/// What `ip` says about the interface's XDP program.
fn shown(interface: &str) -> String {
    let output = Command::new("ip")
        .args(["-d", "link", "show", "dev", interface])
        .output();
    String::from_utf8_lossy(&output.expect("ip ran before").stdout).into_owned()
}

fn attached(interface: &str) -> bool {
    shown(interface).contains("prog/xdp")
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("proc is mounted")
        .count()
}

/// The kernel frees programs and links a moment after their last descriptor is closed.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("in two seconds it did not come true: {what}");
}

fn ours() -> usize {
    let named =
        |info: &aya::programs::ProgramInfo| matches!(info.name_as_str(), Some("verdict" | "drop"));
    loaded_programs()
        .filter(|info| info.as_ref().is_ok_and(named))
        .count()
}

#[test]
fn a_program_runs_with_its_globals_maps_and_functions() {
    if !isolated("a_program_runs_with_its_globals_maps_and_functions") {
        return;
    }
    let object = xdp_object!("a_program_runs_with_its_globals_maps_and_functions");
    let mut ebpf = EbpfLoader::new()
        .override_global("VERDICT", &1_u32, true)
        .override_global("STEP", &3_u32, true)
        .override_global("NO_SUCH", &0_u8, false)
        .map_max_entries("SEEN", 4)
        .load(&object)
        .expect("the object is fine");
    let program = loaded(&mut ebpf, "verdict");
    let result = program
        .test_run(TestRunOptions {
            data_in: Some(&FRAME),
            repeat: 5,
            ..TestRunOptions::new()
        })
        .expect("it is loaded");
    assert_eq!(result.return_value, 1, "XDP_DROP, as set before loading");
    let info = program.info().expect("it is loaded");
    assert_eq!(info.name_as_str(), Some("verdict"));
    assert_eq!(info.program_type(), ProgramType::Xdp);
    assert!(info.btf_id().is_some(), "functions and lines came along");
    assert_eq!(info.gpl_compatible(), Some(true));
    assert_eq!(info.map_ids().expect("there").expect("known").len(), 4);
    assert!(info.loaded_at().is_some() && info.memory_locked().expect("open") > 0);

    let count = ebpf.global::<u64>("COUNT").expect("in .bss").read();
    assert_eq!(count.expect("the map is there"), 15, "five times STEP");
    assert_eq!(
        ebpf.global::<u32>("VERDICT")
            .expect("in .rodata")
            .read()
            .ok(),
        Some(1)
    );
    assert!(ebpf.global::<u32>("NO_SUCH").is_err());
    let seen: HashMap<_, u32, u64> =
        HashMap::try_from(ebpf.map("SEEN").expect("there")).expect("a hash map");
    assert_eq!(seen.iter().count(), 1);
    assert_eq!(
        ebpf.map("SEEN").map(|map| map.data().shape().max_entries),
        Some(4)
    );
}

#[test]
fn a_link_holds_the_program_and_drop_takes_it_off() {
    if !isolated("a_link_holds_the_program_and_drop_takes_it_off") {
        return;
    }
    let object = xdp_object!("a_link_holds_the_program_and_drop_takes_it_off");
    let before = descriptors();
    let mut ebpf = Ebpf::load(&object).expect("the object is fine");
    let program = loaded(&mut ebpf, "drop");
    assert!(matches!(program.load(), Err(ProgramError::AlreadyLoaded)));
    let id = program.attach("v0", XdpMode::Skb).expect("veth takes it");
    assert!(shown("v0").contains("xdpgeneric"), "{}", shown("v0"));
    program.detach(id).expect("it is attached");
    eventually("v0 is free", || !attached("v0"));

    // By index, in driver mode, and taken out of the program.
    let index = std::fs::read_to_string("/sys/class/net/v0/ifindex");
    let index = index.ok().and_then(|text| text.trim().parse().ok());
    // In a namespace without its own sysfs: ask `ip`.
    let index = index.unwrap_or_else(|| {
        shown("v0")
            .split(':')
            .next()
            .and_then(|text| text.trim().parse().ok())
            .expect("a number")
    });
    let program = xdp(&mut ebpf, "drop");
    let id = program
        .attach_to_if_index(index, XdpMode::Driver)
        .expect("veth is a driver, too");
    let link = program.take_link(id).expect("it is ours");
    drop(ebpf);
    assert!(attached("v0"), "the taken link holds it");
    let link = FdLink::try_from(link).expect("this kernel has XDP links");
    let info = link.info().expect("it is open");
    assert_eq!(info.link_type().ok(), Some(LinkType::Xdp));
    assert!(loaded_links().any(|link| link.is_ok_and(|link| link.id() == info.id())));
    drop(link);
    eventually("v0 is free again", || !attached("v0"));
    eventually("no program is left", || ours() == 0);
    assert_eq!(descriptors(), before);
}

#[test]
fn one_program_takes_the_place_of_another() {
    if !isolated("one_program_takes_the_place_of_another") {
        return;
    }
    let object = xdp_object!("one_program_takes_the_place_of_another");
    for missing in [&[][..], &[Feature::XdpLink]] {
        let features = Features::without(missing);
        let mut ebpf = EbpfLoader::new()
            .features(features)
            .load(&object)
            .expect("fine");
        let id = loaded(&mut ebpf, "drop")
            .attach("v0", XdpMode::Skb)
            .expect("free");
        let first = shown("v0");
        // A second program on the same interface is refused, with a way out.
        let busy = loaded(&mut ebpf, "verdict").attach("v0", XdpMode::Skb);
        let Err(ProgramError::XdpError(error @ XdpError::InterfaceBusy { .. })) = busy else {
            panic!("{missing:?}: {busy:?}");
        };
        assert!(
            error
                .to_string()
                .starts_with("program `verdict`: interface `v0`"),
            "{error}"
        );

        let link = xdp(&mut ebpf, "drop").take_link(id).expect("ours");
        let program = xdp(&mut ebpf, "verdict");
        let id = program.attach_to_link(link).expect("replaced");
        assert!(attached("v0"));
        assert_ne!(shown("v0"), first, "another program");
        let not_its_own = xdp(&mut ebpf, "drop").detach(id);
        assert!(
            matches!(not_its_own, Err(ProgramError::NotAttached)),
            "{not_its_own:?}"
        );
        xdp(&mut ebpf, "verdict").unload().expect("loaded");
        eventually("v0 is free", || !attached("v0"));
    }
}

#[test]
fn without_links_netlink_attaches_and_takes_off_only_its_own() {
    if !isolated("without_links_netlink_attaches_and_takes_off_only_its_own") {
        return;
    }
    let object = xdp_object!("without_links_netlink_attaches_and_takes_off_only_its_own");
    let old = Features::without(&[Feature::XdpLink]);
    let before = descriptors();
    let mut ebpf = EbpfLoader::new()
        .features(old.clone())
        .load(&object)
        .expect("fine");
    let program = loaded(&mut ebpf, "drop");
    let id = program
        .attach("v0", XdpMode::Driver)
        .expect("veth is a driver, too");
    assert!(attached("v0"));
    let link = program.take_link(id).expect("ours");
    assert!(FdLink::try_from(link).is_err(), "there is no bpf_link");
    assert!(!attached("v0"), "the link is gone, and the program with it");

    program.attach("v0", XdpMode::Skb).expect("free");
    // Somebody else puts theirs in its place.
    #[expect(deprecated, reason = "the older spelling is under test")]
    let flags = aya::programs::XdpFlags::SKB_MODE | aya::programs::XdpFlags::REPLACE;
    let mut other = EbpfLoader::new().features(old).load(&object).expect("fine");
    let id = loaded(&mut other, "verdict")
        .attach("v0", flags)
        .expect("replaces");
    let theirs = shown("v0");
    drop(ebpf);
    assert_eq!(shown("v0"), theirs, "another's program stays");
    xdp(&mut other, "verdict").detach(id).expect("attached");
    assert!(!attached("v0"));
    drop(other);
    eventually("no program is left", || ours() == 0);
    assert_eq!(descriptors(), before);
}

#[test]
fn a_panic_leaves_nothing_behind() {
    if !isolated("a_panic_leaves_nothing_behind") {
        return;
    }
    let object = xdp_object!("a_panic_leaves_nothing_behind");
    for missing in [&[][..], &[Feature::XdpLink]] {
        let features = Features::without(missing);
        let panicked = std::panic::catch_unwind(|| {
            let mut ebpf = EbpfLoader::new()
                .features(features)
                .load(&object)
                .expect("fine");
            loaded(&mut ebpf, "drop")
                .attach("v0", XdpMode::Skb)
                .expect("free");
            assert!(!attached("v0"), "on purpose");
        });
        assert!(panicked.is_err());
        eventually("v0 is free", || !attached("v0"));
        eventually("no program is left", || ours() == 0);
    }
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    const TEST: &str = "a_killed_process_leaves_nothing_behind";
    if !isolated(TEST) {
        return;
    }
    let object = xdp_object!("a_killed_process_leaves_nothing_behind");
    if std::env::var_os("AYA_TEST_VICTIM").is_some() {
        let mut ebpf = Ebpf::load(&object).expect("fine");
        loaded(&mut ebpf, "drop")
            .attach("v0", XdpMode::Skb)
            .expect("free");
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let mut victim = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", TEST, "--nocapture"])
        .env("AYA_TEST_VICTIM", "1")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it ran before");
    eventually("the program is attached", || attached("v0"));
    victim.kill().expect("it sleeps");
    victim.wait().expect("it is ours");
    eventually("v0 is free", || !attached("v0"));
    eventually("no program is left", || ours() == 0);
}

#[test]
fn pins_outlive_their_owners() {
    if !isolated("pins_outlive_their_owners") {
        return;
    }
    let object = xdp_object!("pins_outlive_their_owners");
    let (program_path, link_path) = (
        support::bpffs().join("program"),
        support::bpffs().join("link"),
    );
    let mut ebpf = Ebpf::load(&object).expect("fine");
    let program = xdp(&mut ebpf, "drop");
    assert!(program.pin(&program_path).is_err(), "not loaded");
    program.load().expect("fine");
    program.pin(&program_path).expect("free");
    assert!(program.pin(&program_path).is_err(), "taken");
    let id = program.attach("v0", XdpMode::Skb).expect("free");
    let link: FdLink = program
        .take_link(id)
        .expect("ours")
        .try_into()
        .expect("an XDP link");
    let pinned = link.pin(&link_path).expect("free");
    drop(pinned);
    drop(ebpf);
    assert!(attached("v0"), "the pin holds it");

    let pinned = PinnedLink::from_pin(&link_path).expect("pinned");
    assert!(
        PinnedLink::from_pin(&program_path).is_err(),
        "that is a program"
    );
    let mut program = Xdp::from_pin(&program_path, XdpAttachType::Interface).expect("pinned");
    assert!(
        Xdp::from_pin(&link_path, XdpAttachType::Interface).is_err(),
        "that is a link"
    );
    let link = pinned.unpin().expect("ours to remove");
    assert!(attached("v0") && !link_path.exists());
    let id = program
        .attach_to_link(link.try_into().expect("an XDP link"))
        .expect("replaced");
    program.detach(id).expect("attached");
    eventually("v0 is free", || !attached("v0"));
    program.unpin().expect("ours to remove");
    assert!(!program_path.exists());
    program.unload().expect("loaded");
    assert!(matches!(program.fd(), Err(ProgramError::NotLoaded)));
    eventually("no program is left", || ours() == 0);
}

#[test]
fn a_rejected_program_says_why_and_where() {
    if !isolated("a_rejected_program_says_why_and_where") {
        return;
    }
    let object = xdp_object!("a_rejected_program_says_why_and_where");
    let mut ebpf = Ebpf::load(&object).expect("fine");
    let rejected = xdp(&mut ebpf, "reads_null").load();
    let Err(ProgramError::LoadError {
        name,
        reason,
        verifier_log,
        ..
    }) = &rejected
    else {
        panic!("{rejected:?}");
    };
    assert_eq!(name, "reads_null");
    assert!(
        reason.contains("invalid mem access 'map_value_or_null'"),
        "{reason}"
    );
    assert!(reason.contains("xdp.c:"), "{reason}");
    assert!(
        verifier_log.as_str().contains("processed "),
        "{verifier_log}"
    );
    let text = rejected
        .map_err(|error| error.to_string())
        .expect_err("rejected");
    assert!(
        text.starts_with("program `reads_null`: ") && !text.contains('\n'),
        "{text}"
    );

    let mut silent = EbpfLoader::new()
        .verifier_log_level(VerifierLogLevel::DISABLE)
        .load(&object)
        .expect("fine");
    let rejected = xdp(&mut silent, "reads_null").load();
    let Err(ProgramError::LoadError { verifier_log, .. }) = &rejected else {
        panic!("{rejected:?}");
    };
    assert_eq!(verifier_log.as_str(), "");
}

#[test]
fn wrong_targets_are_named() {
    if !isolated("wrong_targets_are_named") {
        return;
    }
    let object = xdp_object!("wrong_targets_are_named");
    let mut ebpf = Ebpf::load(&object).expect("fine");
    let program = xdp(&mut ebpf, "drop");
    assert!(matches!(
        program.attach("v0", XdpMode::Skb),
        Err(ProgramError::NotLoaded)
    ));
    program.load().expect("fine");
    let missing = program.attach("no-such-if0", XdpMode::Skb);
    assert!(
        matches!(&missing, Err(ProgramError::UnknownInterface { name }) if name == "no-such-if0"),
        "{missing:?}"
    );
    let missing = program.attach_to_if_index(4_000_000, XdpMode::Skb);
    assert!(
        matches!(missing, Err(ProgramError::UnknownInterface { .. })),
        "{missing:?}"
    );
    // The loopback interface has no driver that could run a program.
    let refused = program.attach("lo", XdpMode::Driver);
    let Err(ProgramError::XdpError(error @ XdpError::ModeNotSupported { .. })) = &refused else {
        panic!("{refused:?}");
    };
    assert!(
        error
            .to_string()
            .contains("`lo` cannot run programs in driver mode"),
        "{error}"
    );
    let refused = program.attach("v0", XdpMode::Hardware);
    assert!(refused.is_err(), "{refused:?}");

    let Program::LwtIn(other) = ebpf.program_mut("not_supported_yet").expect("there") else {
        panic!("the section says so");
    };
    let text = other.load().expect_err("not yet").to_string();
    assert!(
        text.contains("not_supported_yet") && text.contains("BPF_PROG_TYPE_LWT_IN"),
        "{text}"
    );
}

#[test]
fn programs_for_map_entries_load_with_their_attach_type() {
    if !isolated("programs_for_map_entries_load_with_their_attach_type") {
        return;
    }
    let object = xdp_object!("programs_for_map_entries_load_with_their_attach_type");
    let mut ebpf = Ebpf::load(&object).expect("fine");
    for name in ["for_devmap", "for_cpumap"] {
        let refused = loaded(&mut ebpf, name).attach("v0", XdpMode::Skb);
        assert!(refused.is_err(), "{name} belongs into a map: {refused:?}");
    }
}
