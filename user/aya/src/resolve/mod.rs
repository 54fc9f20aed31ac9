//! Names to addresses: what the kernel and files say about the functions that probes are put on.
//!
//! Everything here reads files only; what is attached with the answers is `attach`'s business.

pub(crate) mod kallsyms;
pub(crate) mod similar;
pub(crate) mod tracefs;
