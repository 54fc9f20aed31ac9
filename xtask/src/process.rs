//! Running other programs: one place for how a failure is reported and how packages are installed.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::error::{Context as _, Error, Result};

/// The workspace's root folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// The folder that cargo builds into, and where these commands keep their own files.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}

/// `cargo`, the one that runs this command.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn missing(command: &Command, error: &std::io::Error) -> Error {
    Error::new(format!(
        "{}: {error}",
        command.get_program().to_string_lossy()
    ))
}

/// Runs a command with this terminal; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| missing(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}`: {status}", shown(command)).into())
    }
}

/// Runs a command and returns what it printed; its error output comes with the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| missing(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`{}`: {}\n{}",
        shown(command),
        output.status,
        said.trim_end()
    )
    .into())
}

/// Passes another program's output on as it comes.
pub(crate) fn print(bytes: &[u8]) {
    let mut stdout = std::io::stdout();
    // A closed terminal does not stop the work.
    let _closed = stdout.write_all(bytes).and_then(|()| stdout.flush());
}

/// Where a program of that name lies on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// True if this process may do everything.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status.lines().any(|line| {
            line.strip_prefix("Uid:")
                .and_then(|ids| ids.split_whitespace().nth(1))
                == Some("0")
        })
    })
}

/// A command that runs as root: as it is for root, by `sudo` for others.
pub(crate) fn as_root(program: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let sudo = find("sudo").ok_or_else(|| {
        Error::new(format!(
            "`{program}` needs root and there is no sudo: run this as root"
        ))
    })?;
    let mut command = Command::new(sudo);
    command.arg(program);
    Ok(command)
}

/// Installs packages of the distribution, saying so before.
///
/// A machine whose package lists are old or empty gets them refreshed, so no second try is needed.
pub(crate) fn install_packages(packages: &[&str], why: &str) -> Result<()> {
    println!("xtask: installing {} ({why})", packages.join(" "));
    if find("apt-get").is_none() {
        return Err(format!(
            "{} must be installed ({why}), and this machine has no apt-get: install it by hand",
            packages.join(" ")
        )
        .into());
    }
    let apt = |words: &[&str]| -> Result<()> {
        let mut command = as_root("env")?;
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"])
            .args(["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120"])
            .args(words);
        run(&mut command)
    };
    let install = [&["install", "--no-install-recommends"], packages].concat();
    if apt(&install).is_ok() {
        return Ok(());
    }
    println!("xtask: refreshing the package lists and trying again");
    apt(&["update"])?;
    apt(&install).context(format_args!("installing {}", packages.join(" ")))
}

/// Makes sure that a program exists, installing the package that brings it where it does not.
pub(crate) fn need(program: &str, package: &str, why: &str) -> Result<PathBuf> {
    if let Some(found) = find(program) {
        return Ok(found);
    }
    install_packages(&[package], why)?;
    find(program).ok_or_else(|| {
        Error::new(format!(
            "{package} is installed, yet there is no `{program}` on the PATH"
        ))
    })
}
