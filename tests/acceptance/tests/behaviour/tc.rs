//! Programs of traffic control.

use std::{
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use aya::maps::{HashMap, Map, MapData, loaded_maps};
use aya_netlab::{FAR_ADDRESS, Lab, NEAR, NEAR_ADDRESS, Running, received};

use crate::{READY_WITHIN, Result, each_variant, while_running};

const PORT: u16 = 4000;
const BLOCKED: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
const PATIENCE: Duration = Duration::from_millis(300);

/// What leaves for one address is dropped, and every decision logged.
pub(crate) fn tc_egress(binary: &Path) -> Result {
    let lab = Lab::new(&[BLOCKED])?;
    let receiver = lab.in_far(|| UdpSocket::bind(("0.0.0.0", PORT)))??;
    receiver.set_read_timeout(Some(PATIENCE))?;
    let mut command = Command::new(binary);
    command.args(["--iface", NEAR]);
    let log = while_running(command, |_| {
        let sender = UdpSocket::bind((NEAR_ADDRESS, 0))?;
        sender.send_to(b"blocked", (BLOCKED, PORT))?;
        sender.send_to(b"other", (FAR_ADDRESS, PORT))?;
        let arrived: Vec<_> = received(&receiver)?.into_iter().map(|one| one.1).collect();
        assert_eq!(arrived, [b"other"]);
        Ok(())
    })?;
    log.expect("DEST 1.1.1.1, ACTION 2", 1)?;
    log.expect("DEST 10.99.0.2, ACTION 3", 1)
}

#[test]
fn tc_egress_drops_one_address() -> Result {
    each_variant("tc_egress_drops_one_address", "tc-egress", tc_egress)
}

#[test]
fn blog_tc_ingress_drops_and_reports() -> Result {
    each_variant(
        "blog_tc_ingress_drops_and_reports",
        "blog-tc-ingress",
        |binary| {
            let lab = Lab::new(&[BLOCKED])?;
            let receiver = lab.receiver(PORT, PATIENCE)?;
            let mut command = Command::new(binary);
            command.arg(NEAR);
            let mut running = Running::start(command)?;
            send_until_reported(&lab, &running)?;
            received(&receiver)?;

            blocklist()?.insert(u32::from(BLOCKED), 0, 0)?;
            lab.sender(BLOCKED, PORT)?.send(b"blocked")?;
            lab.sender(FAR_ADDRESS, PORT)?.send(b"accepted")?;
            let arrived: Vec<_> = received(&receiver)?.into_iter().map(|one| one.1).collect();
            assert_eq!(arrived, [b"accepted"]);
            let (_, lines) = running.interrupt(READY_WITHIN)?;
            assert!(
                !lines.iter().any(|line| line.contains("size=49")),
                "{lines:?}"
            );
            assert!(lines.contains(&report(50)), "{lines:?}");
            Ok(())
        },
    )
}

/// What is said of a packet: its size, and its Ethernet header.
fn report(size: usize) -> String {
    format!("size={size} packet=[02, 00, 00, 00, 00, 01, 02, 00, 00, 00, 00, 02, 08, 00]")
}

/// The program says nothing before the first packet.
fn send_until_reported(lab: &Lab, running: &Running) -> Result {
    let sender = lab.sender(FAR_ADDRESS, PORT)?;
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        // Before the program is attached nobody may listen: that is told to the next one who sends.
        let _refused = sender.send(b"ready?");
        if let Some(line) = running.line(Instant::now() + PATIENCE)? {
            assert_eq!(line, report(14 + 20 + 8 + 6));
            return Ok(());
        }
    }
    Err("it reported nothing".into())
}

/// The program's map, which its own user space leaves empty.
fn blocklist() -> Result<HashMap<MapData, u32, u8>> {
    for map in loaded_maps() {
        let map = map?;
        // The kernel keeps 15 characters of a name.
        if map.name() == b"BLOCKLIST_V4_IN" {
            let data = MapData::from_id(map.id())?;
            return Ok(Map::from_map_data(data)?.try_into()?);
        }
    }
    Err("no map BLOCKLIST_V4_INGRESS".into())
}
