//! Runs cargo for the eBPF package.

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, anyhow, bail};
use tinyjson::JsonValue;

use crate::Package;
use crate::toolchain::{Mode, Setup};

/// The profile of eBPF code, whatever the workspace's own says.
const PROFILE: &[(&str, &str)] = &[
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("PANIC", "abort"),
    ("OPT_LEVEL", "3"),
    ("DEBUG", "2"),
    ("STRIP", "none"),
    ("INCREMENTAL", "false"),
];

/// Variables that the outer cargo and the user meant for user space.
fn is_for_user_space(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    const PREFIXES: &[&str] = &[
        "CARGO_BUILD_",
        "CARGO_TARGET_",
        "CARGO_PROFILE_",
        "CARGO_UNSTABLE_",
    ];
    const NAMES: &[&str] = &[
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC",
        "RUSTDOC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTC_BOOTSTRAP",
        "__CARGO_FIX_PLZ",
        "CLIPPY_ARGS",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn cargo(setup: &Setup) -> Command {
    let mut command = Command::new(&setup.cargo);
    for (name, _) in env::vars_os() {
        if is_for_user_space(&name) {
            command.env_remove(name);
        }
    }
    command.env("RUSTC", &setup.compiler.rustc);
    if let Some(name) = &setup.name {
        command.env("RUSTUP_TOOLCHAIN", name);
    }
    command
}

fn run(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .output()
        .with_context(|| format!("{program}: cannot be run; check the toolchain"))
}

/// The names of the package's binaries.
pub(crate) fn binaries(setup: &Setup, manifest: &Path, package: &str) -> Result<Vec<String>> {
    let mut command = cargo(setup);
    command
        .args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--manifest-path",
        ])
        .arg(manifest);
    let output = run(&mut command)?;
    if !output.status.success() {
        bail!(
            "{}: cargo metadata: {}",
            manifest.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let json: JsonValue = String::from_utf8_lossy(&output.stdout)
        .parse()
        .map_err(|error| anyhow!("{}: cargo metadata: {error}", manifest.display()))?;
    binaries_in(&json, package).with_context(|| {
        format!(
            "{}: no package {package} there; check `root_dir` and `name`",
            manifest.display()
        )
    })
}

fn binaries_in(json: &JsonValue, package: &str) -> Option<Vec<String>> {
    let object = |value: &JsonValue| value.get::<HashMap<String, JsonValue>>().cloned();
    let list = |value: Option<&JsonValue>| {
        value
            .and_then(|value| value.get::<Vec<JsonValue>>())
            .cloned()
    };
    let text = |value: Option<&JsonValue>| value.and_then(|value| value.get::<String>()).cloned();
    let packages = list(object(json)?.get("packages"))?;
    let package = packages
        .iter()
        .filter_map(object)
        .find(|each| text(each.get("name")).as_deref() == Some(package))?;
    let targets = list(package.get("targets"))?;
    let binaries = targets.iter().filter_map(object).filter(|target| {
        list(target.get("kind"))
            .unwrap_or_default()
            .iter()
            .any(|kind| kind.get::<String>().is_some_and(|kind| kind == "bin"))
    });
    Some(
        binaries
            .filter_map(|target| text(target.get("name")))
            .collect(),
    )
}

/// Compiles one binary to bitcode; gives the file and what rustc warns of.
pub(crate) fn compile(
    setup: &Setup,
    manifest: &Path,
    package: &Package<'_>,
    binary: &str,
    out: &Path,
) -> Result<(PathBuf, Vec<String>)> {
    let target_dir = target_directory(out, setup);
    // it lives and dies with what cargo knows about it, so it is not put into `out`
    let bitcode = target_dir
        .join("bitcode")
        .join(format!("{binary}-{:016x}.bc", fingerprint(out, package)));
    std::fs::create_dir_all(target_dir.join("bitcode")).with_context(|| {
        format!(
            "{}: cannot be created; check its permissions",
            target_dir.display()
        )
    })?;
    let mut command = cargo(setup);
    command.args([
        "rustc",
        "--quiet",
        "--release",
        "--package",
        package.name,
        "--bin",
        binary,
    ]);
    command
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target")
        .arg(setup.target());
    command.arg("--target-dir").arg(&target_dir);
    if package.no_default_features {
        command.arg("--no-default-features");
    }
    if !package.features.is_empty() {
        command.arg("--features").arg(package.features.join(","));
    }
    if setup.mode == Mode::Native {
        command
            .args(["-Z", "build-std=core"])
            .env("RUSTC_BOOTSTRAP", "1");
    }
    for (name, value) in PROFILE {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", crate::rustc_flags().join("\x1f"));
    command
        .arg("--")
        .arg(format!("--emit=llvm-bc={}", bitcode.display()))
        // what cargo takes for the program is bitcode too: no code for the host is generated, which
        // would be wasted, and refused where a function has the name of its own section
        .arg("-Clinker-plugin-lto");
    let output = run(&mut command)?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprint!("{messages}");
        bail!("{binary}: rustc refused the source; its errors are above");
    }
    if !bitcode.is_file() {
        bail!(
            "{}: rustc left no bitcode; remove {} and build again",
            bitcode.display(),
            target_dir.display()
        );
    }
    watch(
        &target_dir
            .join(setup.target())
            .join("release")
            .join(format!("{binary}.d")),
    );
    Ok((bitcode, messages.lines().map(str::to_owned).collect()))
}

/// One directory for all eBPF crates of the build, next to cargo's own: what they share is compiled
/// once. `out` is `<target>/[<triple>/]<profile>/build/<package>/out`.
fn target_directory(out: &Path, setup: &Setup) -> PathBuf {
    let profile = out.ancestors().nth(3);
    let base = profile
        .filter(|_| out.ancestors().nth(2).and_then(Path::file_name) == Some(OsStr::new("build")));
    let mode = match setup.mode {
        Mode::Donor => "donor",
        Mode::Native => "native",
    };
    base.unwrap_or(out).join("aya-ebpf").join(mode)
}

/// Tells apart what would be the same file: other features, another build script.
fn fingerprint(out: &Path, package: &Package<'_>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (out, package.features, package.no_default_features).hash(&mut hasher);
    hasher.finish()
}

/// Makes cargo run the build script again when a source of the binary changes: its own files and
/// those of its path dependencies, which cargo lists in a dependency file.
fn watch(dependency_file: &Path) {
    let Ok(text) = std::fs::read_to_string(dependency_file) else {
        return;
    };
    let mut files = BTreeSet::new();
    for line in text.lines() {
        let Some((_, sources)) = line.split_once(": ") else {
            continue;
        };
        // spaces inside of names are escaped
        for source in sources.replace("\\ ", "\0").split(' ') {
            let source = PathBuf::from(source.replace('\0', " "));
            let manifest = source
                .ancestors()
                .map(|place| place.join("Cargo.toml"))
                .find(|path| path.is_file());
            files.extend(manifest);
            files.insert(source);
        }
    }
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_of_a_package() {
        let json = r#"{"packages":[{"name":"a","targets":[{"kind":["lib"],"name":"a"},{"kind":["bin"],"name":"x"}]}]}"#;
        let json: JsonValue = json.parse().expect("valid");
        assert_eq!(binaries_in(&json, "a"), Some(vec!["x".to_owned()]));
        assert_eq!(binaries_in(&json, "b"), None);
    }

    #[test]
    fn settings_for_user_space_stay_there() {
        assert!(is_for_user_space(OsStr::new("RUSTFLAGS")));
        assert!(is_for_user_space(OsStr::new("CARGO_PROFILE_RELEASE_DEBUG")));
        assert!(!is_for_user_space(OsStr::new("CARGO_HOME")));
    }
}
