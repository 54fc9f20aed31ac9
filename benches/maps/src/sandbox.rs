//! A process that may do nothing but bpf(2).

use aya_benches::Result;

/// Whether `work`, in a child process, calls the kernel for nothing but bpf(2), and returns true.
pub(crate) fn only_bpf(work: impl FnOnce() -> bool) -> Result<bool> {
    // Without this the answer would always be yes.
    if confined(|| std::fs::metadata("/").is_ok())? {
        return Err("the kernel does not filter system calls".into());
    }
    confined(work)
}

fn confined(work: impl FnOnce() -> bool) -> Result<bool> {
    // SAFETY: this process has one thread, so nothing is left half done in the child.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error().into()),
        0 => {
            let done = confine() && work();
            // SAFETY: ends the child; what the parent has is left alone.
            unsafe { libc::_exit(if done { 0 } else { 1 }) }
        }
        child => {
            let mut status = 0;
            // SAFETY: writes the status.
            if unsafe { libc::waitpid(child, &mut status, 0) } != child {
                return Err(std::io::Error::last_os_error().into());
            }
            Ok(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0)
        }
    }
}

/// From now on any other call than bpf(2) kills this process, but for the one that ends it.
fn confine() -> bool {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt| libc::sock_filter { code, jt, jf: 0, k };
    let mut steps = [
        step(LOAD_NUMBER, 0, 0),
        step(IF_EQUAL, libc::SYS_bpf as u32, 2),
        step(IF_EQUAL, libc::SYS_exit_group as u32, 1),
        step(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let filter = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: numbers alone, then a filter that lives as long as the call.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) == 0
    }
}
