//! Perf events: perf_event_open(2) and the ioctls of its descriptors.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use aya_uapi::bindings::{
    PERF_FLAG_FD_CLOEXEC, perf_event_attr, perf_event_sample_format, perf_sw_ids, perf_type_id,
};

use crate::{Errno, Error, Result, call};

/// The ioctls, by the kernel's encoding: type `$`, number, and for those that take an address its size.
mod ioctl {
    const NONE: u32 = 0x2400;
    pub(super) const ENABLE: u32 = NONE;
    pub(super) const DISABLE: u32 = NONE | 1;
    /// `_IOW('$', 8, __u32)`
    pub(super) const SET_BPF: u32 = 0x4004_2408;
}

/// Bits of [`perf_event_attr::bits`]: C's bit fields, whose first is the lowest bit or the highest by the
/// byte order.
pub mod bits {
    const fn bit(number: u32) -> u64 {
        if cfg!(target_endian = "little") {
            1 << number
        } else {
            1 << (63 - number)
        }
    }

    /// Counts nothing before [`enable`](super::enable).
    pub const DISABLED: u64 = bit(0);
    /// Counts what the counted threads start, too.
    pub const INHERIT: u64 = bit(1);
    /// `sample_period` is a number of samples per second.
    pub const FREQ: u64 = bit(10);
}

/// Which processes and CPUs an event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One thread on any CPU; 0 is the calling one.
    Process(u32),
    /// One thread on one CPU.
    ProcessOnCpu(u32, u32),
    /// All processes on one CPU. Needs `CAP_PERFMON`, or `CAP_SYS_ADMIN` before kernel 5.8.
    Cpu(u32),
}

/// Opens a perf event: a counter, tracepoint, breakpoint or probe, as `attr` says. The member `size` is
/// filled in here. Since kernel 2.6.31.
///
/// Where `attr` holds an address (of a probe's path or name), the text there ends with a zero byte and
/// stays alive for the call.
pub fn open(attr: &perf_event_attr, scope: Scope) -> Result<OwnedFd> {
    const CALL: &str = "perf_event_open";
    let narrow = |number: u32| i32::try_from(number).map_err(|_| Error::new(CALL, Errno::EINVAL));
    let (pid, cpu) = match scope {
        Scope::Process(pid) => (narrow(pid)?, -1),
        Scope::ProcessOnCpu(pid, cpu) => (narrow(pid)?, narrow(cpu)?),
        Scope::Cpu(cpu) => (-1, narrow(cpu)?),
    };
    let mut attr = *attr;
    attr.size = size_of::<perf_event_attr>() as u32;
    // SAFETY: `attr` is valid for reading, of the size it says. The kernel reads through the addresses
    // in it as a user's and answers EFAULT where there is no memory.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw mut attr,
            libc::c_long::from(pid),
            libc::c_long::from(cpu),
            libc::c_long::from(-1),
            libc::c_ulong::from(PERF_FLAG_FD_CLOEXEC),
        )
    };
    let fd = call::check(CALL, fd as libc::c_int)?;
    // SAFETY: just made.
    Ok(unsafe { call::owned(fd) })
}

/// Opens the event whose buffer programs on `cpu` write to through a perf event array: raw samples, each
/// of which wakes readers. Since kernel 4.4.
///
/// Map the descriptor, [`enable`] it, and put it into the array.
pub fn open_bpf_output(cpu: u32) -> Result<OwnedFd> {
    open(
        &perf_event_attr {
            type_: perf_type_id::PERF_TYPE_SOFTWARE,
            config: u64::from(perf_sw_ids::PERF_COUNT_SW_BPF_OUTPUT),
            sample_period: 1,
            sample_type: u64::from(perf_event_sample_format::PERF_SAMPLE_RAW),
            wakeup_events: 1,
            ..perf_event_attr::ZEROED
        },
        Scope::Cpu(cpu),
    )
}

/// Starts an event.
pub fn enable(fd: BorrowedFd<'_>) -> Result<()> {
    control("ioctl(PERF_EVENT_IOC_ENABLE)", fd, ioctl::ENABLE, 0)
}

/// Stops an event.
pub fn disable(fd: BorrowedFd<'_>) -> Result<()> {
    control("ioctl(PERF_EVENT_IOC_DISABLE)", fd, ioctl::DISABLE, 0)
}

/// Runs a program at an event. Kernels since 5.15 have links for that.
pub fn set_bpf(fd: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let call = "ioctl(PERF_EVENT_IOC_SET_BPF)";
    control(call, fd, ioctl::SET_BPF, program.as_raw_fd())
}

fn control(call: &'static str, fd: BorrowedFd<'_>, request: u32, argument: i32) -> Result<()> {
    // SAFETY: these requests take an integer, no address.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request as _, argument) };
    call::check(call, result).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::fake::tests::needs_kernel;

    #[test]
    fn opens_an_output() {
        let Some(fd) = needs_kernel("perf::opens_an_output", || open_bpf_output(0)) else {
            return;
        };
        enable(fd.as_fd()).unwrap();
        disable(fd.as_fd()).unwrap();
        let refused = set_bpf(fd.as_fd(), fd.as_fd()).unwrap_err();
        assert_eq!(refused.call, "ioctl(PERF_EVENT_IOC_SET_BPF)");
    }

    #[test]
    fn refuses_a_cpu_out_of_range() {
        assert_eq!(open_bpf_output(u32::MAX).unwrap_err().errno, Errno::EINVAL);
    }
}
