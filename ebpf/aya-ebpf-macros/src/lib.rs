//! Attribute macros for eBPF programs and maps.
