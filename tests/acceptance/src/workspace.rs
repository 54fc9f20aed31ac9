//! A cargo workspace per [`Variant`], all of them building into one target directory.

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    PROGRAMS, Program, Variant, kernel_types,
    programs::{REFUSED, User},
    repository,
};

/// Builds all programs in these variants. Their executables are in [`Built::folder`], static ones, so that
/// they also run where there is no library.
///
/// # Errors
/// What cargo says, when something does not compile.
pub fn build(base: &Path, sources: &Path, variant: Variant) -> Result<Built, String> {
    let programs: Vec<Program> = PROGRAMS
        .iter()
        .copied()
        .filter(|program| !(program.static_mut && variant.edition == "2024"))
        .collect();
    let name = variant.name();
    let say = |error: io::Error| format!("{name}: {error}");
    let workspace = Workspace::generate(base, "seeds", sources, variant, &programs)?;
    let output = workspace.cargo(&[]).map_err(say)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{name}:\n{said}"));
    }
    let folder = self::programs(base).join(&name);
    for program in programs {
        workspace.install(program, &folder).map_err(say)?;
    }
    Ok(Built { folder, said })
}

/// Where [`build`] puts the programs, a folder for each variant.
#[must_use]
pub fn programs(base: &Path) -> PathBuf {
    base.join("programs/seeds")
}

/// The programs of one variant.
#[derive(Debug)]
pub struct Built {
    /// Holds `NAME`, the executable, and `NAME.o`, the object that it embeds.
    pub folder: PathBuf,
    /// What the compiler said.
    pub said: String,
}

/// Compiles the program that must be refused.
///
/// # Errors
/// When cargo does not run.
pub fn refused(base: &Path, sources: &Path, variant: Variant) -> Result<Output, String> {
    let name = variant.name();
    let workspace = Workspace::generate(base, "refused", sources, variant, &[REFUSED])?;
    workspace
        .cargo(&["--package", &format!("{}-ebpf", REFUSED.name)])
        .map_err(|error| format!("{name}: {error}"))
}

#[derive(Debug)]
struct Workspace {
    root: PathBuf,
    target: PathBuf,
    variant: Variant,
}

/// The host's target, named, so that build scripts are not linked as the programs are.
fn target() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

/// One for all, so that what they share, which is most of the work, is compiled once.
pub(crate) fn target_dir(base: &Path) -> PathBuf {
    base.join("acceptance-target")
}

/// `cargo build` in a folder, for static executables.
pub(crate) fn cargo(folder: &Path, target_dir: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(folder)
        .args(["build", "--target", &target()])
        .env("CARGO_TARGET_DIR", target_dir)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// Where it leaves an executable.
pub(crate) fn binary(target_dir: &Path, name: &str) -> PathBuf {
    target_dir.join(target()).join("debug").join(name)
}

impl Workspace {
    fn generate(
        base: &Path,
        name: &str,
        sources: &Path,
        variant: Variant,
        programs: &[Program],
    ) -> Result<Self, String> {
        let workspace = Self {
            root: base.join(format!("{name}-{}", variant.name())),
            target: target_dir(base),
            variant,
        };
        for program in programs {
            workspace
                .write_program(sources, program)
                .map_err(|error| format!("{}: {error}", program.name))?;
        }
        workspace
            .write_root(programs)
            .map_err(|error| format!("{}: {error}", workspace.root.display()))?;
        Ok(workspace)
    }

    fn cargo(&self, words: &[&str]) -> io::Result<Output> {
        cargo(&self.root, &self.target)
            .args(words)
            .env("AYA_EBPF_MODE", self.variant.mode)
            .output()
    }

    /// The binaries of all variants have one name in the target directory, so they are taken from there.
    fn install(&self, program: Program, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let Program { name, .. } = program;
        fs::copy(binary(&self.target, name), folder.join(name))?;
        let object = format!("{name}.o");
        fs::copy(self.root.join(&object), folder.join(object))?;
        Ok(())
    }

    fn write_root(&self, programs: &[Program]) -> io::Result<()> {
        let quoted = |name: String| format!("\"{name}\", ");
        let ebpf = programs
            .iter()
            .map(|program| format!("{}-ebpf", program.name));
        let users = programs
            .iter()
            .filter(|program| program.user != User::Missing);
        let users: String = users
            .map(|program| quoted(program.name.to_owned()))
            .collect();
        write(
            &self.root.join("Cargo.toml"),
            &format!(
                "[workspace]\nresolver = \"2\"\nmembers = [{users}{ebpf}]\ndefault-members = [{users}]\n\
                 [profile.dev]\npanic = \"abort\"\n",
                ebpf = ebpf.map(quoted).collect::<String>(),
            ),
        )?;
        // The lock file pins what is already on the machine, so that no second copy is resolved.
        let lock = self.root.join("Cargo.lock");
        if !lock.exists() {
            fs::copy(repository()?.join("Cargo.lock"), lock)?;
        }
        Ok(())
    }

    fn write_program(&self, sources: &Path, program: &Program) -> io::Result<()> {
        let Program { name, .. } = *program;
        let mut common = String::new();
        if let Some((name, source)) = program.common {
            let folder = self.root.join(name);
            let manifest = self.manifest(name);
            write(&folder.join("Cargo.toml"), &manifest)?;
            write(&folder.join("src/lib.rs"), source)?;
            common = format!("{name} = {{ path = \"../{name}\" }}\n");
        }

        let ebpf = self.root.join(format!("{name}-ebpf"));
        // The compiler looks for modules beside the link, which is how one can stand beside the source.
        link(
            &sources.join(name).join("ebpf.rs"),
            &ebpf.join("src/main.rs"),
        )?;
        self.write_types(&ebpf.join("src/vmlinux.rs"), program.types)?;
        let manifest = self.manifest(&format!("{name}-ebpf"))
            + &dependencies(EBPF_DEPENDENCIES)?
            + &common
            + &format!(
                "[[bin]]\nname = \"{}\"\npath = \"src/main.rs\"\n",
                program.object
            );
        write(&ebpf.join("Cargo.toml"), &manifest)?;

        let user = self.root.join(name);
        let source = match program.user {
            User::Document => sources.join(name).join("user.rs"),
            User::Ours => repository()?.join(format!("tests/acceptance/users/{name}.rs")),
            User::Missing => return Ok(()),
        };
        let manifest = self.manifest(name)
            + &dependencies(USER_DEPENDENCIES)?
            + &common
            + &format!(
                "[[bin]]\nname = \"{name}\"\npath = \"{}\"\n",
                source.display()
            )
            + &dependencies(BUILD_DEPENDENCIES)?;
        write(&user.join("Cargo.toml"), &manifest)?;
        write(&user.join("build.rs"), &build_script(name, program.object))
    }

    fn manifest(&self, name: &str) -> String {
        let edition = self.variant.edition;
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n")
    }

    fn write_types(&self, file: &Path, types: &[&str]) -> io::Result<()> {
        if types.is_empty() {
            return Ok(());
        }
        let kernel = kernel_types().ok_or_else(|| {
            io::Error::other("no kernel's types on this machine: run `cargo xtask test`")
        })?;
        let text = aya_tool::generate(kernel, types).map_err(io::Error::other)?;
        write(file, &text)
    }
}

/// What the documents' programs use; a path is one of this project's crates.
const EBPF_DEPENDENCIES: &str = r#"[dependencies]
aya-bpf = { path = "ebpf/aya-bpf" }
aya-ebpf = { path = "ebpf/aya-ebpf" }
aya-log-ebpf = { path = "log/aya-log-ebpf" }
memoffset = "0.9"
network-types = "0.1"
"#;

const USER_DEPENDENCIES: &str = r#"[dependencies]
anyhow = "1"
aya = { path = "user/aya", features = ["async_tokio"] }
aya-log = { path = "log/aya-log" }
bytes = "1"
clap = { version = "4", features = ["derive"] }
env_logger = "0.11"
log = "0.4"
tokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "signal"] }
"#;

const BUILD_DEPENDENCIES: &str = r#"[build-dependencies]
aya-build = { path = "build/aya-build" }
"#;

fn dependencies(table: &str) -> io::Result<String> {
    let repository = repository()?;
    Ok(table.replace("path = \"", &format!("path = \"{}/", repository.display())))
}

/// Beside what every user's build script does, it leaves a copy of the object in the workspace's folder.
fn build_script(name: &str, object: &str) -> String {
    format!(
        r#"fn main() {{
    aya_build::build_ebpf(
        [aya_build::Package {{
            name: "{name}-ebpf",
            root_dir: concat!(env!("CARGO_MANIFEST_DIR"), "/../{name}-ebpf"),
            ..Default::default()
        }}],
        aya_build::Toolchain::default(),
    )
    .unwrap();
    let object = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap()).join("{object}");
    std::fs::copy(object, "../{name}.o").unwrap();
}}
"#
    )
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

fn link(to: &Path, path: &Path) -> io::Result<()> {
    if fs::read_link(path).is_ok_and(|old| old == to) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let _absent = fs::remove_file(path);
    symlink(to, path)
}
