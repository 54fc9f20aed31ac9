//! Kernels to boot: found in the Debian archive, unpacked (never installed) into a cache.
//!
//! A series such as `6.12` stands for the newest package of it; no patch level is written down here.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{apt, apt::Archive, image};
use crate::{
    error::{Context as _, Error, Result},
    process,
};

/// Parts of a package that are worth unpacking: the image, and the modules a test may want.
const WANTED: &[&str] = &[
    "*/vmlinuz*",
    "*/kernel/arch/*",
    "*/kernel/crypto/*",
    "*/kernel/drivers/net/*",
    "*/kernel/drivers/char/*",
    "*/kernel/drivers/virtio/*",
    "*/kernel/lib/*",
    "*/kernel/net/*",
];

/// Where each kernel has a folder by its series.
pub(crate) fn kernels_dir() -> PathBuf {
    super::cache_dir().join("kernels")
}

/// A kernel in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// What it was asked for by: `6.12`.
    pub(crate) series: String,
    /// What `uname -r` prints.
    pub(crate) release: String,
    dir: PathBuf,
}

impl Kernel {
    /// Finds a kernel in the cache or fetches it.
    pub(crate) fn get(series: &str) -> Result<Self> {
        let number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !series
            .split_once('.')
            .is_some_and(|(major, minor)| number(major) && number(minor))
        {
            return Err(format!("kernel `{series}`: a series looks like `6.12`").into());
        }
        let cache = super::cache_dir();
        let dir = kernels_dir().join(series);
        match fs::read_to_string(dir.join("release")) {
            Ok(release) => Ok(Self {
                series: series.to_owned(),
                release,
                dir,
            }),
            Err(_) => Self::fetch(&cache, series, dir).context(format_args!("kernel {series}")),
        }
    }

    fn fetch(cache: &Path, series: &str, dir: PathBuf) -> Result<Self> {
        process::need("apt-get", "apt", "to fetch kernels")?;
        let mut troubles = Vec::new();
        for name in apt::releases_for(series) {
            let mut archive = Archive::open(cache, name)?;
            let Some(release) = newest(archive.names(), series) else {
                troubles.extend(
                    archive
                        .trouble()
                        .map(|trouble| format!("\n{name}: {trouble}")),
                );
                continue;
            };
            let packages = packages_of(archive.names(), &release);
            println!("xtask: fetching kernel {release} ({})", packages.join(", "));
            let staging = dir.with_extension("part");
            let _absent = fs::remove_dir_all(&staging);
            fs::create_dir_all(&staging).context(staging.display())?;
            for file in archive.download(&packages)? {
                unpack(&file, &staging)?;
            }
            archive.clean()?;
            fs::write(staging.join("release"), &release).context(staging.display())?;
            // The folder appears under its name only when it is whole.
            let _incomplete = fs::remove_dir_all(&dir);
            fs::rename(&staging, &dir).context(dir.display())?;
            let kernel = Self {
                series: series.to_owned(),
                release,
                dir,
            };
            kernel.image()?;
            return Ok(kernel);
        }
        Err(format!("no Debian release has a package of it{}", troubles.concat()).into())
    }

    /// The series as numbers, to be compared with the kernel that brought a feature.
    pub(crate) fn version(&self) -> (u32, u32) {
        version(&self.series)
    }

    /// The bootable image.
    pub(super) fn image(&self) -> Result<PathBuf> {
        files_under(&self.dir)?
            .into_iter()
            .find(|path| name_of(path).starts_with("vmlinuz"))
            .ok_or_else(|| {
                Error::new(format!(
                    "{}: no kernel image in the package",
                    self.dir.display()
                ))
            })
    }

    /// The file that holds the kernel's own types, in the raw form of `/sys/kernel/btf/vmlinux`.
    pub(crate) fn btf(&self) -> Result<PathBuf> {
        let file = self.dir.join("btf");
        if !file.is_file() {
            let btf = image::btf(&self.image()?, &self.dir)?;
            // It appears under its name only when it is whole.
            let part = self.dir.join("btf.part");
            fs::write(&part, btf).context(part.display())?;
            fs::rename(&part, &file).context(file.display())?;
        }
        Ok(file)
    }

    /// The contents of modules in loading order: each after those it depends on.
    ///
    /// Modules that the package does not have are built in (or newer than this kernel), and left out.
    pub(super) fn modules(&self, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let files: HashMap<String, PathBuf> = files_under(&self.dir)?
            .into_iter()
            .filter_map(|path| {
                let (name, _) = name_of(&path).split_once(".ko")?;
                Some((name.replace('-', "_"), path.clone()))
            })
            .collect();
        let mut loaded = Vec::new();
        for name in names {
            load_order(&files, name, &mut loaded)?;
        }
        Ok(loaded)
    }
}

/// The first two numbers of a kernel's release.
pub(crate) fn version(release: &str) -> (u32, u32) {
    let mut numbers = numbers(release).map(|number| u32::try_from(number).unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Adds a module after its dependencies, once.
fn load_order(
    files: &HashMap<String, PathBuf>,
    name: &str,
    loaded: &mut Vec<(String, Vec<u8>)>,
) -> Result<()> {
    let Some(path) = files.get(name) else {
        return Ok(());
    };
    if loaded.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let bytes = read_module(path)?;
    for dependency in depends(&bytes) {
        load_order(files, &dependency.replace('-', "_"), loaded)?;
    }
    loaded.push((name.to_owned(), bytes));
    Ok(())
}

/// A module's bytes, which some packages have compressed.
fn read_module(path: &Path) -> Result<Vec<u8>> {
    match path.extension().and_then(|end| end.to_str()) {
        Some(form @ ("xz" | "zst")) => image::decompress(form, path),
        _ => fs::read(path).context(path.display()),
    }
}

/// What a module's `.modinfo` names in its `depends=` entry (`modinfo(8)`).
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module[at + KEY.len()..]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    value
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn files_under(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).context(dir.display())? {
            let entry = entry.context(dir.display())?;
            let kind = entry.file_type().context(dir.display())?;
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// The numbers in a version, in order: enough to compare two packages of one series.
fn numbers(version: &str) -> impl Iterator<Item = u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
}

/// The newest release of a series for which there is a package of the ordinary flavour.
fn newest(names: &[String], series: &str) -> Option<String> {
    let series = format!("{series}.");
    names
        .iter()
        .filter_map(|name| {
            ["linux-binary-unsigned-", "linux-binary-", "linux-image-"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix))
        })
        .filter(|release| release.starts_with(&series) && release.ends_with("-amd64"))
        .filter(|release| !release.contains("-rt-") && !release.contains("-cloud-"))
        .max_by_key(|release| numbers(release).collect::<Vec<_>>())
        .map(str::to_owned)
}

/// The packages that together hold a release's image and modules.
///
/// Up to 6.12 `linux-image-V` has both; later ones are split in `linux-binary-V` (or its unsigned
/// twin, which is there first) and `linux-modules-V`.
fn packages_of(names: &[String], release: &str) -> Vec<String> {
    let there = |prefix: &str| {
        let name = format!("{prefix}{release}");
        names.contains(&name).then_some(name)
    };
    match there("linux-modules-") {
        Some(modules) => {
            let image = there("linux-binary-").or_else(|| there("linux-binary-unsigned-"));
            image.into_iter().chain([modules]).collect()
        }
        None => vec![format!("linux-image-{release}")],
    }
}

/// Unpacks the wanted parts of a package.
fn unpack(package: &Path, into: &Path) -> Result<()> {
    let mut contents = Command::new("dpkg-deb");
    let mut contents = contents
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("dpkg-deb")?;
    let tar = contents
        .stdout
        .take()
        .map_or_else(std::process::Stdio::null, Into::into);
    let mut tar_command = Command::new("tar");
    tar_command
        .args(["-x", "-C"])
        .arg(into)
        .args(["--no-same-owner", "--wildcards"])
        .args(WANTED);
    // A pattern that a package has nothing for makes tar complain; what is missing shows later.
    let unpacked = tar_command
        .stdin(tar)
        .stderr(std::process::Stdio::null())
        .status();
    let status = contents.wait().context("dpkg-deb")?;
    unpacked.context("tar")?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: cannot be unpacked: {status}", package.display()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn newest_is_by_number_and_of_the_ordinary_flavour() {
        let names = names(&[
            "linux-image-6.1.0-9-amd64",
            "linux-image-6.1.0-56-amd64",
            "linux-image-6.1.0-56-rt-amd64",
            "linux-image-6.1.0-57-cloud-amd64",
            "linux-image-6.1.0-0.deb11.60-amd64",
            "linux-image-6.1-amd64",
            "linux-image-6.12.117+deb12-amd64",
            "linux-image-6.1.0-58-amd64-unsigned",
        ]);
        assert_eq!(newest(&names, "6.1").as_deref(), Some("6.1.0-56-amd64"));
        assert_eq!(
            newest(&names, "6.12").as_deref(),
            Some("6.12.117+deb12-amd64")
        );
        assert_eq!(newest(&names, "6.19"), None);
    }

    #[test]
    fn packages_follow_the_split() {
        let split = names(&[
            "linux-binary-unsigned-7.2.1-amd64",
            "linux-modules-7.2.1-amd64",
        ]);
        assert_eq!(newest(&split, "7.2").as_deref(), Some("7.2.1-amd64"));
        assert_eq!(packages_of(&split, "7.2.1-amd64"), split);
        let whole = names(&["linux-image-6.1.0-56-amd64"]);
        assert_eq!(packages_of(&whole, "6.1.0-56-amd64"), whole);
    }

    #[test]
    fn reads_what_a_module_depends_on() {
        assert_eq!(
            depends(b"x\0license=GPL\0depends=llc,stp\0name=bridge\0"),
            ["llc", "stp"]
        );
        assert!(depends(b"x\0depends=\0").is_empty());
        assert!(depends(b"").is_empty());
    }

    #[test]
    fn a_series_has_two_numbers() {
        for wrong in ["6", "6.12.1", "", "six.one", "6.", "../.."] {
            assert!(Kernel::get(wrong).is_err(), "{wrong}");
        }
    }
}
