//! eBPF object files: bytes to plain data, relocation and linking, without I/O.
#![no_std]
