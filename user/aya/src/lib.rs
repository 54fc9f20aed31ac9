//! Load, attach and talk to eBPF programs, in pure Rust.
