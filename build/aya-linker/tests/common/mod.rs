//! Compiling and linking small programs.
#![allow(dead_code, reason = "not each test uses everything")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use aya_linker::{Diagnostic, Error, Options, link};
use object::{Object as _, ObjectSection as _};

/// What all programs begin with: 6 lines, so that the given source begins in line 7.
const HEAD: &str = "#![no_std]
#![no_main]
#![allow(improper_ctypes_definitions, unconditional_recursion)]
#[panic_handler]
pub(crate) fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
#[inline(always)] fn word(context: *mut u64, index: usize) -> u64 { unsafe { *context.add(index) } }
";
/// The line that the given source begins in.
pub(crate) const FIRST: u32 = 7;

/// Says that a test does not run.
pub(crate) fn skip(test: &str, reason: &str) {
    let _ = std::io::stderr().write_all(format!("SKIP: {test}: {reason}\n").as_bytes());
}

/// Compiles a program for the host, as donor mode does.
pub(crate) fn bitcode(test: &str, source: &str) -> Option<PathBuf> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        skip(test, "donor mode was not tried on this host");
        return None;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("main.rs"), format!("{HEAD}{source}")).expect("the source");
    let output = Command::new("rustc")
        .current_dir(&directory)
        .args([
            "--edition=2024",
            "--crate-type=bin",
            "-Copt-level=3",
            "-Cpanic=abort",
            "-Clto=fat",
        ])
        .args([
            "-Ccodegen-units=1",
            "-Cdebuginfo=2",
            "-Clinker=true",
            "-Cno-prepopulate-passes",
            "-Clinker-plugin-lto",
        ])
        .args(["--emit=link,llvm-bc=main.bc", "main.rs"])
        .output()
        .expect("rustc");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(directory.join("main.bc"))
}

/// Compiles and links; gives the warnings, or `None` where it cannot be compiled.
pub(crate) fn link_source(
    test: &str,
    source: &str,
    options: &Options,
) -> Option<Result<Vec<Diagnostic>, Error>> {
    let bitcode = bitcode(test, source)?;
    let output = bitcode.with_extension("o");
    Some(link(&[bitcode], &output, options).map(|report| report.warnings))
}

/// Compiles and links a program that is fine, and gives the code of its section.
pub(crate) fn link_code(
    test: &str,
    source: &str,
    options: &Options,
    section: &str,
) -> Option<Vec<u8>> {
    link_source(test, source, options)?.expect("it links");
    let object = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(test)
        .join("main.o");
    let bytes = fs::read(object).expect("the object");
    let object = object::File::parse(bytes.as_slice()).expect("ELF");
    let program = object.section_by_name(section).expect("the program");
    Some(program.data().expect("code").to_vec())
}
