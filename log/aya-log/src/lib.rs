//! Receive and format what eBPF programs log.
//!
//! Programs log with the macros of aya-log-ebpf; [`EbpfLogger`] receives the records and hands them to
//! a logger of the `log` crate, such as env_logger:
//!
//! ```no_run
//! let mut ebpf = aya::Ebpf::load_file("firewall.o")?;
//! let mut logger = aya_log::EbpfLogger::init(&mut ebpf)?;
//! // Load and attach programs, then each time that the logger's descriptor is readable:
//! logger.flush();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With tokio and the cargo feature `tokio` that is one line, `tokio::spawn(logger.forward())`.
//!
//! A program sends only the number of a statement and the bytes of its arguments; the texts stay in
//! section `.aya.log` of the object, from which the logger reads them once. In the order of the data:
//! `loaded` (what the kernel keeps beside a program), `source` (where records come from), `decoder` and `table` (which statement sent a record),
//! `render` (values as text), `logger` (all together). The formats are aya-log-common's.
//!
//! Strings and characters that a program sends may come from anybody, such as from a packet: their
//! control characters are shown as Rust writes them (`\n`, `\u{1b}`).
//!
//! # Levels
//!
//! What a program sends is decided when it is loaded, by the global [`LEVEL`]; the verifier removes
//! the statements beyond it:
//!
//! ```no_run
//! use aya::EbpfLoader;
//!
//! let mut loader = EbpfLoader::new();
//! loader.override_global(aya_log::LEVEL, &(aya_log::Level::Warn as u8), true);
//! ```
//!
//! What is sent is filtered once more by the logger that receives it, before it is formatted.
#![forbid(unsafe_code)]

mod decoder;
mod error;
mod formatter;
#[cfg(feature = "tokio")]
mod forward;
mod loaded;
mod logger;
mod render;
mod source;
mod table;

pub use aya_log_common::Level;
pub use decoder::{Decoder, MalformedRecord};
pub use error::Error;
pub use formatter::{
    DefaultFormatter, Formatter, Ipv4Formatter, Ipv6Formatter, LowerHexBytesFormatter,
    LowerHexFormatter, LowerMacFormatter, PointerFormatter, UpperHexBytesFormatter,
    UpperHexFormatter, UpperMacFormatter,
};

#[expect(deprecated, reason = "the former name stays available")]
pub use logger::BpfLogger;
pub use logger::EbpfLogger;

/// The global that holds the most verbose level that is sent; give it to
/// `EbpfLoader::override_global`.
pub const LEVEL: &str = aya_log_common::LEVEL_GLOBAL;
