//! Programs at the kernel's functions and tracepoints.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    process::Command,
};

use crate::{Result, each_variant_with, while_running};

/// There where the kernel has kernel probes.
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";

#[test]
fn kprobetcp_logs_both_ends_of_each_connection() -> Result {
    let test = "kprobetcp_logs_both_ends_of_each_connection";
    each_variant_with(KPROBES, test, "kprobetcp", |binary| {
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
    })
}
