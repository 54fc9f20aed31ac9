//! Names to what programs are for: what the kernel and files say about functions, tracepoints and
//! hooks.
//!
//! Everything here reads; what is loaded and attached with the answers is `attach`'s business.

pub(crate) mod kallsyms;
pub(crate) mod kernel;
pub(crate) mod trace_event;
pub(crate) mod tracefs;

pub(crate) use aya_obj::similar;
