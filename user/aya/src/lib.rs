//! Load, attach and talk to eBPF programs, in pure Rust.

#![deny(unsafe_code)]

pub mod maps;
pub mod pin;
pub mod programs;
pub mod sys;
pub mod util;

pub use maps::Pod;
