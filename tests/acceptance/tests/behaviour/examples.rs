//! The examples do what their documents say. Guests have them, built for their kernel; they are held to the
//! same checks as the documents' programs that do the same.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use aya_acceptance::skip;
use aya_netlab::{FAR_ADDRESS, Lab, NEAR};

use crate::{ONE_AT_A_TIME, Result, cgroup, security, tc, tracing, while_running, xdp};

fn run(test: &str, name: &str, check: fn(&Path) -> Result) -> Result {
    let Some(programs) = env::var_os("AYA_ACCEPTANCE_PROGRAMS").map(PathBuf::from) else {
        skip(test, "needs a guest: cargo xtask acceptance");
        return Ok(());
    };
    let _turn = ONE_AT_A_TIME.lock();
    check(&programs.join("examples").join(name))
}

macro_rules! examples {
    ($($test:ident: $name:literal $check:path;)*) => {$(
        #[test]
        fn $test() -> Result {
            run(concat!("examples::", stringify!($test)), $name, $check)
        }
    )*};
}

examples! {
    xdp_hello: "xdp-hello" xdp::hello;
    xdp_log: "xdp-log" xdp::log;
    xdp_drop: "xdp-drop" xdp::firewall;
    tc_egress: "tc-egress" tc::tc_egress;
    cgroup_skb_egress: "cgroup-skb-egress" cgroup::cgroup_skb_egress;
    kprobetcp: "kprobetcp" tracing::kprobetcp;
    runc_watch: "runc-watch" tracing::runc;
    lsm_nice: "lsm-nice" security::lsm_nice;
    task_alloc: "task-alloc" security::task_alloc;
    process_log: "process-log" logs_new_processes;
    packet_payload: "packet-payload" prints_packets;
}

/// Who makes a process is logged, once for each.
fn logs_new_processes(binary: &Path) -> Result {
    let log = while_running(Command::new(binary), |_| {
        for _ in 0..2 {
            Command::new("/proc/self/exe")
                .arg("--list")
                .stdout(Stdio::null())
                .status()?;
        }
        Ok(())
    })?;
    log.expect(&format!("new process: pid: {}", std::process::id()), 2)
}

/// Every packet is printed, whole.
fn prints_packets(binary: &Path) -> Result {
    const PORT: u16 = 4000;
    /// What makes a packet longer than a program's stack.
    const LONG: [u8; 1000] = [0xa5; 1000];
    const HEADERS: usize = 14 + 20 + 8;

    let lab = Lab::new(&[])?;
    // Somebody listens: nothing is sent back.
    let _receiver = lab.receiver(PORT, Duration::from_millis(300))?;
    let mut command = Command::new(binary);
    command.args(["--iface", NEAR]);
    let log = while_running(command, |_| {
        let sender = lab.sender(FAR_ADDRESS, PORT)?;
        sender.send(b"hello")?;
        sender.send(&LONG)?;
        Ok(())
    })?;
    let ethernet = "packet=[02, 00, 00, 00, 00, 01, 02, 00, 00, 00, 00, 02, 08, 00, 45, ";
    log.expect(&format!("size={} {ethernet}", HEADERS + 5), 1)?;
    log.expect(format!("{:02x?}", b"hello").trim_start_matches('['), 1)?;
    log.expect(&format!("size={} {ethernet}", HEADERS + LONG.len()), 1)?;
    log.expect(format!("{LONG:02x?}").trim_start_matches('['), 1)
}
