//! What users get wrong: each answer names the thing and says what to do.

mod common;

use std::{
    error::Error as _,
    fs,
    process::{Command, Output, Stdio},
};

use aya_obj::{
    Endianness,
    btf::{Btf, Kind, TypeId},
};
use aya_tool::{Error, generate};
use common::folder;

/// A file with one type, `task_struct`.
fn types(name: &str) -> std::path::PathBuf {
    let mut btf = Btf::new();
    let name_of_type = btf.intern("task_struct");
    btf.add(name_of_type, Kind::Typedef(TypeId::VOID));
    let path = folder(name).join("types.btf");
    fs::write(&path, btf.write(Endianness::Little).unwrap()).unwrap();
    path
}

fn aya_tool(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aya-tool"));
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn unknown_types_come_with_close_names() {
    let path = types("unknown");
    let error = generate(&path, &["task_strcut"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`task_strcut`: no struct, union, enum or typedef of that name; did you mean `task_struct`?"
    );
    let error = generate(&path, &["task_struct", "inode"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`inode`: no struct, union, enum or typedef of that name; check the spelling, and that this kernel has it"
    );
    assert!(matches!(generate(&path, &[""]), Err(Error::Unknown { .. })));
    assert!(matches!(generate(&path, &[""; 0]), Err(Error::NoNames)));
}

#[test]
fn files_without_types_are_named() {
    let folder = folder("files");
    let missing = folder.join("missing");
    let error = generate(&missing, &["x"]).unwrap_err();
    let begin = format!("{}: no such file: ", missing.display());
    assert!(error.to_string().starts_with(&begin), "{error}");

    let error = generate(&folder, &["x"]).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    assert!(error.source().is_some());

    let file = folder.join("file");
    for content in [&b""[..], b"nonsense", &[0x9f, 0xeb, 1, 0]] {
        fs::write(&file, content).unwrap();
        let error = generate(&file, &["x"]).unwrap_err();
        let expected = format!("{}: malformed BTF: is it the right file?", file.display());
        assert_eq!(error.to_string(), expected);
        assert!(error.source().is_some());
    }
    // This test program is an ELF file without that section.
    let error = generate(std::env::current_exe().unwrap(), &["x"]).unwrap_err();
    assert!(error.to_string().contains("section `.BTF`"), "{error}");
}

#[test]
fn the_command_writes_bindings() {
    let path = types("command");
    let path = path.to_str().unwrap();
    let output = aya_tool(&["generate", "--btf", path, "task_struct"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let printed = text(&output.stdout);
    assert!(printed.contains("pub type task_struct = ::core::ffi::c_void;"));

    let file = folder("command-output").join("vmlinux.rs");
    let to = file.to_str().unwrap();
    let output = aya_tool(&["generate", "task_struct", "--btf", path, "-o", to]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);

    // A failure leaves the file as it was.
    let output = aya_tool(&["generate", "tusk_struct", "--btf", path, "--output", to]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("aya-tool: `tusk_struct`: "));
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
}

#[test]
fn the_command_explains_itself() {
    for (arguments, expected) in [
        (&[][..], "Usage: aya-tool"),
        (&["generate"], "<TYPE>..."),
        (&["generate", "--bft", "x", "y"], "'--bft'"),
    ] {
        let output = aya_tool(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(expected), "{output:?}");
    }
    let output = aya_tool(&["help"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("Generate Rust bindings to kernel types"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let path = types("pipe");
    let mut command = Command::new(env!("CARGO_BIN_EXE_aya-tool"));
    command.args(["generate", "task_struct", "--btf"]).arg(path);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
