//! The log macros of aya-log-ebpf.
