//! What arrives at sockets for datagrams, one by one.

use std::{io, net::UdpSocket, time::Duration};

use crate::TestResult;

/// For datagrams that arrive: a test that waits so long fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Asserts what arrives next.
///
/// # Errors
/// When nothing does.
#[track_caller]
pub fn arrives(receiver: &UdpSocket, payload: &str) -> TestResult {
    let mut buffer = [0; 64];
    let length = receiver.recv(&mut buffer)?;
    let arrived = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    assert_eq!(arrived, payload);
    Ok(())
}

/// Asserts that nothing has arrived. What was sent earlier than something that has been waited for has
/// arrived by now, if ever; on the loopback interface sending is arriving.
///
/// # Errors
/// When the socket cannot be asked.
#[track_caller]
pub fn nothing_at(receiver: &UdpSocket) -> TestResult {
    receiver.set_nonblocking(true)?;
    let arrived = receiver.recv(&mut [0; 64]).map_err(|error| error.kind());
    receiver.set_nonblocking(false)?;
    assert_eq!(arrived, Err(io::ErrorKind::WouldBlock));
    Ok(())
}
