//! Builds the test programs in both modes, loads them with bpftool and runs them in the kernel.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use object::{Object, ObjectSection};

const BINARIES: [&str; 5] = ["panics", "arithmetic", "memory", "tables", "packet"];

fn skip(test: &str, reason: &str) {
    let _ = std::io::stderr().write_all(format!("SKIP: {test}: {reason}\n").as_bytes());
}

/// Builds the programs; `Err` says why that mode cannot be had here.
fn build(mode: &'static str) -> &'static Result<PathBuf, String> {
    static DONOR: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static NATIVE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let cell = if mode == "donor" { &DONOR } else { &NATIVE };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs");
    cell.get_or_init(|| build_package(mode, "programs", Path::new(root)))
}

/// Builds one package in a child process, as its own build script; gives the directory of objects.
fn build_package(mode: &str, name: &str, root: &Path) -> Result<PathBuf, String> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(mode)
        .join("build")
        .join(name)
        .join("out");
    std::fs::create_dir_all(&out).map_err(|error| error.to_string())?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(this)
        .args(["--exact", "as_a_build_script", "--nocapture"])
        .env("OUT_DIR", &out)
        .env("AYA_EBPF_MODE", mode)
        .env("AYA_TEST_PACKAGE", name)
        .env("AYA_TEST_ROOT", root)
        .env("RUST_BACKTRACE", "0")
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(out)
    } else {
        Err(text(&output))
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What the child processes of [`build`] run; it does nothing in an ordinary run.
#[test]
fn as_a_build_script() {
    let (Ok(name), Ok(root)) = (
        std::env::var("AYA_TEST_PACKAGE"),
        std::env::var("AYA_TEST_ROOT"),
    ) else {
        return;
    };
    let package = aya_build::Package {
        name: &name,
        root_dir: &root,
        ..Default::default()
    };
    if let Err(error) = aya_build::build_ebpf([package], aya_build::Toolchain::default()) {
        panic!("{error:#}");
    }
}

/// The objects of a mode; `None`, said loudly, where it cannot be had.
fn objects(test: &str, mode: &'static str) -> Option<&'static Path> {
    match build(mode) {
        Ok(out) => Some(out),
        Err(reason) if reason.contains("eBPF toolchain: none that works") => {
            skip(test, &format!("no toolchain for {mode} mode"));
            None
        }
        Err(reason) => panic!("{mode} mode: {reason}"),
    }
}

/// Programs of one object in bpffs; removed with the value.
struct Loaded(PathBuf);

impl Loaded {
    fn new(test: &str, object: &Path) -> Option<Self> {
        let Ok(version) = Command::new("bpftool").arg("version").output() else {
            skip(test, "no bpftool");
            return None;
        };
        assert!(version.status.success());
        let place = PathBuf::from(format!(
            "/sys/fs/bpf/aya-build-{}-{test}",
            std::process::id()
        ));
        if std::fs::create_dir(&place).is_err() {
            skip(test, "no bpffs that this user may write to");
            return None;
        }
        let loaded = Self(place);
        let output = Command::new("bpftool")
            .args(["prog", "loadall"])
            .arg(object)
            .arg(&loaded.0)
            .arg("pinmaps")
            .arg(loaded.0.join("maps"))
            .output();
        let output = output.expect("bpftool runs");
        assert!(
            output.status.success(),
            "{}: {}",
            object.display(),
            text(&output)
        );
        assert!(
            !text(&output).contains("BTF loading error"),
            "{}",
            text(&output)
        );
        Some(loaded)
    }

    /// What the program returns for a packet.
    fn run(&self, program: &str, packet: &[u8]) -> u32 {
        let name = self.0.file_name().expect("a name").to_string_lossy();
        let data = std::env::temp_dir().join(format!("{name}-{program}"));
        std::fs::write(&data, packet).expect("a packet");
        let output = Command::new("bpftool")
            .args(["prog", "run", "pinned"])
            .arg(self.0.join(program))
            .arg("data_in")
            .arg(&data)
            .output()
            .expect("bpftool runs");
        let _ = std::fs::remove_file(&data);
        let text = text(&output);
        let value = text
            .split("Return value: ")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        value
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or_else(|| panic!("{program}: {text}"))
    }

    /// Does the kernel have the program's types?
    fn has_btf(&self, program: &str) -> bool {
        let output = Command::new("bpftool")
            .args(["prog", "show", "pinned"])
            .arg(self.0.join(program))
            .output();
        text(&output.expect("bpftool runs")).contains("btf_id")
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn packet(words: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(64, 0);
    bytes
}

fn panics_leave(test: &str, mode: &'static str) {
    let Some(objects) = objects(test, mode) else {
        return;
    };
    let Some(loaded) = Loaded::new(test, &objects.join("panics")) else {
        return;
    };
    const ABORTED: u32 = 0;
    const SHOT: u32 = 2;
    for (program, good, bad, fine, safe) in [
        ("index", 3, 9, 2, ABORTED),
        ("unwrap_none", 3, 9, 2, ABORTED),
        ("overflow", 3, 9, 2, ABORTED),
        ("slice", 3, 9, 2, ABORTED),
        ("xdp", 3, 9, 2, 1),
    ] {
        assert!(loaded.has_btf(program), "{program}");
        assert_eq!(loaded.run(program, &packet(&[good, 7])), fine, "{program}");
        assert_eq!(loaded.run(program, &packet(&[bad, 7])), safe, "{program}");
    }
    assert_eq!(loaded.run("subprogram", &[0; 64]), 0);
    assert_eq!(loaded.run("subprogram", &[0; 128]), SHOT);
}

#[test]
fn panics_leave_in_donor_mode() {
    panics_leave("panics_leave_in_donor_mode", "donor");
}

#[test]
fn panics_leave_in_native_mode() {
    panics_leave("panics_leave_in_native_mode", "native");
}

fn arithmetic(test: &str, mode: &'static str) {
    let Some(objects) = objects(test, mode) else {
        return;
    };
    let Some(loaded) = Loaded::new(test, &objects.join("arithmetic")) else {
        return;
    };
    let packet = packet(&[0x1234_5678_9abc_def0, 0xfedc_ba98_7654_3210, 0x11_2233_4455]);
    for program in [
        "multiply",
        "divide",
        "divide_unknown",
        "overflow",
        "wide_results",
    ] {
        assert!(loaded.has_btf(program), "{program}");
        assert_eq!(loaded.run(program, &packet), 2, "{program}");
    }
}

#[test]
fn arithmetic_in_donor_mode() {
    arithmetic("arithmetic_in_donor_mode", "donor");
}

#[test]
fn arithmetic_in_native_mode() {
    arithmetic("arithmetic_in_native_mode", "native");
}

fn memory(test: &str, mode: &'static str) {
    let Some(objects) = objects(test, mode) else {
        return;
    };
    let Some(loaded) = Loaded::new(test, &objects.join("memory")) else {
        return;
    };
    for program in ["fills", "copies", "shifts", "stack", "bytes", "part"] {
        assert!(loaded.has_btf(program), "{program}");
        assert_eq!(loaded.run(program, &packet(&[100])), 2, "{program}");
    }
}

#[test]
fn memory_in_donor_mode() {
    memory("memory_in_donor_mode", "donor");
}

#[test]
fn memory_in_native_mode() {
    memory("memory_in_native_mode", "native");
}

fn tables(test: &str, mode: &'static str) {
    let Some(objects) = objects(test, mode) else {
        return;
    };
    let Some(loaded) = Loaded::new(test, &objects.join("tables")) else {
        return;
    };
    for program in ["names", "rows", "matched"] {
        assert!(loaded.has_btf(program), "{program}");
        assert_eq!(loaded.run(program, &packet(&[3, 5])), 2, "{program}");
    }
}

#[test]
fn tables_in_donor_mode() {
    tables("tables_in_donor_mode", "donor");
}

#[test]
fn tables_in_native_mode() {
    tables("tables_in_native_mode", "native");
}

fn packet_fields(test: &str, mode: &'static str) {
    let Some(objects) = objects(test, mode) else {
        return;
    };
    let Some(loaded) = Loaded::new(test, &objects.join("packet")) else {
        return;
    };
    let packet: Vec<u8> = (1..=64).collect();
    for program in ["fields", "stack", "whole", "map"] {
        assert!(loaded.has_btf(program), "{program}");
        assert_eq!(loaded.run(program, &packet), 2, "{program}");
    }
}

#[test]
fn packet_fields_in_donor_mode() {
    packet_fields("packet_fields_in_donor_mode", "donor");
}

#[test]
fn packet_fields_in_native_mode() {
    packet_fields("packet_fields_in_native_mode", "native");
}

/// Definitions of all types of maps in both forms, and maps that hold something from the start, as
/// libbpf reads and fills them.
fn maps(test: &str, mode: &'static str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/definitions");
    if !root.is_dir() {
        skip(test, "no programs of the tests next to the crate");
        return;
    }
    let objects = match build_package(mode, "aya-tests-definitions-ebpf", &root) {
        Ok(objects) => objects,
        Err(reason) if reason.contains("none that works") => {
            skip(test, &format!("no toolchain for {mode} mode"));
            return;
        }
        Err(reason) => panic!("{mode} mode: {reason}"),
    };
    for (object, since, programs) in [
        ("nested", (5, 8), &[("inner_maps", 2), ("enter", 3)][..]),
        ("definitions", (5, 10), &[("sum", 55)]),
        ("locked", (5, 8), &[("deposit", 0)]),
        ("newer", (6, 1), &[]),
        ("recent", (6, 9), &[]),
        ("arena", (6, 9), &[]),
        ("newest", (7, 2), &[]),
    ] {
        if kernel() < since {
            opens(test, &objects.join(object));
            continue;
        }
        let Some(loaded) = Loaded::new(&format!("{test}-{object}"), &objects.join(object)) else {
            return;
        };
        for (program, value) in programs {
            assert!(loaded.has_btf(program), "{program}");
            assert_eq!(loaded.run(program, &packet(&[])), *value, "{program}");
        }
    }
}

/// libbpf takes the definitions of an object whose maps the running kernel lacks.
fn opens(test: &str, object: &Path) {
    let Ok(output) = Command::new("bpftool")
        .args(["gen", "skeleton"])
        .arg(object)
        .output()
    else {
        return skip(test, "no bpftool");
    };
    assert!(output.status.success(), "{}", text(&output));
    let skeleton = String::from_utf8_lossy(&output.stdout);
    let bytes = std::fs::read(object).expect("an object");
    let spec = aya_obj::ObjectSpec::parse(&bytes).expect("an object");
    assert!(!spec.maps.is_empty());
    for map in &spec.maps {
        assert!(
            skeleton.contains(&format!("struct bpf_map *{};", map.name)),
            "{}",
            map.name
        );
    }
}

/// The running kernel's version.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().expect("a number"));
    (
        numbers.next().expect("a version"),
        numbers.next().expect("a version"),
    )
}

#[test]
fn maps_in_donor_mode() {
    maps("maps_in_donor_mode", "donor");
}

#[test]
fn maps_in_native_mode() {
    maps("maps_in_native_mode", "native");
}

fn clean(test: &str, mode: &'static str) {
    let Some(objects) = objects(test, mode) else {
        return;
    };
    for binary in BINARIES {
        let bytes = std::fs::read(objects.join(binary)).expect("an object");
        let object = object::File::parse(bytes.as_slice()).expect("ELF");
        let names: Vec<&str> = object
            .sections()
            .filter_map(|section| section.name().ok())
            .collect();
        let waste = |name: &&str| {
            name.starts_with(".debug") || name.starts_with(".rel.BTF") || *name == "maps"
        };
        assert!(!names.iter().any(waste), "{binary}: {names:?}");
        assert!(
            names.contains(&".BTF") && names.contains(&".BTF.ext"),
            "{binary}: {names:?}"
        );
        let panicking = String::from_utf8_lossy(&bytes).contains("panicking");
        assert!(
            !panicking,
            "{binary}: core's panic machinery is still in it"
        );
    }
}

#[test]
fn objects_are_clean_in_donor_mode() {
    clean("objects_are_clean_in_donor_mode", "donor");
}

#[test]
fn objects_are_clean_in_native_mode() {
    clean("objects_are_clean_in_native_mode", "native");
}

/// The examples' budgets: instruction slots of the program, bytes of the object.
#[test]
fn examples_keep_their_budgets() {
    let test = "examples_keep_their_budgets";
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    if !examples.is_dir() {
        skip(test, "no examples next to the crate");
        return;
    }
    for (name, slots, size) in [
        ("xdp-hello", 20, 6 << 10),
        ("xdp-log", 60, 9 << 10),
        ("xdp-drop", 65, 9 << 10),
    ] {
        let package = format!("{name}-ebpf");
        let root = examples.join(name).join(&package);
        let out = match build_package("donor", &package, &root) {
            Ok(out) => out,
            Err(reason) if reason.contains("none that works") => {
                skip(test, "no toolchain for donor mode");
                return;
            }
            Err(reason) => panic!("{name}: {reason}"),
        };
        let file = std::fs::read_dir(&out)
            .expect("objects")
            .flatten()
            .next()
            .expect("one object")
            .path();
        let bytes = std::fs::read(file).expect("an object");
        let object = object::File::parse(bytes.as_slice()).expect("ELF");
        let program = object.section_by_name("xdp").expect("a program");
        assert!(
            program.size() <= slots * 8,
            "{name}: {} slots",
            program.size() / 8
        );
        assert!(bytes.len() <= size, "{name}: {} bytes", bytes.len());
        let log = object.section_by_name(".aya.log").expect("log descriptors");
        let object::SectionFlags::Elf { sh_flags, .. } = log.flags() else {
            panic!("ELF flags")
        };
        assert_eq!(sh_flags.0, 0, "{name}: the descriptors are not loaded");
    }
}
