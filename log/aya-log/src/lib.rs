//! Receive and format what eBPF programs log.
#![forbid(unsafe_code)]

mod decoder;
mod error;
mod formatter;
mod render;
mod table;

pub use aya_log_common::Level;
pub use decoder::{Decoder, MalformedRecord};
pub use error::Error;
pub use formatter::{
    DefaultFormatter, Formatter, Ipv4Formatter, Ipv6Formatter, LowerHexBytesFormatter,
    LowerHexFormatter, LowerMacFormatter, PointerFormatter, UpperHexBytesFormatter,
    UpperHexFormatter, UpperMacFormatter,
};

/// The global that holds the most verbose level that is sent; give it to
/// `EbpfLoader::override_global`.
pub const LEVEL: &str = aya_log_common::LEVEL_GLOBAL;
