//! The XDP programs that documents about Aya print compile against this project's crates exactly as they
//! stand, in both editions, and do on the machine's kernel what their document says.

use std::{
    env,
    error::Error,
    net::Ipv4Addr,
    path::Path,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use aya_acceptance::{Program, Workspace, seeds, skip};
use aya_netlab::{FAR_ADDRESS, Lab, NEAR, Running, received};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Verdict = std::result::Result<(), &'static str>;

/// Where the workspaces are generated and built.
const BASE: &str = env!("CARGO_TARGET_TMPDIR");
const EDITIONS: [&str; 2] = ["2021", "2024"];
const PORT: u16 = 4000;
const BLOCKED: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
const PATIENCE: Duration = Duration::from_millis(300);
const READY_WITHIN: Duration = Duration::from_secs(30);

const PROGRAMS: &[Program<'_>] = &[
    Program::with_user("xdp-hello"),
    Program::with_user("xdp-log"),
    Program::with_user("xdp-drop"),
    Program::with_user("simple-xdp-program"),
    Program::with_user("old-myapp"),
    Program::ebpf_only("type-safety"),
];

/// Builds share one target directory, and the binaries of both editions one name.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What came of one packet from each of two addresses.
struct Seen {
    blocked_arrived: bool,
    other_arrived: bool,
    log: Vec<String>,
}

impl Seen {
    fn logged(&self, text: &str) -> usize {
        self.log.iter().filter(|line| line.contains(text)).count()
    }

    fn nothing_dropped(&self) -> Verdict {
        (self.blocked_arrived && self.other_arrived)
            .then_some(())
            .ok_or("packets were lost")
    }

    fn blocked_dropped(&self) -> Verdict {
        if self.logged("SRC: 1.1.1.1, ACTION: 1") != 1
            || self.logged("SRC: 10.99.0.2, ACTION: 2") != 1
        {
            return Err("a decision is missing in the log");
        }
        (!self.blocked_arrived && self.other_arrived)
            .then_some(())
            .ok_or("the wrong packet was dropped")
    }
}

/// Builds one program in each edition and mode, runs it as its document says, sends packets and hands
/// what was seen to `check`.
fn each_edition(test: &str, name: &str, check: impl Fn(&Seen) -> Verdict) -> Result<()> {
    let Some(seeds) = seeds() else {
        skip(
            test,
            "the documents' programs are not on this machine (AYA_SEEDS)",
        );
        return Ok(());
    };
    let _turn = ONE_AT_A_TIME.lock();
    for edition in EDITIONS {
        for mode in modes() {
            let workspace = Workspace::generate(Path::new(BASE), &seeds, edition, mode, PROGRAMS)?;
            let output = workspace.build(name)?;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{name}, edition {edition}, {mode}:\n{said}"
            );
            let warnings = unexpected_warnings(&said);
            assert!(
                warnings.is_empty(),
                "{name}, edition {edition}, {mode}: {warnings:#?}"
            );
            if !nix::unistd::geteuid().is_root() {
                skip(test, "built, but running it needs root");
                continue;
            }
            let mut command = Command::new(workspace.binary(name));
            let speaks = name != "old-myapp";
            if speaks {
                command.args(["--iface", NEAR]).env("RUST_LOG", "info");
            } else {
                command
                    .arg(workspace.object(name).ok_or("the build left no object")?)
                    .arg(NEAR);
            }
            let seen = run(command, speaks)?;
            if let Err(complaint) = check(&seen) {
                let log = seen.log.join("\n");
                panic!("{name}, edition {edition}, {mode}: {complaint}; it said:\n{log}");
            }
        }
    }
    Ok(())
}

/// Donor mode, and native mode where `AYA_TEST_MODES` asks for it.
fn modes() -> Vec<&'static str> {
    match env::var("AYA_TEST_MODES") {
        Ok(modes) if modes.contains("native") => vec!["donor", "native"],
        _ => vec!["donor"],
    }
}

fn run(command: Command, speaks: bool) -> Result<Seen> {
    let lab = Lab::new(&[BLOCKED])?;
    let receiver = lab.receiver(PORT, PATIENCE)?;
    let senders = [lab.sender(BLOCKED, PORT)?, lab.sender(FAR_ADDRESS, PORT)?];
    let mut running = Running::start(command)?;
    let mut log = Vec::new();
    if speaks {
        let ready;
        (ready, log) = running.wait_for("Waiting for Ctrl-C", READY_WITHIN)?;
        assert!(ready, "it did not get ready:\n{}", log.join("\n"));
    } else {
        wait_until_attached(&running)?;
    }
    for sender in &senders {
        sender.send(b"hello")?;
    }
    let arrived = received(&receiver)?;
    let from = |source: Ipv4Addr| arrived.iter().any(|(from, _)| from.ip() == source);
    if speaks {
        let (status, lines) = running.interrupt(Duration::from_secs(10))?;
        log.extend(lines);
        assert!(
            status.success(),
            "it ended with {status}:\n{}",
            log.join("\n")
        );
    }
    Ok(Seen {
        blocked_arrived: from(BLOCKED),
        other_arrived: from(FAR_ADDRESS),
        log,
    })
}

/// The old program says nothing: it is ready once the interface has an XDP program.
fn wait_until_attached(running: &Running) -> Result<()> {
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

/// What the compiler says of a program's user-space half besides that older spellings are
/// deprecated. Lines of the build script, which relays what it says of the eBPF half, do not count.
fn unexpected_warnings(said: &str) -> Vec<&str> {
    let warnings = said
        .lines()
        .filter_map(|line| line.strip_prefix("warning: "));
    warnings
        .filter(|text| !text.starts_with("use of deprecated "))
        .filter(|text| !(text.starts_with('`') && text.contains(" generated ")))
        .filter(|text| !text.contains("@0.1.0: "))
        .collect()
}

#[test]
fn xdp_hello_logs_each_packet() -> Result<()> {
    each_edition("xdp_hello_logs_each_packet", "xdp-hello", |seen| {
        if seen.logged("received a packet") != 2 {
            return Err("two packets, another number of lines");
        }
        seen.nothing_dropped()
    })
}

#[test]
fn xdp_log_logs_address_and_port() -> Result<()> {
    each_edition("xdp_log_logs_address_and_port", "xdp-log", |seen| {
        if seen.logged("SRC IP: 1.1.1.1, SRC PORT: ") != 1
            || seen.logged("SRC IP: 10.99.0.2, SRC PORT: ") != 1
        {
            return Err("a source is missing in the log");
        }
        seen.nothing_dropped()
    })
}

#[test]
fn xdp_drop_drops_one_address() -> Result<()> {
    each_edition(
        "xdp_drop_drops_one_address",
        "xdp-drop",
        Seen::blocked_dropped,
    )
}

#[test]
fn simple_xdp_program_drops_one_address() -> Result<()> {
    let name = "simple-xdp-program";
    each_edition(
        "simple_xdp_program_drops_one_address",
        name,
        Seen::blocked_dropped,
    )
}

#[test]
fn old_myapp_loads_and_attaches() -> Result<()> {
    each_edition(
        "old_myapp_loads_and_attaches",
        "old-myapp",
        Seen::nothing_dropped,
    )
}

#[test]
fn type_safety_names_both_contexts() -> Result<()> {
    let test = "type_safety_names_both_contexts";
    let Some(seeds) = seeds() else {
        skip(
            test,
            "the documents' programs are not on this machine (AYA_SEEDS)",
        );
        return Ok(());
    };
    let _turn = ONE_AT_A_TIME.lock();
    for edition in EDITIONS {
        let workspace = Workspace::generate(Path::new(BASE), &seeds, edition, "donor", PROGRAMS)?;
        let output = workspace.build("type-safety-ebpf")?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "edition {edition}: it compiled");
        for word in ["mismatched types", "SkBuffContext", "XdpContext"] {
            assert!(
                said.contains(word),
                "edition {edition}: {word} is not in the error:\n{said}"
            );
        }
    }
    Ok(())
}
