//! Programs at the kernel's functions and tracepoints.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use crate::{Result, each_variant_with, while_running};

/// There where the kernel has kernel probes.
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";
/// There where the kernel's functions can be traced.
const FUNCTIONS: &str = "/sys/kernel/tracing/available_filter_functions";
const EXEC: &str = "/sys/kernel/tracing/events/sched/sched_process_exec";

/// Both ends of each connection are logged.
pub(crate) fn kprobetcp(binary: &Path) -> Result {
    let log = while_running(Command::new(binary), |_| {
        for address in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let listener = TcpListener::bind((address, 0))?;
            TcpStream::connect(listener.local_addr()?)?;
        }
        Ok(())
    })?;
    log.expect("AF_INET src address: 127.0.0.1, dest address: 127.0.0.1", 1)?;
    log.expect("AF_INET6 src addr: ::1, dest addr: ::1", 1)
}

#[test]
fn kprobetcp_logs_both_ends_of_each_connection() -> Result {
    let test = "kprobetcp_logs_both_ends_of_each_connection";
    each_variant_with(KPROBES, test, "kprobetcp", kprobetcp)
}

#[test]
fn slides_fentry_records_and_logs_each_new_process() -> Result {
    let test = "slides_fentry_records_and_logs_each_new_process";
    each_variant_with(FUNCTIONS, test, "slides-fentry", |binary| {
        let log = while_running(Command::new(binary), |_| {
            Command::new("/proc/self/exe")
                .arg("--list")
                .stdout(Stdio::null())
                .status()?;
            Ok(())
        })?;
        // The function runs in the thread that makes the process.
        let creator = nix::unistd::gettid();
        log.expect(&format!("new process: pid: {creator}"), 1)?;
        log.expect(&format!("pids[{creator}] = 0."), 1)
    })
}

/// Each exec of a file called `runc` is reported.
pub(crate) fn runc(binary: &Path) -> Result {
    let folder = std::env::temp_dir().join(format!("aya-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let mut pids = Vec::new();
    let log = while_running(Command::new(binary), |_| {
        for name in ["runc", "other"] {
            let file = folder.join(name);
            fs::copy("/proc/self/exe", &file)?;
            let mut child = Command::new(file)
                .arg("--list")
                .stdout(Stdio::null())
                .spawn()?;
            pids.push(child.id());
            child.wait()?;
        }
        Ok(())
    })?;
    fs::remove_dir_all(&folder)?;
    log.expect("exec of runc", 1)?;
    log.expect(&format!("exec of runc: pid {}.", pids[0]), 1)
}

#[test]
fn blog_runc_reports_each_exec_of_runc() -> Result {
    let test = "blog_runc_reports_each_exec_of_runc";
    each_variant_with(EXEC, test, "blog-runc", runc)
}
