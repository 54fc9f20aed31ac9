//! Programs at the hooks of the security modules.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use aya_acceptance::skip;
use rustix::{
    io::Errno,
    process::{Pid, getpriority_process, setpriority_process},
};

use crate::{Result, each_variant, while_running};

/// True where BPF programs may be security modules; else the test has been skipped.
fn allowed(test: &str) -> bool {
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let allowed = modules.trim().split(',').any(|module| module == "bpf");
    if !allowed {
        skip(test, "bpf is not among this kernel's security modules");
    }
    allowed
}

/// A lower priority is allowed, a higher one refused.
pub(crate) fn lsm_nice(binary: &Path) -> Result {
    let mut watched = 0;
    let log = while_running(Command::new(binary), |running| {
        watched = running.id().try_into()?;
        let pid = Pid::from_raw(watched);
        setpriority_process(pid, 10)?;
        assert_eq!(setpriority_process(pid, -10), Err(Errno::PERM));
        assert_eq!(getpriority_process(pid)?, 10);
        // Others may.
        setpriority_process(None, -1)?;
        setpriority_process(None, 0)?;
        Ok(())
    })?;
    for (nice, result) in [(10, 0), (-10, 0)] {
        log.expect(
            &format!(
                "The PID supplied to this program is: {watched}, with nice value {nice} and \
                     return value {result}. Monitoring for changes in PID: {watched}"
            ),
            1,
        )?;
    }
    Ok(())
}

#[test]
fn lsm_nice_refuses_a_higher_priority() -> Result {
    let test = "lsm_nice_refuses_a_higher_priority";
    if !allowed(test) {
        return Ok(());
    }
    each_variant(test, "lsm-nice", lsm_nice)
}

/// Each new process is recorded.
pub(crate) fn task_alloc(binary: &Path) -> Result {
    let log = while_running(Command::new(binary), |_| {
        let mut child = Command::new("/proc/self/exe");
        child.arg("--list").stdout(Stdio::null()).status()?;
        Ok(())
    })?;
    // At this hook the new task is a copy that still has the number of the one that makes it.
    let creator = nix::unistd::gettid();
    log.expect(&format!("PROCESSES[{creator}] = {creator}."), 1)
}

#[test]
fn task_alloc_records_each_new_process() -> Result {
    let test = "task_alloc_records_each_new_process";
    if !allowed(test) {
        return Ok(());
    }
    each_variant(test, "task-alloc", task_alloc)
}
