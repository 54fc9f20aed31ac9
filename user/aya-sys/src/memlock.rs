//! The limit on locked memory (`RLIMIT_MEMLOCK`).
//!
//! Kernels before 5.11 count maps and programs as locked memory of the process and answer `EPERM` when
//! the limit, 64 KiB or 8 MiB by default, is used up.

use crate::{Error, Result, call};

/// Takes the limit away for this process and its children. `false` if there was none.
///
/// Needs `CAP_SYS_RESOURCE`; without it the soft limit is raised to the hard one.
pub fn lift() -> Result<bool> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writing.
    call::check("getrlimit", unsafe {
        libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit)
    })?;
    if limit.rlim_cur == libc::RLIM_INFINITY {
        return Ok(false);
    }
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `unlimited` is valid for reading.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) } == 0 {
        return Ok(true);
    }
    let refused = Error::last("setrlimit");
    if limit.rlim_cur == limit.rlim_max {
        return Err(refused);
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is valid for reading.
    call::check("setrlimit", unsafe {
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit)
    })?;
    Ok(true)
}
