//! Kernel versions, comparable in constants.

use core::fmt;

/// A kernel version: what `uname -r` begins with, and what `LINUX_VERSION_CODE` encodes.
///
/// ```
/// use aya_uapi::KernelVersion;
///
/// const RING_BUFFERS: KernelVersion = KernelVersion::new(5, 8, 0);
/// let running = KernelVersion::parse("6.12.9-amd64").unwrap();
/// assert!(running >= RING_BUFFERS);
/// assert_eq!(RING_BUFFERS.to_string(), "5.8.0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number: the stable release.
    pub patch: u16,
}

impl KernelVersion {
    /// A version from its three numbers.
    pub const fn new(major: u8, minor: u8, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads the numbers a release name begins with (`6.12.9-amd64`, `7.2-rc1`). A missing third
    /// number counts as 0, as does a missing second one; text that does not begin with a number
    /// gives `None`.
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = [0u16; 3];
        let mut rest = release;
        for (position, number) in numbers.iter_mut().enumerate() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (digits, tail) = rest.split_at(end);
            match digits.parse() {
                Ok(value) => *number = value,
                Err(_) if position > 0 && digits.is_empty() => break,
                Err(_) => return None,
            }
            match tail.strip_prefix('.') {
                Some(tail) => rest = tail,
                None => break,
            }
        }
        let [major, minor, patch] = numbers;
        Some(Self::new(
            u8::try_from(major).ok()?,
            u8::try_from(minor).ok()?,
            patch,
        ))
    }

    /// The version as the kernel's headers encode it (`KERNEL_VERSION(a, b, c)`): the stable
    /// release stops at 255.
    pub const fn code(self) -> u32 {
        let patch = if self.patch > 255 { 255 } else { self.patch };
        (self.major as u32) << 16 | (self.minor as u32) << 8 | patch as u32
    }

    /// The version a `LINUX_VERSION_CODE` stands for.
    pub const fn from_code(code: u32) -> Self {
        Self::new((code >> 16) as u8, (code >> 8) as u8, (code & 0xff) as u16)
    }

    /// Whether this kernel is `other` or newer, usable in constants.
    pub const fn at_least(self, other: Self) -> bool {
        self.key() >= other.key()
    }

    const fn key(self) -> u32 {
        (self.major as u32) << 24 | (self.minor as u32) << 16 | self.patch as u32
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_names() {
        let parsed = |text| KernelVersion::parse(text);
        assert_eq!(
            parsed("5.10.0-28-amd64"),
            Some(KernelVersion::new(5, 10, 0))
        );
        assert_eq!(parsed("4.19.325"), Some(KernelVersion::new(4, 19, 325)));
        assert_eq!(parsed("7.2-rc1"), Some(KernelVersion::new(7, 2, 0)));
        assert_eq!(parsed("7"), Some(KernelVersion::new(7, 0, 0)));
        assert_eq!(parsed("7."), Some(KernelVersion::new(7, 0, 0)));
        for bad in ["", "linux", ".1", "300.1.1", "6.1.99999999"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn codes() {
        assert_eq!(KernelVersion::new(6, 1, 2).code(), 0x06_01_02);
        assert_eq!(KernelVersion::new(4, 19, 325).code(), 0x04_13_ff);
        assert_eq!(
            KernelVersion::from_code(0x06_0c_09),
            KernelVersion::new(6, 12, 9)
        );
        const { assert!(KernelVersion::new(6, 1, 0).at_least(KernelVersion::new(5, 255, 9))) };
        const { assert!(!KernelVersion::new(4, 19, 0).at_least(KernelVersion::new(4, 19, 300))) };
    }
}
