//! Receive and format what eBPF programs log.
