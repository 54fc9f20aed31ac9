//! The former name of aya-ebpf.
#![no_std]
