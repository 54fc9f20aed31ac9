//! Without `aya-build`: cargo compiles for `bpfel-unknown-none`, and calls the linker as a program.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::skip;
use object::{Object, ObjectSection, ObjectSymbol};

const SOURCE: &str = "#![no_std]
#![no_main]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
#[unsafe(no_mangle)] #[unsafe(link_section = \"license\")]
static LICENSE: [u8; 4] = *b\"GPL\\0\";
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn pass(context: *mut u32) -> u32 {
    let values = [1, 2, 3];
    values[unsafe { *context } as usize]
}
";

/// A compiler with the source of `core`.
fn compiler() -> Option<PathBuf> {
    ["rustc", "/usr/bin/rustc"]
        .into_iter()
        .map(PathBuf::from)
        .find(|rustc| {
            let Ok(output) = Command::new(rustc).args(["--print", "sysroot"]).output() else {
                return false;
            };
            let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Path::new(&sysroot)
                .join("lib/rustlib/src/rust/library/core/Cargo.toml")
                .is_file()
        })
}

#[test]
fn cargo_calls_the_linker() {
    let test = "cargo_calls_the_linker";
    let Some(rustc) = compiler() else {
        skip(test, "no toolchain with rust-src");
        return;
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(directory.join("src")).expect("a directory");
    fs::write(directory.join("src/main.rs"), SOURCE).expect("the source");
    let manifest = "[package]\nname = \"direct\"\nedition = \"2024\"\n[workspace]\n\
        [profile.release]\npanic = \"abort\"\nlto = true\ncodegen-units = 1\ndebug = 2\n";
    fs::write(directory.join("Cargo.toml"), manifest).expect("the manifest");
    let output = Command::new("cargo")
        .current_dir(&directory)
        .args([
            "build",
            "--release",
            "--quiet",
            "--target",
            "bpfel-unknown-none",
            "-Z",
            "build-std=core",
        ])
        .args(["--target-dir", "target"])
        .env("RUSTC", rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env(
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER",
            env!("CARGO_BIN_EXE_aya-linker"),
        )
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let bytes =
        fs::read(directory.join("target/bpfel-unknown-none/release/direct")).expect("the object");
    let object = object::File::parse(bytes.as_slice()).expect("ELF");
    assert_eq!(object.architecture(), object::Architecture::Bpf);
    for section in ["xdp", "license", ".BTF", ".BTF.ext"] {
        assert!(
            object
                .section_by_name(section)
                .is_some_and(|section| section.size() > 0),
            "{section}"
        );
    }
    assert!(object.symbols().any(|symbol| symbol.name() == Ok("pass")));
}
