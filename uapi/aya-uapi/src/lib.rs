//! The kernel's BPF interface: constants, wire structs, and the tables of program and map types.
#![no_std]
