//! Runs the `xdp-drop` example, as its users build it, on a network of its own, and counts what
//! happens to packets from the address that it blocks and from another one.
//!
//! `cargo xtask demo` starts this on the machine itself or in a guest. The last line is
//! `demo: sent=N dropped=N passed=N logged=N kernel=V`. Exit codes: 0 when the firewall did its job,
//! 1 when it did not, [`NOT_HERE`] when this machine does not let it be tried.
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    env,
    error::Error,
    net::{IpAddr, Ipv4Addr},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use aya_netlab::{FAR_ADDRESS, Lab, NEAR, Running, received};

/// Exit code: no network namespace or no eBPF for this user on this machine.
const NOT_HERE: u8 = 3;

/// The address that the example blocks.
const BLOCKED: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
const PORT: u16 = 4000;
/// Packets from each of the two addresses: as many as any kernel keeps for a receiver that reads later.
const EACH: usize = 25;

/// What the example prints once it is attached and its list is filled.
const READY: &str = "Waiting for Ctrl-C";
/// Loading takes milliseconds on a real machine; emulated ones are slow.
const READY_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(10);
/// A packet that has not arrived after this time will not.
const PATIENCE: Duration = Duration::from_millis(500);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(example), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: aya-demo PATH-OF-XDP-DROP");
        return ExitCode::from(2);
    };
    let lab = match Lab::new(&[BLOCKED]) {
        Ok(lab) => lab,
        Err(error) => {
            eprintln!("demo: {error}: {}", error.source);
            return ExitCode::from(NOT_HERE);
        }
    };
    match demo(&lab, Command::new(example)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(lab: &Lab, example: Command) -> Result<ExitCode> {
    let network = Network::new(lab)?;
    if network.send_and_count(1)?
        != (Counts {
            blocked: 1,
            other: 1,
        })
    {
        return Err("packets get lost without a firewall".into());
    }

    let mut firewall = Firewall::start(example)?;
    if !firewall.is_ready()? {
        eprintln!("demo: the firewall ended before it was attached");
        return Ok(ExitCode::from(NOT_HERE));
    }
    let arrived = network.send_and_count(EACH)?;
    let sent = 2 * EACH;
    let logged = firewall.logged(sent)?;
    firewall.end()?;

    let passed = arrived.blocked + arrived.other;
    let dropped = sent - passed;
    let mut good = dropped > 0 && passed > 0 && logged.len() == sent;
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            eprintln!("demo: {what}");
            good = false;
        }
    };
    expect(
        arrived
            == Counts {
                blocked: 0,
                other: EACH,
            },
        "the wrong packets were dropped",
    );
    let decisions = |source: Ipv4Addr, action: u32| {
        logged
            .iter()
            .filter(|decision| **decision == Decision { source, action })
            .count()
    };
    expect(
        decisions(BLOCKED, XDP_DROP) == EACH && decisions(FAR_ADDRESS, XDP_PASS) == EACH,
        "the log tells of other decisions than were made",
    );
    expect(
        network.send_and_count(1)?
            == Counts {
                blocked: 1,
                other: 1,
            },
        "packets are dropped although the firewall has ended",
    );
    let kernel = nix::sys::utsname::uname()?
        .release()
        .to_string_lossy()
        .into_owned();
    println!(
        "demo: sent={sent} dropped={dropped} passed={passed} logged={} kernel={kernel}",
        logged.len()
    );
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many packets of each address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    blocked: usize,
    other: usize,
}

struct Network {
    receiver: std::net::UdpSocket,
    blocked: std::net::UdpSocket,
    other: std::net::UdpSocket,
}

impl Network {
    fn new(lab: &Lab) -> Result<Self> {
        Ok(Self {
            receiver: lab.receiver(PORT, PATIENCE)?,
            blocked: lab.sender(BLOCKED, PORT)?,
            other: lab.sender(FAR_ADDRESS, PORT)?,
        })
    }

    /// Sends `each` packets from both addresses and counts those that arrive.
    fn send_and_count(&self, each: usize) -> Result<Counts> {
        for number in 0..each {
            let payload = number.to_string();
            self.blocked.send(payload.as_bytes())?;
            self.other.send(payload.as_bytes())?;
        }
        let mut arrived: HashMap<IpAddr, usize> = HashMap::new();
        for (from, _) in received(&self.receiver)? {
            *arrived.entry(from.ip()).or_default() += 1;
        }
        let mut count = |source: Ipv4Addr| arrived.remove(&source.into()).unwrap_or(0);
        Ok(Counts {
            blocked: count(BLOCKED),
            other: count(FAR_ADDRESS),
        })
    }
}

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// One line of the firewall's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decision {
    source: Ipv4Addr,
    action: u32,
}

impl Decision {
    /// Reads `… SRC: 1.1.1.1, ACTION: 1`.
    fn parse(line: &str) -> Option<Self> {
        let (source, action) = line.split_once("SRC: ")?.1.split_once(", ACTION: ")?;
        Some(Self {
            source: source.parse().ok()?,
            action: action.trim().parse().ok()?,
        })
    }
}

/// The running example.
struct Firewall(Running);

impl Firewall {
    fn start(mut example: Command) -> Result<Self> {
        example.args(["--iface", NEAR]).env("RUST_LOG", "info");
        let name = example.get_program().to_string_lossy().into_owned();
        let running = Running::start(example).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self(running))
    }

    /// Waits until the firewall works; what it says before that is shown.
    fn is_ready(&self) -> Result<bool> {
        let (ready, lines) = self.0.wait_for(READY, READY_WITHIN)?;
        show(&lines);
        Ok(ready)
    }

    /// Reads its log until there are as many decisions as wanted, or no more come.
    fn logged(&self, wanted: usize) -> Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        let mut deadline = Instant::now() + END_WITHIN;
        while let Some(line) = self.0.line(deadline)? {
            match Decision::parse(&line) {
                Some(decision) => {
                    if !decisions.contains(&decision) {
                        eprintln!("{line}");
                    }
                    decisions.push(decision);
                }
                None => eprintln!("{line}"),
            }
            if decisions.len() >= wanted {
                // One record too many would show soon.
                deadline = Instant::now() + PATIENCE;
            }
        }
        Ok(decisions)
    }

    /// Ends it as its user would.
    fn end(&mut self) -> Result<()> {
        let (status, lines) = self.0.interrupt(END_WITHIN)?;
        show(&lines);
        if status.success() {
            Ok(())
        } else {
            Err(format!("the firewall ended with {status}").into())
        }
    }
}

fn show(lines: &[String]) {
    for line in lines {
        eprintln!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decisions() {
        let line = "[2026-01-01T00:00:00Z INFO  xdp_drop] SRC: 1.1.1.1, ACTION: 1";
        assert_eq!(
            Decision::parse(line),
            Some(Decision {
                source: BLOCKED,
                action: XDP_DROP
            })
        );
        assert_eq!(Decision::parse("SRC: 1.1.1, ACTION: 1"), None);
        assert_eq!(Decision::parse("Waiting for Ctrl-C..."), None);
    }
}
