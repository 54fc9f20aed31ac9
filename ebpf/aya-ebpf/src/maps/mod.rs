//! Maps: memory shared with user space, between programs and between runs.
//!
//! A map is a `static` with [`#[map]`](macro@crate::macros::map). Its type says how keys lead to values,
//! the type's parameters what they are. All operations are calls of the kernel, made by `ops`; every
//! map type is a row of its file's macro.
//!
//! Errors are the kernel's negative error numbers.

mod def;
mod ops;

pub mod array;
pub mod hash_map;
pub mod perf;
pub mod ring_buf;

/// The module's former place.
pub mod per_cpu_array {
    pub use super::array::PerCpuArray;
}

pub use array::{Array, PerCpuArray};
#[doc(hidden)]
pub use def::is_map;
pub use def::{Map, aya_map_def};
pub use hash_map::{HashMap, LruHashMap, LruPerCpuHashMap, PerCpuHashMap};
pub use perf::{PerfEventArray, PerfEventByteArray};
pub use ring_buf::RingBuf;
