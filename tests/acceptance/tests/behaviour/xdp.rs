//! Programs at an interface's entrance.

use std::{
    net::Ipv4Addr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use aya_netlab::{FAR_ADDRESS, Lab, NEAR, Running, received};

use crate::{Log, READY_WITHIN, Result, each_variant, while_running};

const PORT: u16 = 4000;
const BLOCKED: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
const PATIENCE: Duration = Duration::from_millis(300);

/// Which of two packets arrived: one from the blocked address, one from another.
#[derive(Debug, PartialEq, Eq)]
struct Arrived {
    blocked: bool,
    other: bool,
}

const BOTH: Arrived = Arrived {
    blocked: true,
    other: true,
};
const OTHER: Arrived = Arrived {
    blocked: false,
    other: true,
};

fn send_both(lab: &Lab) -> Result<Arrived> {
    let receiver = lab.receiver(PORT, PATIENCE)?;
    for source in [BLOCKED, FAR_ADDRESS] {
        lab.sender(source, PORT)?.send(b"hello")?;
    }
    let arrived = received(&receiver)?;
    let from = |source: Ipv4Addr| arrived.iter().any(|(from, _)| from.ip() == source);
    Ok(Arrived {
        blocked: from(BLOCKED),
        other: from(FAR_ADDRESS),
    })
}

fn run(binary: &Path, expected: Arrived) -> Result<Log> {
    let lab = Lab::new(&[BLOCKED])?;
    let mut command = Command::new(binary);
    command.args(["--iface", NEAR]);
    while_running(command, |_| {
        assert_eq!(send_both(&lab)?, expected);
        Ok(())
    })
}

/// Each packet is logged.
pub(crate) fn hello(binary: &Path) -> Result {
    run(binary, BOTH)?.expect("received a packet", 2)
}

#[test]
fn xdp_hello_logs_each_packet() -> Result {
    each_variant("xdp_hello_logs_each_packet", "xdp-hello", hello)
}

/// The source of each packet is logged.
pub(crate) fn log(binary: &Path) -> Result {
    let log = run(binary, BOTH)?;
    log.expect("SRC IP: 1.1.1.1, SRC PORT: ", 1)?;
    log.expect("SRC IP: 10.99.0.2, SRC PORT: ", 1)
}

#[test]
fn xdp_log_logs_address_and_port() -> Result {
    each_variant("xdp_log_logs_address_and_port", "xdp-log", log)
}

/// What comes from one address is dropped, and every decision logged.
pub(crate) fn firewall(binary: &Path) -> Result {
    let log = run(binary, OTHER)?;
    log.expect("SRC: 1.1.1.1, ACTION: 1", 1)?;
    log.expect("SRC: 10.99.0.2, ACTION: 2", 1)
}

#[test]
fn xdp_drop_drops_one_address() -> Result {
    each_variant("xdp_drop_drops_one_address", "xdp-drop", firewall)
}

#[test]
fn simple_xdp_program_drops_one_address() -> Result {
    let test = "simple_xdp_program_drops_one_address";
    each_variant(test, "simple-xdp-program", firewall)
}

#[test]
fn old_myapp_loads_and_attaches() -> Result {
    each_variant("old_myapp_loads_and_attaches", "old-myapp", |binary| {
        let lab = Lab::new(&[BLOCKED])?;
        let mut command = Command::new(binary);
        command.arg(binary.with_extension("o")).arg(NEAR);
        let running = Running::start(command)?;
        wait_until_attached(&running)?;
        assert_eq!(send_both(&lab)?, BOTH);
        Ok(())
    })
}

/// The old program says nothing: it is ready once the interface has an XDP program.
fn wait_until_attached(running: &Running) -> Result {
    let deadline = Instant::now() + READY_WITHIN;
    let interface = aya_netlab::netlink::index_of(NEAR)?;
    while Instant::now() < deadline {
        if let Some(line) = running.line(Instant::now() + Duration::from_millis(100))? {
            return Err(format!("it said {line:?}").into());
        }
        if aya_sys::netlink::Route::open()?.xdp_programs(interface)? != Default::default() {
            return Ok(());
        }
    }
    Err("it attached nothing".into())
}
