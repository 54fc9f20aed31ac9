//! Generated from the kernel's headers by `cargo xtask codegen`.

pub mod bindings;
pub(crate) mod kinds;
