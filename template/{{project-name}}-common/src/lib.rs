//! What both halves share: the types of maps and of records.
//!
//! The derive proves that a type is nothing but its bytes, so that it can go through the kernel:
//!
//! ```
//! use bytemuck::{Pod, Zeroable};
//!
//! #[derive(Clone, Copy, Pod, Zeroable)]
//! #[repr(C)]
//! pub struct Flow {
//!     pub source: u32,
//!     pub destination: u32,
//! }
//! ```
#![no_std]
