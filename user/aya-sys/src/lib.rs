//! The system calls of the BPF subsystem, one safe function each.
