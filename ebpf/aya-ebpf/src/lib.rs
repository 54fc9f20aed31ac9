//! Write eBPF programs in Rust: contexts, maps and helpers.
#![no_std]
