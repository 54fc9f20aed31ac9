//! Facts about the running system: its kernel's version, its CPUs, its symbols.

use std::{collections::BTreeMap, fmt, fs, io, str::FromStr};

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
pub struct KernelVersion {
    major: u8,
    minor: u8,
    patch: u16,
}

impl KernelVersion {
    /// The version `major.minor.patch`.
    pub const fn new(major: u8, minor: u8, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
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
            .and_then(|text| text.split_whitespace().next_back()?.parse().ok())
        {
            return Ok(version);
        }
        if let Some(version) = release("/proc/version").as_deref().and_then(debian_version) {
            return Ok(version);
        }
        let path = "/proc/sys/kernel/osrelease";
        let text = fs::read_to_string(path).map_err(CurrentVersionError::Read)?;
        text.trim()
            .parse()
            .map_err(|ParseVersionError| CurrentVersionError::Parse(text.trim().to_owned()))
    }

    /// The number the kernel knows the version by: `LINUX_VERSION_CODE`, in which patch levels
    /// above 255 count as 255.
    pub fn code(self) -> u32 {
        u32::from(self.major) << 16 | u32::from(self.minor) << 8 | u32::from(self.patch.min(255))
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is no kernel version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseVersionError;

impl FromStr for KernelVersion {
    type Err = ParseVersionError;

    /// Reads the leading `major.minor[.patch]` of a kernel release: `6.12.5-amd64` is 6.12.5.
    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let end = text
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(text.len());
        let mut parts = text.get(..end).unwrap_or_default().split('.');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let major = next().and_then(|part| part.parse().ok());
        let minor = next().and_then(|part| part.parse().ok());
        let patch = next().map_or(Some(0), |part| part.parse().ok());
        match (major, minor, patch) {
            (Some(major), Some(minor), Some(patch)) => Ok(Self::new(major, minor, patch)),
            _ => Err(ParseVersionError),
        }
    }
}

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a kernel version: expected `major.minor.patch`")
    }
}

impl std::error::Error for ParseVersionError {}

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
fn debian_version(text: &str) -> Option<KernelVersion> {
    let (_, rest) = text.rsplit_once("Debian ")?;
    rest.parse().ok()
}

/// The number of CPUs the kernel could ever have online: the number of values in one element of
/// a per-CPU map.
///
/// # Errors
///
/// When `/sys/devices/system/cpu/possible` cannot be read or understood; the error comes with
/// the file's name.
pub fn nr_cpus() -> Result<usize, (&'static str, io::Error)> {
    Ok(read_cpu_ranges(POSSIBLE_CPUS)?.len())
}

/// The numbers of the CPUs that are online now.
///
/// # Errors
///
/// When `/sys/devices/system/cpu/online` cannot be read or understood; the error comes with the
/// file's name.
pub fn online_cpus() -> Result<Vec<u32>, (&'static str, io::Error)> {
    read_cpu_ranges(ONLINE_CPUS)
}

fn read_cpu_ranges(path: &'static str) -> Result<Vec<u32>, (&'static str, io::Error)> {
    let text = fs::read_to_string(path).map_err(|error| (path, error))?;
    parse_cpu_ranges(text.trim()).ok_or_else(|| {
        let message = format!("`{}` is not a list of CPUs", text.trim());
        (path, io::Error::new(io::ErrorKind::InvalidData, message))
    })
}

/// The kernel's list format: `0-3,7`. Bounded, so that a file with nonsense costs no memory.
fn parse_cpu_ranges(text: &str) -> Option<Vec<u32>> {
    const MOST: u32 = 1 << 16;
    let mut cpus = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse().ok()?, last.parse::<u32>().ok()?);
        if first > last || last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
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
    fn versions_are_read_as_distributions_write_them() {
        let version = |text: &str| text.parse::<KernelVersion>();
        assert_eq!(version("6.12.5-amd64"), Ok(KernelVersion::new(6, 12, 5)));
        assert_eq!(version("7.2-rc1"), Ok(KernelVersion::new(7, 2, 0)));
        assert_eq!(version("4.9.337"), Ok(KernelVersion::new(4, 9, 337)));
        assert_eq!(version("six"), Err(ParseVersionError));
        assert_eq!(version("6"), Err(ParseVersionError));
        assert_eq!(version("6.."), Err(ParseVersionError));
        assert_eq!(
            debian_version("Linux version 6.1.0-18-amd64 (x) #1 SMP Debian 6.1.76-1 (2024-02-01)"),
            Some(KernelVersion::new(6, 1, 76))
        );
    }

    #[test]
    fn the_code_saturates_like_the_kernels() {
        assert_eq!(KernelVersion::new(4, 9, 337).code(), 0x0409ff);
    }

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_cpu_ranges("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpu_ranges("0"), Some(vec![0]));
        for bad in ["", "1-0", "x", "0-4000000000", "0-"] {
            assert_eq!(parse_cpu_ranges(bad), None, "{bad}");
        }
    }
}
