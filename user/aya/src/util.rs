//! Facts about the running system: its kernel's version, its CPUs, its symbols.

use std::{collections::BTreeMap, fmt, fs, io};

const POSSIBLE_CPUS: &str = "/sys/devices/system/cpu/possible";
const ONLINE_CPUS: &str = "/sys/devices/system/cpu/online";

/// A kernel's version, such as 6.12.5.
///
/// ```
/// use aya::util::KernelVersion;
/// assert!(KernelVersion::new(5, 8, 0) < KernelVersion::new(5, 10, 3));
/// assert_eq!(KernelVersion::new(6, 1, 2).code(), 0x060102);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion(aya_uapi::KernelVersion);

impl KernelVersion {
    /// The version `major.minor.patch`.
    pub const fn new(major: u8, minor: u8, patch: u16) -> Self {
        Self(aya_uapi::KernelVersion::new(major, minor, patch))
    }

    /// The running kernel's version.
    ///
    /// Distributions hide the real patch level in places that differ: Ubuntu in
    /// `/proc/version_signature`, Debian after the word `Debian` in `/proc/version`. Elsewhere
    /// it is the release that `uname -r` prints.
    ///
    /// # Errors
    ///
    /// When none of these files can be read and understood; the message names the last one.
    pub fn current() -> Result<Self, CurrentVersionError> {
        let release = |path: &'static str| fs::read_to_string(path).ok();
        if let Some(version) = release("/proc/version_signature")
            .as_deref()
            .and_then(|text| aya_uapi::KernelVersion::parse(text.split_whitespace().next_back()?))
        {
            return Ok(Self(version));
        }
        if let Some(version) = release("/proc/version").as_deref().and_then(debian_version) {
            return Ok(Self(version));
        }
        let path = "/proc/sys/kernel/osrelease";
        let text = fs::read_to_string(path).map_err(CurrentVersionError::Read)?;
        let text = text.trim();
        match aya_uapi::KernelVersion::parse(text) {
            Some(version) => Ok(Self(version)),
            None => Err(CurrentVersionError::Parse(text.to_owned())),
        }
    }

    /// The number the kernel knows the version by: `LINUX_VERSION_CODE`, in which patch levels
    /// above 255 count as 255.
    pub fn code(self) -> u32 {
        self.0.code()
    }

    /// The release without its patches, as features come with: `6.9`.
    pub(crate) fn release(self) -> impl fmt::Display {
        let aya_uapi::KernelVersion { major, minor, .. } = self.0;
        format!("{major}.{minor}")
    }
}

impl From<aya_uapi::KernelVersion> for KernelVersion {
    fn from(version: aya_uapi::KernelVersion) -> Self {
        Self(version)
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why the running kernel's version is not known.
#[derive(Debug)]
#[non_exhaustive]
pub enum CurrentVersionError {
    /// The release cannot be read.
    Read(io::Error),
    /// The release is not `major.minor.patch`.
    Parse(String),
}

impl fmt::Display for CurrentVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(_) => {
                f.write_str("/proc/sys/kernel/osrelease cannot be read: is /proc mounted?")
            }
            Self::Parse(text) => write!(
                f,
                "/proc/sys/kernel/osrelease holds `{text}`: expected `major.minor.patch`"
            ),
        }
    }
}

impl std::error::Error for CurrentVersionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Parse(_) => None,
        }
    }
}

/// Debian's `uname -r` ends in an ABI number; the version stands after the word `Debian`:
/// `Linux version 6.1.0-18-amd64 (…) #1 SMP … Debian 6.1.76-1 (2024-02-01)`.
fn debian_version(text: &str) -> Option<aya_uapi::KernelVersion> {
    let (_, rest) = text.rsplit_once("Debian ")?;
    aya_uapi::KernelVersion::parse(rest)
}

/// The number of CPUs the kernel could ever have online: the number of values in one element of
/// a per-CPU map.
///
/// # Errors
///
/// When `/sys/devices/system/cpu/possible` cannot be read or understood; the error comes with
/// the file's name.
pub fn nr_cpus() -> Result<usize, (&'static str, io::Error)> {
    aya_sys::possible_cpus().map_err(|error| (POSSIBLE_CPUS, error.into()))
}

/// The numbers of the CPUs that are online now.
///
/// # Errors
///
/// When `/sys/devices/system/cpu/online` cannot be read or understood; the error comes with the
/// file's name.
pub fn online_cpus() -> Result<Vec<u32>, (&'static str, io::Error)> {
    aya_sys::online_cpus().map_err(|error| (ONLINE_CPUS, error.into()))
}

/// The kernel's symbols by address, from `/proc/kallsyms`.
///
/// All addresses are zero without `CAP_SYSLOG` (see `kernel.kptr_restrict`); then one entry is
/// left.
///
/// # Errors
///
/// When `/proc/kallsyms` cannot be read.
pub fn kernel_symbols() -> Result<BTreeMap<u64, String>, io::Error> {
    let text = fs::read_to_string("/proc/kallsyms")?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            Some((address, words.nth(1)?.to_owned()))
        })
        .collect())
}

/// What the kernel puts before the name of a system call's function: `__x64_sys_` on x86-64, so
/// that `bpf(2)` is `__x64_sys_bpf`.
///
/// # Errors
///
/// When `/proc/kallsyms` cannot be read, or holds no `bpf(2)` under a known prefix
/// ([`io::ErrorKind::NotFound`]).
pub fn syscall_prefix() -> Result<&'static str, io::Error> {
    const PREFIXES: [&str; 7] = [
        "__x64_sys_",
        "__arm64_sys_",
        "__riscv_sys_",
        "__s390x_sys_",
        "__s390_sys_",
        "__ia32_sys_",
        "sys_",
    ];
    let text = fs::read_to_string("/proc/kallsyms")?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    names
        .filter_map(|name| name.strip_suffix("bpf"))
        .find_map(|found| PREFIXES.into_iter().find(|prefix| *prefix == found))
        .ok_or_else(|| {
            let message = "no function of bpf(2) among the symbols of /proc/kallsyms";
            io::Error::new(io::ErrorKind::NotFound, message)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_version_is_behind_its_name() {
        assert_eq!(
            debian_version("Linux version 6.1.0-18-amd64 (x) #1 SMP Debian 6.1.76-1 (2024-02-01)"),
            Some(aya_uapi::KernelVersion::new(6, 1, 76))
        );
        assert_eq!(debian_version("Linux version 6.1.0 (x) #1 SMP"), None);
    }

    #[test]
    fn the_running_kernel_has_a_version() {
        let current = KernelVersion::current().unwrap();
        assert!(current > KernelVersion::new(3, 18, 0), "{current}");
        assert!(
            current
                .to_string()
                .starts_with(&format!("{}.", current.code() >> 16))
        );
    }
}
