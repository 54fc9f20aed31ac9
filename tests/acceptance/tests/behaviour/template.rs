//! A project of each program type, just generated from the template, loads and attaches its program and
//! logs the event.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use aya_acceptance::skip;
use aya_netlab::{FAR_ADDRESS, Lab, Running, netlink};

use crate::{ENDS_WITHIN, QUIET, READY_WITHIN, Result};

/// The slowest event is a second of CPU time.
const EVENT_WITHIN: Duration = Duration::from_secs(10);

/// Types that are held to loading and attaching alone: no socket is in a fresh project's map, and the
/// return of the loader's own `main` has not been seen to be logged. `tests/integration` has their events.
const SILENT: &[&str] = &["sk_msg", "uretprobe"];

#[test]
fn template_loads_attaches_and_logs() -> Result {
    let Some(programs) = env::var_os("AYA_ACCEPTANCE_PROGRAMS").map(PathBuf::from) else {
        skip(
            "template_loads_attaches_and_logs",
            "needs a guest: cargo xtask acceptance",
        );
        return Ok(());
    };
    let mut failures = Vec::new();
    for entry in fs::read_dir(programs.join("template"))? {
        let loader = entry?.path();
        if let Err(error) = loads_attaches_and_logs(&loader) {
            failures.push(format!("{}: {error}", loader.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn loads_attaches_and_logs(loader: &Path) -> Result {
    let lab = Lab::new(&[])?;
    netlink::set_up(netlink::index_of("lo")?)?;
    let mut running = Running::start(Command::new(loader))?;
    let (ready, lines) = running.wait_for("Waiting for Ctrl-C", READY_WITHIN)?;
    if !ready {
        return Err(lines.join("\n").into());
    }
    let silent = SILENT.iter().any(|name| loader.ends_with(name));
    let own_socket = lines.iter().find_map(|line| {
        let (_, address) = line.split_once(" what comes to ")?;
        address.parse::<SocketAddr>().ok()
    });
    // What the program logs is under its crate's name.
    let program = format!("my_{}]", loader.file_name().unwrap_or_default().display());
    let deadline = Instant::now() + EVENT_WITHIN;
    loop {
        cause_events(&lab, loader)?;
        if let Some(address) = own_socket {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(b"hello", address)?;
            // Where it is a socket for datagrams, nobody listens.
            let _refused = TcpStream::connect(address);
        }
        let line = running.line(Instant::now() + QUIET)?;
        if silent || line.is_some_and(|line| line.contains(&program)) {
            break;
        }
        if Instant::now() > deadline {
            return Err("it logged nothing".into());
        }
    }
    let (status, lines) = running.interrupt(ENDS_WITHIN)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("it ended with {status}:\n{}", lines.join("\n")).into())
    }
}

/// One of everything that the types of programs wait for.
fn cause_events(lab: &Lab, loader: &Path) -> Result {
    // A packet from outside; a system call about a socket.
    let receiver = lab.receiver(4000, Duration::from_millis(300))?;
    receiver.ttl()?;
    lab.sender(FAR_ADDRESS, 4000)?.send(b"hello")?;
    receiver.recv(&mut [0; 8])?;
    // A TCP connection.
    let listener = TcpListener::bind((aya_netlab::NEAR_ADDRESS, 0))?;
    drop(TcpStream::connect(listener.local_addr()?));
    // A file opened and removed; a sysctl read.
    let file = env::temp_dir().join("aya-template-event");
    fs::write(&file, "")?;
    fs::remove_file(&file)?;
    fs::read_to_string("/proc/sys/kernel/hostname")?;
    // A process started, from the file that a probe of `main` is on, and ended: `main` returns.
    let mut other = Running::start(Command::new(loader))?;
    if other.wait_for("Waiting for Ctrl-C", READY_WITHIN)?.0 {
        other.interrupt(ENDS_WITHIN)?;
    }
    Ok(())
}
