//! A private view of the Debian archive: packages of any suite, without touching the machine's own apt state.
//!
//! The mirror is the one that the machine's apt configuration names (or `AYA_DEBIAN_MIRROR`, for
//! machines of another distribution). Packages are trusted as the machine trusts its own: apt checks
//! the archive's signature against the Debian keys that are installed here. A suite that those keys
//! do not vouch for is not used; nothing is ever marked as trusted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{Context as _, Error, Result},
    process,
};

/// Debian's own releases, oldest first, as they stand in an archive's `dists/`.
const RELEASES: &[&str] = &["bullseye", "bookworm", "trixie", "forky", "sid"];

/// The release that is asked first for a kernel series; others may carry it too.
const HOMES: &[(&str, &str)] = &[
    ("5.10", "bullseye"),
    ("6.1", "bookworm"),
    ("6.12", "bookworm"),
    ("7.2", "sid"),
];

const MIRROR_VARIABLE: &str = "AYA_DEBIAN_MIRROR";

/// Releases in the order in which they are asked for a kernel series.
pub(super) fn releases_for(series: &str) -> Vec<&'static str> {
    let home = HOMES
        .iter()
        .find(|(known, _)| *known == series)
        .map(|(_, release)| *release);
    let others = RELEASES
        .iter()
        .copied()
        .filter(|release| Some(*release) != home);
    home.into_iter().chain(others).collect()
}

/// The archive and the security archive next to it.
struct Mirror {
    main: String,
    security: Option<String>,
}

impl Mirror {
    /// Reads the machine's configuration through apt itself, which knows all of its formats.
    fn of_this_machine(scratch: &Path) -> Result<Self> {
        if let Ok(main) = std::env::var(MIRROR_VARIABLE) {
            return Ok(Self {
                main,
                security: None,
            });
        }
        let lists = scratch.join("no-lists");
        fs::create_dir_all(lists.join("partial")).context(lists.display())?;
        let mut apt = Command::new("apt-get");
        apt.arg("-o")
            .arg(format!("Dir::State::lists={}", lists.display()));
        let uris = process::output(apt.args(["--print-uris", "update"]))?;
        Self::from_uris(&uris).ok_or_else(|| {
            Error::new(format!(
                "apt on this machine has no Debian archive configured, and the kernels come from \
                 there: set {MIRROR_VARIABLE} to the address of a Debian mirror"
            ))
        })
    }

    /// Picks the archives from lines of the form `'ADDRESS/dists/SUITE/InRelease' FILE …`.
    fn from_uris(uris: &str) -> Option<Self> {
        let mut suites: Vec<(&str, &str)> = uris
            .lines()
            .filter_map(|line| {
                line.strip_prefix('\'')?
                    .split_once('\'')?
                    .0
                    .strip_suffix("/InRelease")
            })
            .filter_map(|uri| uri.rsplit_once("/dists/"))
            .collect();
        // Others give their suites Debian's names too; an archive's path usually ends in its name.
        suites.sort_by_key(|(address, _)| !address.trim_end_matches('/').ends_with("/debian"));
        let (main, _) = suites.iter().find(|(_, suite)| RELEASES.contains(suite))?;
        let security = suites.iter().find(|(_, suite)| {
            suite
                .strip_suffix("-security")
                .is_some_and(|release| RELEASES.contains(&release))
        });
        Some(Self {
            main: (*main).to_owned(),
            security: security.map(|(address, _)| (*address).to_owned()),
        })
    }

    /// The lines of a sources list for one release.
    fn sources(&self, release: &str) -> String {
        let key = ["gpg", "pgp"]
            .map(|end| format!("/usr/share/keyrings/debian-archive-keyring.{end}"))
            .into_iter()
            .find(|path| Path::new(path).is_file());
        let options = match key {
            Some(path) => format!("[arch=amd64 signed-by={path}]"),
            None => "[arch=amd64]".to_owned(),
        };
        let line = |address: &str, suite: &str| format!("deb {options} {address} {suite} main\n");
        let mut lines = line(&self.main, release);
        // The newest packages of a stable release come from these two; sid has neither.
        if release != "sid" {
            lines += &line(&self.main, &format!("{release}-updates"));
            if let Some(security) = &self.security {
                lines += &line(security, &format!("{release}-security"));
            }
        }
        lines
    }
}

/// One release's package lists in a folder of their own.
pub(crate) struct Archive {
    dir: PathBuf,
    names: Vec<String>,
    /// What apt said when a part of the lists could not be had.
    trouble: Option<Error>,
}

impl Archive {
    /// Fetches the lists of a release into a folder under `cache`.
    pub(crate) fn open(cache: &Path, release: &str) -> Result<Self> {
        let dir = cache.join("apt").join(release);
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(part)).context(dir.display())?;
        }
        let sources = Mirror::of_this_machine(cache)?.sources(release);
        fs::write(dir.join("sources.list"), sources).context(dir.display())?;
        let mut archive = Self {
            dir,
            names: Vec::new(),
            trouble: None,
        };
        println!("xtask: fetching the package lists of {release}");
        archive.update();
        if archive
            .trouble
            .as_ref()
            .is_some_and(|trouble| is_about_keys(&trouble.to_string()))
        {
            process::install_packages(
                &["debian-archive-keyring"],
                "to check the archive's signature",
            )?;
            archive.update();
        }
        // A release may have lost its updates or moved its security archive: what is there counts.
        archive.names = process::output(archive.apt("apt-cache").args(["pkgnames", "linux-"]))?
            .lines()
            .map(str::to_owned)
            .collect();
        Ok(archive)
    }

    fn update(&mut self) {
        self.trouble = process::output(self.apt("apt-get").args(["-q", "update"])).err();
    }

    /// An apt command that sees this archive only.
    fn apt(&self, program: &str) -> Command {
        let dir = self.dir.display();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={dir}/sources.list"),
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::Cache={dir}/cache"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            "Dir::State::status=/dev/null".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            // The lists of an old release are not renewed any more.
            "Acquire::Check-Valid-Until=false".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command.env("LC_ALL", "C").current_dir(&self.dir);
        command
    }

    /// All packages whose name begins with `linux-`.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Why some of the lists are missing, if some are.
    pub(super) fn trouble(&mut self) -> Option<Error> {
        self.trouble.take()
    }

    /// Downloads packages and returns their files.
    pub(crate) fn download(&self, packages: &[String]) -> Result<Vec<PathBuf>> {
        remove_packages(&self.dir)?;
        process::output(self.apt("apt-get").arg("-q").arg("download").args(packages))?;
        let files = packages_in(&self.dir)?;
        if files.len() == packages.len() {
            Ok(files)
        } else {
            Err(format!(
                "{}: {} files for {packages:?}",
                self.dir.display(),
                files.len()
            )
            .into())
        }
    }

    /// Removes what [`Self::download`] left.
    pub(crate) fn clean(&self) -> Result<()> {
        remove_packages(&self.dir)
    }
}

fn is_about_keys(message: &str) -> bool {
    ["NO_PUBKEY", "public key", "not signed"]
        .iter()
        .any(|sign| message.contains(sign))
}

fn packages_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).context(dir.display())? {
        let path = entry.context(dir.display())?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            files.push(path);
        }
    }
    Ok(files)
}

fn remove_packages(dir: &Path) -> Result<()> {
    for file in packages_in(dir)? {
        fs::remove_file(&file).context(file.display())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mirror_among_others() {
        let uris = "'http://tools.example/apt/dists/cloud-bookworm/InRelease' x 0 \n\
                    'http://other.example/prod/dists/bookworm/InRelease' x 0 \n\
                    'http://mirror.example/debian/dists/bookworm/InRelease' x 0 \n\
                    'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' x 0 \n\
                    'http://mirror.example/sec/dists/bookworm-security/InRelease' x 0 \n";
        let mirror = Mirror::from_uris(uris).unwrap();
        assert_eq!(mirror.main, "http://mirror.example/debian");
        assert_eq!(
            mirror.security.as_deref(),
            Some("http://mirror.example/sec")
        );
        let sources = mirror.sources("bullseye");
        assert!(sources.contains("http://mirror.example/sec bullseye-security main"));
        assert_eq!(mirror.sources("sid").lines().count(), 1);
    }

    #[test]
    fn no_debian_archive_is_no_mirror() {
        assert!(
            Mirror::from_uris("'http://a.example/ubuntu/dists/noble/InRelease' x 0\n").is_none()
        );
        assert!(Mirror::from_uris("").is_none());
    }

    #[test]
    fn asks_the_home_first() {
        assert_eq!(releases_for("6.12")[0], "bookworm");
        assert_eq!(releases_for("7.2")[0], "sid");
        assert_eq!(releases_for("6.19").len(), RELEASES.len());
    }
}
