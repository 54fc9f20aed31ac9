//! Trace events: the file system where the kernel lists them, and where probes become events.

use std::{fs, io, path::PathBuf};

/// Where it is mounted, most likely first; the second is how kernels before 4.1 had it.
const MOUNTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The folder of trace events.
///
/// # Errors
///
/// `NotFound` with a message that says how to mount it, or that the process may not look into it.
pub(crate) fn root() -> io::Result<PathBuf> {
    let mut refused = None;
    for path in MOUNTS.map(PathBuf::from) {
        match fs::metadata(path.join("events")) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "tracefs is not mounted: `mount -t tracefs tracefs /sys/kernel/tracing`",
        )
    }))
}

/// The number by which a perf event names a trace event.
pub(crate) fn event_id(category: &str, name: &str) -> io::Result<u64> {
    let path = root()?.join("events").join(category).join(name).join("id");
    let text = fs::read_to_string(path)?;
    let number = text.trim().parse();
    number.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
