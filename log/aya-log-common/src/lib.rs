//! What both sides of aya-log share: levels, hints, descriptors and records.
//!
//! Logging is deferred: an eBPF program sends the number of a statement and raw argument values, and
//! user space, which holds the statement's text, does the formatting.
//!
//! - [`format`]: the grammar of format strings, read by the macros and by user space;
//! - [`argument`]: which types can be logged, and with which hint, decided at compile time;
//! - [`descriptor`]: a statement's constant part, kept in section [`SECTION`] of the object;
//! - [`record`]: what goes through the ring buffer, read without ever panicking.
//!
//! `aya-log-macros` and `aya-log-ebpf` write both, `aya-log` reads them, `aya-linker` adds
//! descriptors for panics.
#![no_std]
#![forbid(unsafe_code)]

pub mod argument;
pub mod descriptor;
pub mod format;
pub mod record;

pub use argument::{
    Argument, ArgumentKind, DefaultFormatter, IpFormatter, LowerHexFormatter, LowerMacFormatter,
    PointerFormatter, UpperHexFormatter, UpperMacFormatter,
};
pub use format::DisplayHint;

/// Length of an argument of variable length; the top bit is [`record::TRUNCATED`].
pub type LogValueLength = u16;

/// The ELF section that holds the descriptors. It is not loaded into the kernel.
pub const SECTION: &str = ".aya.log";

/// The map that carries the records: a ring buffer, or a perf event array before Linux 5.8.
pub const LOGS_MAP: &str = "AYA_LOGS";

/// The `u8` in `.rodata` that holds the most verbose level that is sent; 0 sends nothing.
pub const LEVEL_GLOBAL: &str = "AYA_LOG_LEVEL";

/// The `u64` in `.bss` that counts records that found no room.
pub const LOST_GLOBAL: &str = "AYA_LOG_LOST";

/// How serious a message is. The numbers are those of the `log` crate's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// A serious error.
    Error = 1,
    /// Something suspicious.
    Warn,
    /// Something useful to know.
    Info,
    /// Details for someone looking for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Every level, the most serious first.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The level with this number; `None` where there is none.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            5 => Self::Trace,
            _ => return None,
        })
    }

    /// The number of the level named by `name` (`off` is 0), in any case; `None` for other names.
    ///
    /// ```
    /// use aya_log_common::Level;
    /// assert_eq!(Level::filter_from_name("Warn"), Some(Level::Warn as u8));
    /// assert_eq!(Level::filter_from_name("off"), Some(0));
    /// assert_eq!(Level::filter_from_name("loud"), None);
    /// ```
    #[must_use]
    pub const fn filter_from_name(name: &str) -> Option<u8> {
        const NAMES: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        let mut number = 0;
        while number < NAMES.len() {
            if name.eq_ignore_ascii_case(NAMES[number]) {
                return Some(number as u8);
            }
            number += 1;
        }
        None
    }
}
