//! What can go wrong when a logger is made.

use std::fmt;

use aya_log_common::descriptor::DescriptorError;

/// Why the logs of an eBPF program cannot be received.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The texts of the log statements are not at hand: the object has no section `.aya.log`, or
    /// the program was loaded without it.
    DescriptorsNotFound,
    /// The section `.aya.log` cannot be read.
    DescriptorError(DescriptorError),
    /// The format string of a statement cannot be used.
    Format {
        /// The statement: an offset in section `.aya.log`.
        id: u32,
        /// The format string.
        format: Box<str>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DescriptorsNotFound => write!(
                f,
                "section `.aya.log`: not at hand, so the texts of the log statements are unknown: \
                 make the logger with `EbpfLogger::init` in the process that loads the object"
            ),
            Self::DescriptorError(_) => write!(
                f,
                "section `.aya.log`: cannot be read: build the eBPF program with the aya-log-ebpf that goes with this aya-log"
            ),
            Self::Format { id, format } => write!(
                f,
                "log statement {id}: cannot use the format string {format:?}: build the eBPF program with the \
                 aya-log-ebpf that goes with this aya-log"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::DescriptorError(error) => Some(error),
            Self::DescriptorsNotFound | Self::Format { .. } => None,
        }
    }
}
