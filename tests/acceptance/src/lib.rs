//! Builds users' programs the way users build them: a cargo workspace of their own that depends on
//! this project's crates by path. The sources are read where they are and never copied.

use std::{
    env, fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The root of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of programs that documents about Aya print, where this machine has it: `AYA_SEEDS`, else
/// `shared/seed-programs` beside the repository.
pub fn seeds() -> Option<PathBuf> {
    let folder = env::var_os("AYA_SEEDS").map_or_else(
        || repository().join("../shared/seed-programs"),
        PathBuf::from,
    );
    folder.canonicalize().ok().filter(|folder| folder.is_dir())
}

/// Says loudly that `test` cannot run here.
pub fn skip(test: &str, reason: &str) {
    // Straight to the file descriptor: the test harness swallows `eprintln!` of tests that pass.
    let _ = io::stderr().write_all(format!("SKIP: {test}: {reason}\n").as_bytes());
}

/// A program of two halves, as users keep them.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The name of the package, of the object and of the folder below [`seeds`].
    pub name: &'a str,
    /// Whether there is a user-space half.
    pub user: bool,
}

impl<'a> Program<'a> {
    /// A program with both halves.
    #[must_use]
    pub const fn with_user(name: &'a str) -> Self {
        Self { name, user: true }
    }

    /// A program of which only the eBPF half exists.
    #[must_use]
    pub const fn ebpf_only(name: &'a str) -> Self {
        Self { name, user: false }
    }
}

/// A cargo workspace below the target directory that builds [`Program`]s in one edition and one mode.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    mode: &'static str,
}

impl Workspace {
    /// Writes the manifests and build scripts of `programs`, whose sources are below `sources`, into
    /// folders below `base`.
    pub fn generate(
        base: &Path,
        sources: &Path,
        edition: &str,
        mode: &'static str,
        programs: &[Program<'_>],
    ) -> io::Result<Self> {
        let root = base.join(format!("seeds-{edition}-{mode}"));
        let mut members = String::new();
        for program in programs {
            let Program { name, user } = *program;
            members += &format!("\"{name}-ebpf\", ");
            write_ebpf(&root, sources, edition, name)?;
            if user {
                members += &format!("\"{name}\", ");
                write_user(&root, sources, edition, name)?;
            }
        }
        write(
            &root.join("Cargo.toml"),
            &format!(
                "[workspace]\nresolver = \"2\"\nmembers = [{members}]\n\
                 [profile.dev]\npanic = \"abort\"\n[profile.release]\npanic = \"abort\"\n"
            ),
        )?;
        // The lock file pins what is already on the machine, so that no second copy is resolved.
        let lock = root.join("Cargo.lock");
        if !lock.exists() {
            fs::copy(repository().join("Cargo.lock"), lock)?;
        }
        // Both editions share the user-space dependencies, which are most of the work.
        let target = base.join("seeds-target");
        Ok(Self { root, target, mode })
    }

    /// Runs `cargo build` for one package; the output holds what cargo said.
    pub fn build(&self, package: &str) -> io::Result<Output> {
        Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(&self.root)
            .args(["build", "--package", package])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("AYA_EBPF_MODE", self.mode)
            .env_remove("RUSTFLAGS")
            .output()
    }

    /// Where [`Workspace::build`] leaves a binary.
    pub fn binary(&self, package: &str) -> PathBuf {
        self.target.join("debug").join(package)
    }

    /// The newest object that the build script of `package` made.
    pub fn object(&self, package: &str) -> Option<PathBuf> {
        let prefix = format!("{package}-");
        fs::read_dir(self.target.join("debug/build"))
            .ok()?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path().join("out").join(package))
            .filter(|path| path.is_file())
            .max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok())
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // An unchanged file keeps its time, so that cargo does not build again.
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

fn write_ebpf(root: &Path, sources: &Path, edition: &str, name: &str) -> io::Result<()> {
    let repository = repository().canonicalize()?;
    let repository = repository.display();
    let source = sources.join(name).join("ebpf.rs");
    write(
        &root.join(format!("{name}-ebpf/Cargo.toml")),
        &format!(
            "[package]\nname = \"{name}-ebpf\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n\
             [dependencies]\naya-ebpf = {{ path = \"{repository}/ebpf/aya-ebpf\" }}\n\
             aya-bpf = {{ path = \"{repository}/ebpf/aya-bpf\" }}\n\
             aya-log-ebpf = {{ path = \"{repository}/log/aya-log-ebpf\" }}\n\
             network-types = \"0.1\"\n\
             [[bin]]\nname = \"{name}\"\npath = \"{}\"\ntest = false\nbench = false\n",
            source.display()
        ),
    )
}

fn write_user(root: &Path, sources: &Path, edition: &str, name: &str) -> io::Result<()> {
    let repository = repository().canonicalize()?;
    let repository = repository.display();
    let source = sources.join(name).join("user.rs");
    write(
        &root.join(format!("{name}/Cargo.toml")),
        &format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n\
             [dependencies]\nanyhow = \"1\"\naya = {{ path = \"{repository}/user/aya\" }}\n\
             aya-log = {{ path = \"{repository}/log/aya-log\" }}\n\
             clap = {{ version = \"4\", features = [\"derive\"] }}\nenv_logger = \"0.11\"\nlog = \"0.4\"\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\", \"signal\", \"time\"] }}\n\
             [build-dependencies]\naya-build = {{ path = \"{repository}/build/aya-build\" }}\n\
             [[bin]]\nname = \"{name}\"\npath = \"{}\"\n",
            source.display()
        ),
    )?;
    write(
        &root.join(format!("{name}/build.rs")),
        &format!(
            "fn main() {{\n    aya_build::build_ebpf(\n        [aya_build::Package {{\n            \
             name: \"{name}-ebpf\",\n            root_dir: concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../{name}-ebpf\"),\n            \
             ..Default::default()\n        }}],\n        aya_build::Toolchain::default(),\n    )\n    .unwrap();\n}}\n"
        ),
    )
}
