//! Programs of control groups.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::Command,
    time::Duration,
};

use aya_netlab::{Cgroup, FAR_ADDRESS, Lab, NEAR_ADDRESS, received};

use crate::{Result, each_variant, while_running};

const PORT: u16 = 4000;
const BLOCKED: Ipv4Addr = Ipv4Addr::new(1, 1, 1, 1);
const PATIENCE: Duration = Duration::from_millis(300);

/// What a group sends to one address is refused, and every decision printed.
pub(crate) fn cgroup_skb_egress(binary: &Path) -> Result {
    let lab = Lab::new(&[BLOCKED])?;
    let group = Cgroup::new()?;
    let receiver = lab.in_far(|| UdpSocket::bind(("0.0.0.0", PORT)))??;
    receiver.set_read_timeout(Some(PATIENCE))?;
    let mut command = Command::new(binary);
    command.arg("--cgroup-path").arg(group.path());
    let log = while_running(command, |_| {
        let member = group.run(|| UdpSocket::bind((NEAR_ADDRESS, 0)))??;
        member.send_to(b"member", (FAR_ADDRESS, PORT))?;
        let refused = member.send_to(b"refused", (BLOCKED, PORT));
        let refused = refused.map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::PermissionDenied));
        // Nobody else is asked.
        UdpSocket::bind((NEAR_ADDRESS, 0))?.send_to(b"stranger", (BLOCKED, PORT))?;
        let arrived: Vec<_> = received(&receiver)?.into_iter().map(|one| one.1).collect();
        assert_eq!(arrived, [&b"member"[..], b"stranger"]);
        Ok(())
    })?;
    log.expect("LOG: DST", 2)?;
    log.expect("LOG: DST 10.99.0.2, ACTION 1", 1)?;
    log.expect("LOG: DST 1.1.1.1, ACTION 0", 1)
}

#[test]
fn cgroup_skb_egress_refuses_one_address() -> Result {
    each_variant(
        "cgroup_skb_egress_refuses_one_address",
        "cgroup-skb-egress",
        cgroup_skb_egress,
    )
}
