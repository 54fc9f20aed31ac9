//! What a process needs to be allowed or to find, and the limit that old kernels put on locked memory.

use std::sync::{Mutex, PoisonError};

use aya_sys::{Errno, Error};
use aya_uapi::{MapType, ProgType};

/// What creating a map needs.
pub(crate) const MAP: &str = "CAP_BPF (CAP_SYS_ADMIN before kernel 5.8)";

/// What to do about `ENOSYS`.
pub(crate) const NO_BPF: &str = "this kernel has no bpf(2): use one built with CONFIG_BPF_SYSCALL";

/// What attaching to a network interface needs.
pub(crate) const INTERFACE: &str = "CAP_NET_ADMIN";

/// What opening a perf event, and running a program at it, needs.
pub(crate) const PERF_EVENT: &str = "CAP_PERFMON (CAP_SYS_ADMIN before kernel 5.8)";

/// What attaching to functions and tracepoints of the kernel needs.
pub(crate) const TRACING: &str = "CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before kernel 5.8)";

/// What attaching to a cgroup needs.
pub(crate) const CGROUP: &str = "CAP_NET_ADMIN, and CAP_BPF (CAP_SYS_ADMIN before kernel 5.8)";

/// What making an event in tracefs needs.
pub(crate) const TRACEFS: &str =
    "CAP_SYS_ADMIN, and to be root or in the group that tracefs belongs to";

/// What loading a program that is attached like this needs, by the rules of bpf(2) for
/// `BPF_PROG_LOAD`.
pub(crate) const fn program(prog_type: ProgType) -> &'static str {
    match prog_type {
        ProgType::SOCKET_FILTER | ProgType::CGROUP_SKB => {
            "CAP_BPF (CAP_SYS_ADMIN before kernel 5.8), or `kernel.unprivileged_bpf_disabled=0`"
        }
        ProgType::KPROBE
        | ProgType::TRACEPOINT
        | ProgType::PERF_EVENT
        | ProgType::RAW_TRACEPOINT
        | ProgType::RAW_TRACEPOINT_WRITABLE
        | ProgType::TRACING
        | ProgType::LSM
        | ProgType::STRUCT_OPS
        | ProgType::EXT => TRACING,
        _ => "CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before kernel 5.8)",
    }
}

/// Runs `attempt`; when the kernel refuses it for want of a right, lifts the limit on locked
/// memory and runs it again.
///
/// Kernels before 5.11 count maps and programs as locked memory and answer `EPERM` when
/// `RLIMIT_MEMLOCK` (64 KiB or 8 MiB by default) is used up. Newer ones charge the cgroup and
/// never come here, so there is nothing to find out up front.
pub(crate) fn with_memory<T, E>(
    refused: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    match attempt() {
        Err(error) if refused(&error) && lift_limit() => attempt(),
        result => result,
    }
}

/// Whether that is how the kernel refuses a map of this type when locked memory is used up.
pub(crate) fn refuses_map(map_type: MapType) -> impl Fn(&Error) -> bool {
    // Of these it says `EINVAL`, whatever the reason was.
    let of_devices = matches!(map_type, MapType::DEVMAP | MapType::DEVMAP_HASH);
    move |error| error.errno == Errno::EPERM || (of_devices && error.errno == Errno::EINVAL)
}

/// Whether the limit may have been in the way and is gone.
fn lift_limit() -> bool {
    // Held for the whole of it: a thread that was refused while another lifts the limit must find out
    // that it is gone since.
    static LIFTED: Mutex<bool> = Mutex::new(false);
    let mut lifted = LIFTED.lock().unwrap_or_else(PoisonError::into_inner);
    match aya_sys::memlock::lift() {
        Ok(now) => {
            *lifted |= now;
            *lifted
        }
        Err(error) => {
            log::debug!("the limit on locked memory stays: {error}");
            false
        }
    }
}
