//! Log from eBPF programs.
#![no_std]
