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
    let cpus = read(
        "/sys/devices/system/cpu/possible",
        "reading /sys/devices/system/cpu/possible",
    )?;
    Ok(*COUNT.get_or_init(|| cpus.len()))
}

/// The numbers of the CPUs that are online now, from `/sys/devices/system/cpu/online`.
pub fn online_cpus() -> Result<Vec<u32>> {
    read(
        "/sys/devices/system/cpu/online",
        "reading /sys/devices/system/cpu/online",
    )
}

fn read(file: &str, call: &'static str) -> Result<Vec<u32>> {
    let text = fs::read_to_string(file).map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        Error::new(call, Errno(errno))
    })?;
    parse(text.trim()).ok_or(Error::new(call, Errno::EINVAL))
}

/// The kernel's list format: `0-3,8`. Bounded, so that a file with nonsense costs no memory.
fn parse(list: &str) -> Option<Vec<u32>> {
    const MOST: u32 = 1 << 16;
    let mut cpus = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse().ok()?, last.parse::<u32>().ok()?);
        if first > last || last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(parse("0"), Some(vec![0]));
        assert_eq!(parse("0-2,8,10-11"), Some(vec![0, 1, 2, 8, 10, 11]));
        for bad in [
            "",
            "a",
            "3-1",
            "0-",
            "0-4000000000",
            "0-18446744073709551615",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(!online_cpus().unwrap().is_empty());
        assert!(possible_cpus().unwrap() > 0);
    }
}
