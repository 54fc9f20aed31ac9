//! Compilers for what the tests generate.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    env, fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// How programs take the bindings in: the documents' attribute, and nothing more.
pub(crate) const MODULE: &str = "
#[allow(
clippy::all,
dead_code,
improper_ctypes_definitions,
non_camel_case_types,
non_snake_case,
non_upper_case_globals,
unnecessary_transmutes,
unsafe_op_in_unsafe_fn,
)]
#[rustfmt::skip]
mod vmlinux;
";

/// Says loudly that `test` cannot run here.
pub(crate) fn skip(test: &str, reason: &str) {
    // Straight to the file descriptor: the test harness swallows `eprintln!` of tests that pass.
    let _ = io::stderr().write_all(format!("SKIP: {test}: {reason}\n").as_bytes());
}

/// An empty folder of that name.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

/// Compiles `main.rs` of a folder, every warning an error.
pub(crate) fn rustc(folder: &Path, arguments: &[&str]) {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["main.rs", "-Dwarnings"]).args(arguments);
    expect_success(&output(command.current_dir(folder)));
}

/// Compiles `main.rs` of a folder as a library for eBPF machines, every warning an error. `None` without
/// the source of Rust's libraries.
pub(crate) fn rustc_for_ebpf(folder: &Path, edition: &str) -> Option<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]));
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    if !source.is_dir() {
        return None;
    }
    let manifest = format!(
        "[workspace]\n[package]\nname = \"bindings\"\nedition = \"{edition}\"\n\
         [lib]\npath = \"main.rs\"\n[profile.release]\ndebug-assertions = true\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let target = folder.with_file_name("ebpf-target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["check", "--quiet", "--release", "-Zbuild-std=core"])
        .args(["--target", "bpfel-unknown-none"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Dwarnings")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    expect_success(&output(&mut cargo));
    Some(())
}

/// Compiles C. `None` without clang.
pub(crate) fn clang(folder: &Path, arguments: &[&str]) -> Option<()> {
    let mut command = ["clang-19", "clang"].into_iter().find_map(|clang| {
        let found = Command::new(clang)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        found.is_ok().then(|| Command::new(clang))
    })?;
    expect_success(&output(command.args(arguments).current_dir(folder)));
    Some(())
}

/// What a program that was compiled in a folder prints.
pub(crate) fn printed(folder: &Path, program: &str) -> String {
    let output = output(&mut Command::new(folder.join(program)));
    expect_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn expect_success(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
