//! What eBPF cannot do, and what a machine can lack: each a typed error that names the function and
//! the line, or the fix.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aya_linker::{DiagnosticKind, Error, Options, Panics, link};
use common::{FIRST, bitcode, link_source, skip};

/// The one finding about a program.
#[track_caller]
fn refused(test: &str, source: &str, kind: DiagnosticKind, function: &str, line: u32) {
    let Some(result) = link_source(test, source, &Options::default()) else {
        return;
    };
    let Err(Error::Program(found)) = result else {
        panic!("{result:?}")
    };
    let found = found
        .iter()
        .find(|each| each.kind == kind)
        .unwrap_or_else(|| panic!("{found:?}"));
    assert!(found.function.ends_with(function), "{found}");
    let location = found
        .location
        .as_ref()
        .unwrap_or_else(|| panic!("no line: {found}"));
    assert!(location.file.ends_with("main.rs"), "{found}");
    assert_eq!(location.line, FIRST + line, "{found}");
    assert!(found.to_string().contains("; "), "says what to do: {found}");
}

#[test]
fn too_many_arguments() {
    let source = "
#[inline(never)]
fn many(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    if a == 0 { b ^ c ^ d ^ e ^ f } else { many(f, a, b, c, d, e).wrapping_mul(many(b, a, f, c, d, e)) }
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    many(word(c, 0), word(c, 1), word(c, 2), word(c, 3), word(c, 4), word(c, 5))
}";
    refused(
        "too_many_arguments",
        source,
        DiagnosticKind::TooManyArguments,
        "many",
        2,
    );
}

#[test]
fn too_many_arguments_to_a_helper() {
    let source = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let helper: extern \"C\" fn(u64, u64, u64, u64, u64, u64) -> u64 = unsafe { core::mem::transmute(6usize) };
    helper(word(c, 0), 1, 2, 3, 4, 5)
}";
    refused(
        "too_many_arguments_to_a_helper",
        source,
        DiagnosticKind::TooManyArguments,
        "program",
        4,
    );
}

#[test]
fn floating_point() {
    let source = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    (word(c, 0) as f64 * 1.5) as u64
}";
    refused(
        "floating_point",
        source,
        DiagnosticKind::FloatingPoint,
        "program",
        3,
    );
}

#[test]
fn dynamic_calls() {
    let source = "
trait Shape { fn area(&self) -> u64; }
struct Square(u64);
impl Shape for Square { #[inline(never)] fn area(&self) -> u64 { self.0 * self.0 } }
struct Circle(u64);
impl Shape for Circle { #[inline(never)] fn area(&self) -> u64 { self.0 * 3 } }
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let (square, circle) = (Square(word(c, 0)), Circle(word(c, 1)));
    let shape: &dyn Shape = if word(c, 2) == 0 { &square } else { &circle };
    shape.area()
}";
    refused(
        "dynamic_calls",
        source,
        DiagnosticKind::IndirectCall,
        "program",
        10,
    );
}

#[test]
fn formatting() {
    let source = "
struct Out(u64);
impl core::fmt::Write for Out {
    #[inline(never)]
    fn write_str(&mut self, text: &str) -> core::fmt::Result { self.0 += text.len() as u64; Ok(()) }
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let mut out = Out(0);
    let _ = core::fmt::Write::write_fmt(&mut out, format_args!(\"{}\", word(c, 0)));
    out.0
}";
    refused(
        "formatting",
        source,
        DiagnosticKind::Formatting,
        "program",
        9,
    );
}

#[test]
fn unresolved() {
    let source = "
unsafe extern \"C\" { fn getpid() -> u64; }
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(_: *mut u64) -> u64 {
    unsafe { getpid() }
}";
    refused(
        "unresolved",
        source,
        DiagnosticKind::Unresolved,
        "program",
        4,
    );
}

#[test]
fn wide_result() {
    let source = "
#[inline(never)]
fn pair(a: u64, b: u64) -> (u64, u64) {
    (b, a)
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let function = core::hint::black_box(pair as fn(u64, u64) -> (u64, u64));
    let (a, b) = function(word(c, 0), word(c, 1));
    a ^ b
}";
    refused("wide_result", source, DiagnosticKind::WideReturn, "pair", 2);
}

#[test]
fn addresses_in_a_static() {
    let source = "
static NAMES: [&str; 2] = [\"a\", \"bc\"];
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let names: &[&str; 2] =
        core::hint::black_box(&NAMES);
    names[(word(c, 0) & 1) as usize].len() as u64
}";
    refused(
        "addresses_in_a_static",
        source,
        DiagnosticKind::Addresses,
        "program",
        5,
    );
}

#[test]
fn addresses_in_a_variable() {
    let source = "
static mut NAME: &str = \"a\";
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    unsafe { match word(c, 0) { 1 => NAME = \"bc\", 2 => NAME = \"def\", _ => {} } }
    unsafe { (&raw const NAME).read().as_ptr().read().into() }
}";
    refused(
        "addresses_in_a_variable",
        source,
        DiagnosticKind::Addresses,
        "program",
        4,
    );
}

#[test]
fn recursion() {
    let source = "
#[inline(never)]
fn deep(a: u64) -> u64 {
    if a < 2 { a } else {
        deep(a - 1).wrapping_mul(deep(a - 2))
    }
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 { deep(word(c, 0)) }";
    refused("recursion", source, DiagnosticKind::Recursion, "deep", 4);
}

#[test]
fn panic_in_a_recursion() {
    let source = "
#[inline(never)]
fn deep(a: u64, values: &[u64; 4]) -> u64 {
    if a == 0 { 0 } else { deep(a - 1, values) ^ deep(a / 3, values).wrapping_mul(values[a as usize]) }
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 { deep(word(c, 0), &[word(c, 1); 4]) }";
    refused(
        "panic_in_a_recursion",
        source,
        DiagnosticKind::Recursion,
        "deep",
        3,
    );
}

const PANICS: &str = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let values = [word(c, 1); 4];
    values[word(c, 0) as usize]
}";

#[test]
fn panics_can_be_listed_and_refused() {
    let test = "panics_can_be_listed_and_refused";
    let mut options = Options::default();
    let Some(result) = link_source(test, PANICS, &options) else {
        return;
    };
    assert_eq!(result.expect("panics leave the program"), []);
    options.panics = Panics::List;
    let listed = link_source(test, PANICS, &options)
        .expect("as before")
        .expect("as before");
    let lines: Vec<_> = listed
        .iter()
        .filter_map(|each| each.location.as_ref().map(|place| place.line))
        .collect();
    assert_eq!(lines, [FIRST + 4]);
    options.panics = Panics::Refuse;
    let refused = link_source(test, PANICS, &options).expect("as before");
    let Err(Error::Program(found)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(found, listed);
}

/// A stack frame beyond 512 bytes is found by LLVM's code generator.
#[test]
fn too_much_stack() {
    let source = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let mut values = [0u64; 100];
    values[(word(c, 0) % 100) as usize] = 1;
    core::hint::black_box(&mut values);
    values[(word(c, 1) % 100) as usize]
}";
    let Some(result) = link_source("too_much_stack", source, &Options::default()) else {
        return;
    };
    let Err(Error::Program(found)) = result else {
        panic!("{result:?}")
    };
    let stack = found
        .iter()
        .find(|each| each.kind == DiagnosticKind::Stack)
        .expect("a finding");
    assert_eq!(stack.function, "program");
    assert!(stack.to_string().contains("stack"), "{stack}");
}

#[test]
fn a_missing_or_foreign_input() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let options = Options::default();
    let missing = link(
        &[directory.join("nothing-there.bc")],
        &directory.join("x.o"),
        &options,
    );
    assert!(matches!(missing, Err(Error::Read { .. })), "{missing:?}");
    let text = directory.join("text.bc");
    fs::write(&text, "no bitcode").expect("a file");
    let foreign = link(&[text], &directory.join("x.o"), &options);
    assert!(
        matches!(foreign, Err(Error::BadInput { .. })),
        "{foreign:?}"
    );
    let broken = directory.join("broken.bc");
    fs::write(
        &broken,
        b"BC\xc0\xde\x35\x14\0\0garbage that is no bitcode at all",
    )
    .expect("a file");
    let broken = link(&[broken], &directory.join("x.o"), &options);
    assert!(
        matches!(broken, Err(Error::Llvm { .. } | Error::Crash(_))),
        "{broken:?}"
    );
}

#[test]
fn no_library_and_a_wrong_one() {
    let test = "no_library_and_a_wrong_one";
    let Some(bitcode) = bitcode(test, PANICS) else {
        return;
    };
    let output = bitcode.with_extension("o");
    let mut options = Options {
        llvm: Some(PathBuf::from("/nowhere/libLLVM.so.22.1")),
        ..Options::default()
    };
    let missing = link(std::slice::from_ref(&bitcode), &output, &options);
    assert!(
        matches!(missing, Err(Error::LlvmUnusable { .. })),
        "{missing:?}"
    );
    let old = Path::new("/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1");
    if !old.exists() {
        skip(test, "no LLVM 19");
        return;
    }
    options.llvm = Some(old.to_owned());
    let wrong = link(&[bitcode], &output, &options);
    let Err(error @ Error::LlvmUnsupported { major: 19, .. }) = wrong else {
        panic!("{wrong:?}")
    };
    assert!(error.to_string().contains("rustup update"), "{error}");
}

#[test]
fn bitcode_of_another_llvm() {
    let test = "bitcode_of_another_llvm";
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&directory).expect("a directory");
    let bitcode = directory.join("old.bc");
    fs::write(directory.join("old.c"), "int f(void) { return 1; }").expect("the source");
    let compiled = Command::new("clang-19")
        .current_dir(&directory)
        .args([
            "-target",
            "bpf",
            "-c",
            "-emit-llvm",
            "old.c",
            "-o",
            "old.bc",
        ])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        skip(test, "no clang 19");
        return;
    }
    let result = link(&[bitcode], &directory.join("old.o"), &Options::default());
    let Err(error @ Error::VersionMismatch { major: 22, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(
        error.to_string().contains("19") && error.to_string().contains("AYA_TOOLCHAIN"),
        "{error}"
    );
}

/// LLVM ends the process on an unknown CPU option or an operation it has no code for; that must be
/// an error here.
#[test]
fn fatal_errors_come_back() {
    let source = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut core::sync::atomic::AtomicU8) -> u64 {
    unsafe { (*c).fetch_max(7, core::sync::atomic::Ordering::SeqCst).into() }
}";
    let Some(result) = link_source("fatal_errors_come_back", source, &Options::default()) else {
        return;
    };
    let Err(Error::Program(found)) = result else {
        panic!("{result:?}")
    };
    let shown = found.first().map(ToString::to_string).unwrap_or_default();
    assert!(shown.starts_with("program: main.rs:10: "), "{shown}");
}
