//! Loading objects on the machine's own kernel: pinned maps, older kernels' ways, privileges.

mod support;

use std::{env, error::Error, process::Command};

use aya::{
    Ebpf, EbpfError, EbpfLoader, TestRun as _, TestRunOptions, VerifierLogLevel,
    features::{Feature, Features},
    maps::{Array, Map, MapData, MapError},
    pin::PinError,
    programs::{ProgramError, Xdp},
};
use object::{Architecture, Endianness, SectionKind, SymbolKind};
use support::{bpffs, builder::Builder, isolated, object, skip};

const FRAME: [u8; 64] = [0xff; 64];

/// The named object, or the end of the test where there is no compiler.
macro_rules! object {
    ($name:literal, $test:literal) => {
        match object($name) {
            Some(object) => object,
            None => return skip($test, "needs clang with the bpf target"),
        }
    };
}

fn run(ebpf: &mut Ebpf, name: &str) -> u32 {
    let program: &mut Xdp = ebpf
        .program_mut(name)
        .expect("there")
        .try_into()
        .expect("XDP");
    program.load().expect("the verifier accepts it");
    let options = TestRunOptions {
        data_in: Some(&FRAME),
        ..TestRunOptions::new()
    };
    program
        .test_run(options)
        .expect("it is loaded")
        .return_value
}

#[test]
fn maps_pinned_by_name_are_shared() {
    if !isolated("maps_pinned_by_name_are_shared") {
        return;
    }
    let object = object!("pinned", "maps_pinned_by_name_are_shared");
    let mut loader = EbpfLoader::new();
    loader.default_map_pin_directory(bpffs());
    for runs in 1..=2_u64 {
        let mut ebpf = loader.load(&object).expect("the map is new, or fits");
        assert_eq!(run(&mut ebpf, "counts"), 2);
        let shared: Array<_, u64> =
            Array::try_from(ebpf.map("SHARED").expect("there")).expect("an array");
        assert_eq!(
            shared.get(&0, 0).ok(),
            Some(runs),
            "the first object's count is kept"
        );
    }
    let other = EbpfLoader::new()
        .default_map_pin_directory(bpffs())
        .map_max_entries("SHARED", 9)
        .load(&object);
    let Err(EbpfError::MapError(error @ MapError::Incompatible { .. })) = &other else {
        panic!("{other:?}");
    };
    let text = error.to_string();
    assert!(
        text.contains("SHARED") && text.contains("max_entries is 8, expected 9"),
        "{text}"
    );

    // At a path of the caller's, the other shape is a map of its own.
    let path = bpffs().join("elsewhere");
    let elsewhere = EbpfLoader::new()
        .map_pin_path("SHARED", path.clone())
        .map_max_entries("SHARED", 9)
        .load(&object);
    assert!(elsewhere.is_ok() && path.exists(), "{elsewhere:?}");
}

#[test]
fn a_load_that_fails_leaves_no_pins() {
    if !isolated("a_load_that_fails_leaves_no_pins") {
        return;
    }
    let (new, old) = (bpffs().join("new"), bpffs().join("old"));
    let array = [2, 4, 8, 1, 0];
    let load = |last: [u32; 5]| {
        let object = Builder::xdp().map("OLD", array).map("NEW", array);
        EbpfLoader::new()
            .map_pin_path("OLD", old.clone())
            .map_pin_path("NEW", new.clone())
            .load(&object.map("LAST", last).bytes())
    };
    let first = EbpfLoader::new()
        .map_pin_path("OLD", old.clone())
        .load(&Builder::xdp().map("OLD", array).bytes());
    drop(first.expect("an array"));
    // A hash map without keys.
    let error = load([1, 0, 8, 1, 0]).expect_err("no such map can be");
    let text = error.to_string();
    assert!(
        text.starts_with("map `LAST` could not be created: "),
        "{text}"
    );
    assert!(!new.exists(), "it was made for nothing");
    assert!(old.exists(), "it was there before");
    load(array).expect("now all are fine");
    assert!(new.exists() && old.exists());
}

#[test]
fn a_pinned_map_keeps_its_contents() {
    if !isolated("a_pinned_map_keeps_its_contents") {
        return;
    }
    let object = object!("xdp", "a_pinned_map_keeps_its_contents");
    let path = bpffs().join("constants");
    for value in [7_u32, 8] {
        // The second object finds a map that nobody may write to any more.
        let mut ebpf = EbpfLoader::new()
            .map_pin_path(".rodata", path.clone())
            .override_global("VERDICT", &value, true)
            .load(&object)
            .expect("the map is new, or fits");
        let kept = ebpf.global::<u32>("VERDICT").expect("in .rodata").read();
        assert_eq!(kept.ok(), Some(7));
        assert_eq!(run(&mut ebpf, "verdict"), 7);
    }
}

#[test]
fn a_pinned_program_is_no_map() {
    if !isolated("a_pinned_program_is_no_map") {
        return;
    }
    let path = bpffs().join("program");
    let object = Builder::xdp().map("M", [2, 4, 8, 1, 0]).bytes();
    let mut ebpf = Ebpf::load(&object).expect("fine");
    let program = ebpf.program_mut("pass").expect("there");
    let program: &mut Xdp = program.try_into().expect("XDP");
    program.load().expect("fine");
    program.pin(&path).expect("free");
    let is_told = |error: &MapError| {
        let wrong = matches!(
            error,
            MapError::PinError {
                error: PinError::WrongObject { .. },
                ..
            }
        );
        assert!(wrong && error.to_string().contains("bpf-map"), "{error:?}");
    };
    is_told(&MapData::from_pin(&path).expect_err("a program"));
    match EbpfLoader::new()
        .map_pin_path("M", path.clone())
        .load(&object)
    {
        Err(EbpfError::MapError(error)) => is_told(&error),
        other => panic!("{other:?}"),
    }
    assert!(path.exists());
}

#[test]
fn kernels_without_names_types_or_links_get_less() {
    if !isolated("kernels_without_names_types_or_links_get_less") {
        return;
    }
    let object = object!("xdp", "kernels_without_names_types_or_links_get_less");
    let cases: [(&[Feature], Option<&str>, bool); 3] = [
        (&[], Some("verdict"), true),
        (&[Feature::Names], None, true),
        (
            &[Feature::Btf, Feature::FuncInfo, Feature::Names],
            None,
            false,
        ),
    ];
    for (missing, name, described) in cases {
        let features = Features::without(missing);
        let mut ebpf = EbpfLoader::new()
            .features(features)
            .load(&object)
            .expect("fine");
        assert_eq!(run(&mut ebpf, "verdict"), 2, "{missing:?}");
        let info = ebpf
            .program("verdict")
            .expect("there")
            .info()
            .expect("loaded");
        assert_eq!(info.name_as_str(), name, "{missing:?}");
        assert_eq!(info.btf_id().is_some(), described, "{missing:?}");
    }
}

#[test]
fn without_ring_buffers_logs_go_through_a_perf_event_array() {
    if !isolated("without_ring_buffers_logs_go_through_a_perf_event_array") {
        return;
    }
    let object = object!(
        "logs",
        "without_ring_buffers_logs_go_through_a_perf_event_array"
    );
    let mut ebpf = Ebpf::load(&object).expect("fine");
    assert!(matches!(ebpf.map("AYA_LOGS"), Some(Map::RingBuf(_))));
    assert_eq!(run(&mut ebpf, "logs"), 2);
    assert_eq!(lost(&ebpf), 0, "there was room");

    let features = Features::without(&[Feature::RingBuf]);
    let mut ebpf = EbpfLoader::new()
        .features(features)
        .load(&object)
        .expect("fine");
    assert!(matches!(ebpf.map("AYA_LOGS"), Some(Map::PerfEventArray(_))));
    assert_eq!(run(&mut ebpf, "logs"), 2);
    assert_eq!(lost(&ebpf), 1, "nobody has opened the buffers");
    let info = ebpf.program("logs").expect("there").info().expect("loaded");
    assert!(
        info.btf_id().is_some(),
        "the function that was added is described"
    );
}

fn lost(ebpf: &Ebpf) -> u64 {
    ebpf.global("AYA_LOG_LOST")
        .expect("in .bss")
        .read()
        .expect("the map is there")
}

#[test]
fn maps_outlive_their_object_and_programs_their_maps() {
    if !isolated("maps_outlive_their_object_and_programs_their_maps") {
        return;
    }
    let object = object!("xdp", "maps_outlive_their_object_and_programs_their_maps");
    let mut ebpf = Ebpf::load(&object).expect("fine");
    let count = ebpf.global::<u64>("COUNT").expect("in .bss");
    // The handles go before the program is loaded: their descriptors may be anybody's then.
    drop(ebpf.take_map("SEEN"));
    drop(ebpf.take_map(".bss"));
    assert!(ebpf.map("SEEN").is_none() && ebpf.global::<u64>("COUNT").is_ok());
    assert_eq!(run(&mut ebpf, "verdict"), 2);
    let [rodata, missing, again] = ebpf.maps_disjoint_mut([".rodata", "no such", ".rodata"]);
    assert!(rodata.is_some() && missing.is_none() && again.is_none());
    drop(ebpf);
    assert_eq!(count.read().ok(), Some(1));
}

#[test]
fn a_missing_privilege_is_named() {
    const TEST: &str = "a_missing_privilege_is_named";
    if env::var_os("AYA_TEST_UNPRIVILEGED").is_none() {
        if !support::root() {
            return skip(TEST, "needs root to give its privileges up");
        }
        let output = Command::new("setpriv")
            .args([
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--ambient-caps=-all",
                "--",
            ])
            .arg(env::current_exe().expect("the test's own executable"))
            .args(["--exact", TEST, "--nocapture"])
            .env("AYA_TEST_UNPRIVILEGED", "1")
            .output();
        return match output {
            Err(error) => skip(TEST, &format!("setpriv: {error}")),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{text}{errors}");
                if errors.contains("SKIP") {
                    skip(TEST, "needs clang with the bpf target");
                }
            }
        };
    }
    let object = object!("xdp", "a_missing_privilege_is_named");
    let (text, source) = match Ebpf::load(&object) {
        Err(error @ EbpfError::MissingPrivilege { .. }) => {
            (error.to_string(), error.source().is_some())
        }
        // With `kernel.unprivileged_bpf_disabled=0` anybody may create maps.
        Ok(mut ebpf) => {
            let program: &mut Xdp = ebpf
                .program_mut("drop")
                .expect("there")
                .try_into()
                .expect("XDP");
            let error = program.load().expect_err("needs privileges");
            assert!(
                matches!(error, ProgramError::MissingPrivilege { .. }),
                "{error:?}"
            );
            (error.to_string(), error.source().is_some())
        }
        Err(other) => panic!("{other:?}"),
    };
    assert!(text.contains("CAP_BPF") && source, "{text}");
}

#[test]
fn a_log_of_megabytes_is_kept_whole() {
    const TEST: &str = "a_log_of_megabytes_is_kept_whole";
    if !isolated(TEST) {
        return;
    }
    // Many times r0 = 2, then a read through a register that holds nothing.
    let mut code = [0xb7, 0, 0, 0, 2, 0, 0, 0].repeat(50_000);
    code.extend([0x61, 0x20, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
    let object = Builder::new(Architecture::Bpf, Endianness::default());
    let object = object.section("xdp", SectionKind::Text, "long", SymbolKind::Text, &code);
    let mut ebpf = EbpfLoader::new()
        .verifier_log_level(VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS)
        .load(&object.bytes())
        .expect("nothing is verified yet");
    let program: &mut Xdp = ebpf
        .program_mut("long")
        .expect("there")
        .try_into()
        .expect("XDP");
    let Err(ProgramError::LoadError {
        reason,
        verifier_log,
        ..
    }) = program.load()
    else {
        panic!("the verifier accepts a read through nothing");
    };
    assert_eq!(reason, "R2 !read_ok");
    let log = verifier_log.as_str();
    assert!(log.len() > 1 << 20, "{} bytes", log.len());
    assert!(log.contains("\n0: (b7) r0 = 2"), "its beginning");
    assert!(log.contains("\nprocessed "), "its end");
    assert_eq!(verifier_log.instruction(), Some(50_000));
}

#[test]
fn the_running_kernels_types_are_read() {
    let shown = std::path::Path::new("/sys/kernel/btf/vmlinux").exists();
    match aya::Btf::from_sys_fs() {
        Ok(btf) => assert!(btf.types().expect("types").iter().count() > 1000),
        Err(error) if shown => panic!("{error:?}"),
        Err(error) => skip("the_running_kernels_types_are_read", &error.to_string()),
    }
}
