//! What must compile and what must not.
//!
//! `right/` holds programs that compile, `wrong/` programs that do not: their first lines,
//! `//~ text`, say what the compiler's message must contain. Where the seed programs are at hand
//! (`AYA_SEEDS`, or `../shared/seed-programs` beside the repository), those whose types are supported are treated alike.
//!
//! All programs of a kind are binaries of one generated package, so that the compiler runs once per
//! program and edition, with the flags that `aya-build` gives.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// A generated package: its name, edition and what its programs depend on.
struct Package {
    name: String,
    edition: &'static str,
    dependencies: String,
    programs: BTreeMap<String, PathBuf>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The programs in a folder of this test.
fn programs(folder: &str) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)
        })
        .collect()
}

/// The seed programs' folder, if this machine has it.
fn seeds(test: &str) -> Option<PathBuf> {
    let folder = match env::var_os("AYA_SEEDS") {
        Some(folder) => PathBuf::from(folder),
        None => workspace()
            .ancestors()
            .skip(1)
            .map(|above| above.join("shared/seed-programs"))
            .find(|folder| folder.is_dir())
            .unwrap_or_default(),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    let message = format!("SKIP: {test}: no seed programs; set AYA_SEEDS to their folder\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    None
}

fn seed_programs(folder: &Path, names: &[&str]) -> BTreeMap<String, PathBuf> {
    names
        .iter()
        .map(|name| (format!("seed-{name}"), folder.join(name).join("ebpf.rs")))
        .collect()
}

/// What programs for the crate's present name depend on.
fn dependencies() -> String {
    let root = workspace();
    format!(
        "aya-ebpf = {{ path = {:?} }}\naya-log-ebpf = {{ path = {:?} }}\nnetwork-types = \"0.1\"\n",
        root.join("ebpf/aya-ebpf"),
        root.join("log/aya-log-ebpf"),
    )
}

/// Writes the packages as a workspace and has cargo `check` or `build` them all. Returns what the compiler
/// says, one line per message.
fn compile(command: &str, test: &str, packages: &[Package]) -> (bool, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let members: Vec<_> = packages.iter().map(|package| &package.name).collect();
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n[profile.dev]\npanic = \"abort\"\n"
    );
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for package in packages {
        let mut manifest = format!(
            "[package]\nname = {:?}\nversion = \"0.0.0\"\nedition = {:?}\n[dependencies]\n{}",
            package.name, package.edition, package.dependencies
        );
        for (name, path) in &package.programs {
            let name = format!("{}-{name}", package.name);
            manifest += &format!("[[bin]]\nname = {name:?}\npath = {path:?}\ntest = false\n");
        }
        let root = folder.join(&package.name);
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args([command, "--bins", "--offline", "--keep-going"])
        .args(["--quiet", "--message-format", "short"])
        .current_dir(&folder)
        // All tests share what their programs depend on.
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-target"),
        )
        .env(
            "RUSTFLAGS",
            "--cfg aya_ebpf --cfg bpf_target_arch=\"x86_64\"",
        )
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), messages)
}

/// One package per edition.
fn editions(
    name: &str,
    dependencies: &str,
    programs: &BTreeMap<String, PathBuf>,
) -> impl Iterator<Item = Package> {
    ["2021", "2024"].into_iter().map(move |edition| Package {
        name: format!("{name}-{edition}"),
        edition,
        dependencies: dependencies.to_owned(),
        programs: programs.clone(),
    })
}

#[test]
fn right_programs_compile() {
    let packages: Vec<_> = editions("right", &dependencies(), &programs("right")).collect();
    let (success, messages) = compile("check", "right", &packages);
    assert!(success && !messages.contains("warning"), "{messages}");
}

#[test]
fn seed_programs_compile() {
    let Some(seeds) = seeds("seed_programs_compile") else {
        return;
    };
    let old = format!(
        "aya-bpf = {{ path = {:?} }}\n",
        workspace().join("ebpf/aya-bpf")
    );
    let names = [
        "simple-xdp-program",
        "tc-egress",
        "xdp-drop",
        "xdp-hello",
        "xdp-log",
    ];
    let packages: Vec<_> = editions("seeds", &dependencies(), &seed_programs(&seeds, &names))
        .chain(editions(
            "old",
            &old,
            &seed_programs(&seeds, &["old-myapp"]),
        ))
        .collect();
    let (success, messages) = compile("check", "seeds", &packages);
    assert!(success, "{messages}");
}

/// What a wrong program's first lines say about the compiler's message.
fn expected(program: &Path) -> Vec<String> {
    let text = fs::read_to_string(program).unwrap();
    text.lines()
        .map_while(|line| line.strip_prefix("//~ "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn wrong_programs_do_not_compile_and_the_message_says_why() {
    let mut programs = programs("wrong");
    let mut wanted: Vec<_> = programs
        .values()
        .map(|path| (path.clone(), expected(path)))
        .collect();
    if let Some(seeds) = seeds("wrong_programs: type-safety") {
        let seed = seed_programs(&seeds, &["type-safety"]);
        wanted.extend(seed.values().map(|path| {
            (
                path.clone(),
                vec!["XdpContext".into(), "SkBuffContext".into()],
            )
        }));
        programs.extend(seed);
    }
    let packages: Vec<_> = editions("wrong", &dependencies(), &programs).collect();
    // What a type parameter must hold is known where code is made for it, which checks do not do.
    let (_, messages) = compile("build", "wrong", &packages);
    for package in &packages {
        for name in programs.keys() {
            let failure = format!("(bin \"{}-{name}\") due to", package.name);
            assert!(messages.contains(&failure), "{name} compiles:\n{messages}");
        }
    }
    for (path, wanted) in wanted {
        let path = path.to_str().unwrap();
        // Those that come with the code are at the library's assertion.
        let errors: Vec<_> = messages
            .lines()
            .filter(|line| line.starts_with(path) || !line.contains("/tests/wrong/"))
            .filter(|line| line.contains(": error"))
            .collect();
        assert!(!wanted.is_empty(), "{path} says nothing about its message");
        for text in wanted {
            assert!(
                errors.iter().any(|error| error.contains(&text)),
                "{path}: no error says `{text}`:\n{errors:#?}"
            );
        }
    }
}
