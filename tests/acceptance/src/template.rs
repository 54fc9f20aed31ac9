//! Generates a project of each program type from the template, and builds them as their owners do.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{repository, workspace};

/// What prompts would ask for. Each type takes what it needs.
const VALUES: &[(&str, &str)] = &[
    ("default_iface", aya_netlab::NEAR),
    ("direction", "Ingress"),
    ("kprobe", "vfs_unlink"),
    ("fn_name", "vfs_unlink"),
    ("uprobe_target", "/proc/self/exe"),
    ("uprobe_fn_name", "main"),
    ("tracepoint_category", "sched"),
    ("tracepoint_name", "sched_process_exec"),
    ("lsm_hook", "file_open"),
    ("sockopt_target", "getsockopt"),
    ("sock_map", "SOCKETS"),
];

/// Builds a project of each type. The loaders are in `base/programs/template` under their types' names.
///
/// # Errors
/// Without `cargo-generate`, and what it or cargo says when something goes wrong.
pub fn build(base: &Path) -> Result<(), String> {
    let installed = base.join("programs/template");
    fs::create_dir_all(&installed).map_err(|error| format!("{}: {error}", installed.display()))?;
    let mut troubles = Vec::new();
    for program_type in choices()? {
        let built = Project::generate(base, &program_type).and_then(Project::build);
        let copied = built.and_then(|built| {
            let copied = fs::copy(built, installed.join(&program_type));
            copied.map_err(|error| format!("{program_type}: {error}"))
        });
        troubles.extend(copied.err());
    }
    if troubles.is_empty() {
        Ok(())
    } else {
        Err(troubles.join("\n"))
    }
}

/// The program types that the template offers.
fn choices() -> Result<Vec<String>, String> {
    let file = template()?.join("cargo-generate.toml");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let list = text
        .split_once("[placeholders.program_type]")
        .and_then(|(_, rest)| rest.split_once("choices = ["))
        .and_then(|(_, rest)| rest.split_once(']'))
        .ok_or_else(|| format!("{}: no program types", file.display()))?
        .0;
    // Every second piece stands between quotes.
    Ok(list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect())
}

fn template() -> Result<PathBuf, String> {
    let repository = repository().map_err(|error| error.to_string())?;
    Ok(repository.join("template"))
}

/// A generated project.
struct Project {
    name: String,
    folder: PathBuf,
    target: PathBuf,
}

impl Project {
    fn generate(base: &Path, program_type: &str) -> Result<Self, String> {
        let projects = base.join("template-projects");
        let name = format!("my-{}", program_type.replace('_', "-"));
        let folder = projects.join(&name);
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&projects)
            .map_err(|error| format!("{}: {error}", projects.display()))?;
        let repository = repository().map_err(|error| error.to_string())?;
        let generator =
            env::var_os("AYA_CARGO_GENERATE").unwrap_or_else(|| "cargo-generate".into());
        let mut command = Command::new(generator);
        command
            .args([
                "generate",
                "--silent",
                "--no-workspace",
                "--vcs",
                "none",
                "--name",
                &name,
            ])
            .arg("--path")
            .arg(template()?)
            .arg("--define")
            .arg(format!("aya={}", repository.display()))
            .args(["--define", &format!("program_type={program_type}")])
            // It insists on an author's name, which the template does not use.
            .env("USER", "tester")
            .current_dir(&projects);
        for (name, value) in VALUES {
            command.args(["--define", &format!("{name}={value}")]);
        }
        run(&mut command, &format!("{name}: cargo-generate"))?;
        // The lock file pins what is already on the machine.
        fs::copy(repository.join("Cargo.lock"), folder.join("Cargo.lock"))
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(Self {
            name,
            folder,
            target: workspace::target_dir(base),
        })
    }

    fn build(self) -> Result<PathBuf, String> {
        let Self {
            name,
            folder,
            target,
        } = self;
        let mut command = workspace::cargo(&folder, &target);
        let said = run(&mut command, &format!("{name}: cargo build"))?;
        // The project's own packages; the framework's have their checks.
        if said.contains(&format!("\n --> {name}")) || said.contains(&format!("warning: {name}")) {
            return Err(format!("{name}: cargo build warns:\n{said}"));
        }
        run(
            Command::new("cargo")
                .args(["fmt", "--check"])
                .current_dir(&folder),
            &format!("{name}: cargo fmt --check"),
        )?;
        Ok(workspace::binary(&target, &name))
    }
}

/// Runs a command to its end and returns what it said.
fn run(command: &mut Command, name: &str) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(said.into_owned())
    } else {
        Err(format!("{name}: {}\n{said}", output.status))
    }
}
