//! What the tests on the machine's own kernel need: objects compiled by clang, and a network
//! namespace of their own.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod builder;

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Says on the real standard error that a test did not run.
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("SKIP: {test}: {reason}\n");
    // libtest captures `eprintln!`, and a skipped test must not look like one that ran.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// An object that holds what `tests/objects/NAME.c` says; `None` without a compiler for eBPF.
pub(crate) fn object(name: &str) -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/objects/{name}.c"));
    let output = scratch().join(format!("{name}-{}.o", unique()));
    let compilers = [
        "clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-14",
    ];
    let compiler = compilers.into_iter().find(|compiler| {
        let version = Command::new(compiler).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    })?;
    let compiled = Command::new(compiler)
        .args(["-target", "bpf", "-g", "-O2", "-Wall", "-Werror", "-c"])
        .arg(&source)
        .arg("-o")
        .arg(&output)
        .status()
        .expect("the compiler ran a moment ago");
    assert!(compiled.success(), "{} does not compile", source.display());
    let bytes = fs::read(&output).expect("the compiler wrote it");
    fs::remove_file(&output).expect("it is ours");
    Some(bytes)
}

/// Whether the process is root in the initial user namespace, with bpf(2) to use.
pub(crate) fn root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("CapEff:"));
    let effective = line.and_then(|line| u64::from_str_radix(line[7..].trim(), 16).ok());
    // CAP_NET_ADMIN (12) and CAP_SYS_ADMIN (21).
    effective.is_some_and(|set| set & (1 << 12) != 0 && set & (1 << 21) != 0)
}

/// Runs the test `name` again in network and mount namespaces of its own, with the interfaces
/// `v0` and `v1` joined by a cable and a BPF file system at [`bpffs`]. True in there, where the
/// test goes on; outside, the test is over when this returns.
pub(crate) fn isolated(name: &str) -> bool {
    if env::var_os("AYA_TEST_ISOLATED").is_some() {
        return true;
    }
    if !root() {
        skip(name, "needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)");
        return false;
    }
    let directory = scratch().join(format!("bpffs-{}", unique()));
    fs::create_dir_all(&directory).expect("the target directory is ours");
    let script = "ip link add v0 type veth peer name v1 && ip link set v0 up && \
                  ip link set v1 up && mount -t bpf bpf \"$0\" || exit 77; exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--", "sh", "-c", script])
        .arg(&directory)
        .arg(env::current_exe().expect("the test's own executable"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("AYA_TEST_ISOLATED", &directory)
        .output();
    let _ = fs::remove_dir(&directory);
    match output {
        Err(error) => skip(name, &format!("unshare: {error}")),
        Ok(output) if output.status.code() == Some(77) => {
            let why = String::from_utf8_lossy(&output.stderr)
                .trim()
                .replace('\n', "; ");
            skip(
                name,
                &format!("no network namespace with interfaces: {why}"),
            );
        }
        Ok(output) => {
            // What the inner test skipped must be seen, too.
            let _ = std::io::stderr().write_all(&output.stderr);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "in its namespace, {name} fails:\n{text}"
            );
            assert!(text.contains("1 passed"), "{name} did not run:\n{text}");
        }
    }
    false
}

/// The test's own BPF file system.
pub(crate) fn bpffs() -> PathBuf {
    env::var_os("AYA_TEST_ISOLATED")
        .map(PathBuf::from)
        .expect("in `isolated` only")
}

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Holds an error to the rules of messages: it begins with the name of what it is about, ends with
/// what to do, has one line, and nothing is said twice along its chain.
#[track_caller]
pub(crate) fn reads(error: &dyn std::error::Error, begins: &str, ends: &str) {
    let chain: Vec<String> = std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect();
    println!("{}", chain.join(": "));
    let text = &chain[0];
    assert!(text.starts_with(begins), "`{text}` begins with `{begins}`");
    assert!(text.ends_with(ends), "`{text}` ends with `{ends}`");
    assert!(!chain.join("").contains('\n'), "one line: {chain:?}");
    for (at, said) in chain.iter().enumerate() {
        let again = chain[at + 1..].iter().find(|later| said.contains(*later));
        assert_eq!(again, None, "twice in {chain:?}");
    }
}
