//! The protocols by which `aya` shares ring and perf buffers with the kernel, run by `loom` in each order
//! that the rules of memory allow.
//!
//! The files are `aya`'s own, included here. They take their atomics and their memory from
//! `crate::maps::shared`, which here is a model of a few words; the kernel is a thread that does what
//! `Documentation/bpf/ringbuf.rst` and `perf_event_open(2)` say. Wrong orderings in the files make the
//! tests fail: a payload that is read while it is written, or a reader that sleeps while there is a
//! record.
#![cfg(test)]
#![allow(
    unsafe_code,
    reason = "the model's payloads are cells that loom watches"
)]

mod maps;
