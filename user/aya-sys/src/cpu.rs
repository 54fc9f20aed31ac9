//! The machine's CPUs.

use std::{fs, sync::OnceLock};

use crate::{Errno, Error, Result};

/// The number of CPUs that the kernel has room for, present or not: as many values has an element of a
/// per-CPU map.
///
/// Read once, from `/sys/devices/system/cpu/possible`.
pub fn possible_cpus() -> Result<usize> {
    static COUNT: OnceLock<usize> = OnceLock::new();
    if let Some(count) = COUNT.get() {
        return Ok(*count);
    }
    const FILE: &str = "/sys/devices/system/cpu/possible";
    let text = fs::read_to_string(FILE).map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        Error::new("reading /sys/devices/system/cpu/possible", Errno(errno))
    })?;
    let count = count(text.trim()).ok_or(Error::new(
        "reading /sys/devices/system/cpu/possible",
        Errno::EINVAL,
    ))?;
    Ok(*COUNT.get_or_init(|| count))
}

/// The number of CPUs in a list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    list.split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            last.checked_sub(first)?.checked_add(1)
        })
        .try_fold(0usize, |sum, size| sum.checked_add(size?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-3,8,10-11"), Some(7));
        for bad in ["", "a", "3-1", "0-", "0-18446744073709551615"] {
            assert_eq!(count(bad), None, "{bad}");
        }
        assert!(possible_cpus().unwrap() > 0);
    }
}
