//! Build eBPF programs from a build script.
