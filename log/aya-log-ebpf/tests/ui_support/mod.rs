//! What the compiler says: for tests of mistakes that it, and not a macro, refuses.

use std::{env, io::Write as _, process::Command};

/// Holds what the compiler says about the programs `files` to the texts beside them. Such words change
/// from version to version, so this asks for the version that they are of.
pub(crate) fn refused(test: &str, files: &str) {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    if version.starts_with("rustc 1.95.") {
        trybuild::TestCases::new().compile_fail(files);
    } else {
        let version = version.trim();
        let line = format!("SKIP: {test}: the words expected are 1.95's, this is {version}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}
