//! `cargo xtask build-ebpf`: one eBPF program of the repository as an object file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{
    args::Args,
    error::{Context as _, Error, Result},
    process, setup,
};

/// Folders that eBPF packages lie in.
const PLACES: &[&str] = &["examples", "tests", "benches"];

pub(crate) fn run(mut args: Args) -> Result<()> {
    let mode: Option<String> = args.take_value("--mode")?;
    let name = args
        .take_word()
        .ok_or_else(|| Error::new("which program? `xdp-drop` for example"))?;
    args.finish()?;
    match mode.as_deref() {
        None | Some("donor") => {}
        Some("native") => setup::native_toolchain()?,
        Some(other) => return Err(format!("`--mode {other}`: it is donor or native").into()),
    }
    println!("{}", build(&name, mode.as_deref())?.display());
    Ok(())
}

/// Builds the program called `name` and returns its object.
///
/// It is a binary of that name, or the one of the package `NAME-ebpf`.
pub(crate) fn build(name: &str, mode: Option<&str>) -> Result<PathBuf> {
    let package = package_of(name)?;
    let folder = process::target_dir()
        .join("ebpf-objects")
        .join(mode.unwrap_or("auto"));
    fs::create_dir_all(&folder).context(folder.display())?;
    let mut cargo = process::cargo();
    cargo
        .args([
            "run",
            "--quiet",
            "--package",
            "xtask-ebpf",
            "--",
            &package.name,
        ])
        .arg(&package.dir)
        .env("OUT_DIR", &folder)
        .stderr(Stdio::inherit());
    if let Some(mode) = mode {
        cargo.env("AYA_EBPF_MODE", mode);
    }
    let output = cargo.output().context("cargo")?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // What is meant for cargo alone is of no use here.
        if let Some((_, message)) = line
            .split_once("warning=")
            .or_else(|| line.split_once("error="))
        {
            eprintln!("{message}");
        }
    }
    if !output.status.success() {
        return Err(format!("{name}: does not build").into());
    }
    [name, &package.name]
        .iter()
        .map(|binary| folder.join(binary))
        .find(|object| object.is_file())
        .ok_or_else(|| {
            Error::new(format!(
                "{name}: built, but {} has no object",
                folder.display()
            ))
        })
}

/// An eBPF package of the repository.
pub(crate) struct Package {
    pub(crate) name: String,
    dir: PathBuf,
}

/// All eBPF packages.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for place in PLACES {
        collect(&process::workspace().join(place), &mut packages)?;
    }
    Ok(packages)
}

/// Finds the package that has a program: by its own name, by its name without `-ebpf`, or by the name
/// of one of several binaries.
fn package_of(name: &str) -> Result<Package> {
    let mut packages = packages()?;
    let is_it = |package: &Package| {
        package.name == name
            || package.name.strip_suffix("-ebpf") == Some(name)
            || package
                .dir
                .join("src/bin")
                .join(format!("{name}.rs"))
                .is_file()
    };
    if let Some(at) = packages.iter().position(is_it) {
        return Ok(packages.swap_remove(at));
    }
    let known: Vec<_> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    Err(format!(
        "{name}: no such eBPF program; there are: {}",
        known.join(", ")
    )
    .into())
}

/// Adds the eBPF packages below a folder: those called `…-ebpf`.
fn collect(dir: &Path, packages: &mut Vec<Package>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.context(dir.display())?.path();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        match name {
            Some(name) if name.ends_with("-ebpf") => {
                packages.push(Package {
                    name: name.to_owned(),
                    dir: path,
                });
            }
            Some(_) => {}
            None if path.is_dir() => collect(&path, packages)?,
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_by_package_and_by_binary() {
        for name in ["aya-tests-ebpf", "aya-tests", "panics"] {
            assert_eq!(package_of(name).unwrap().name, "aya-tests-ebpf", "{name}");
        }
        assert!(package_of("nothing-of-this-name").is_err());
    }
}
