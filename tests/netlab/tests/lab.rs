//! The test network itself, on this machine where it is allowed.

use std::{error::Error, io::Write as _, time::Duration};

use aya_netlab::{FAR_ADDRESS, Lab, received, udp_packet};

const PATIENCE: Duration = Duration::from_millis(200);

#[test]
fn packets_arrive_from_each_source_and_nothing_else_does() -> Result<(), Box<dyn Error>> {
    let source = [1, 1, 1, 1].into();
    let lab = match Lab::new(&[source]) {
        Ok(lab) => lab,
        Err(error) => {
            let line = format!(
                "SKIP: packets_arrive_from_each_source_and_nothing_else_does: {error}: {}\n",
                error.source
            );
            return Ok(std::io::stderr().write_all(line.as_bytes())?);
        }
    };
    let receiver = lab.receiver(4000, PATIENCE)?;
    lab.sender(FAR_ADDRESS, 4000)?.send(b"one")?;
    lab.sender(source, 4000)?.send(b"two")?;
    lab.send_packet(&udp_packet([8, 8, 8, 8].into(), 53, 4000, b"three"))?;
    let datagrams = received(&receiver)?;
    let sources: Vec<_> = datagrams
        .iter()
        .map(|(from, _)| from.ip().to_string())
        .collect();
    assert_eq!(sources, ["10.99.0.2", "1.1.1.1", "8.8.8.8"]);
    let contents: Vec<_> = datagrams
        .into_iter()
        .map(|(_, contents)| contents)
        .collect();
    assert_eq!(
        contents,
        [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]
    );

    // The wire carried those three and no other packet.
    let devices = std::fs::read_to_string("/proc/thread-self/net/dev")?;
    let near = devices
        .lines()
        .find(|line| line.trim_start().starts_with("near0:"));
    assert_eq!(
        near.and_then(|line| line.split_whitespace().nth(2)),
        Some("3"),
        "{devices}"
    );
    Ok(())
}

#[test]
fn the_thread_goes_home() -> Result<(), Box<dyn Error>> {
    let namespace = || std::fs::read_link("/proc/thread-self/ns/net");
    let before = namespace()?;
    if let Ok(lab) = Lab::new(&[]) {
        let near = namespace()?;
        assert_ne!(near, before);
        assert_ne!(lab.in_far(namespace)??, near);
        assert_eq!(namespace()?, near);
    }
    assert_eq!(namespace()?, before);
    Ok(())
}
