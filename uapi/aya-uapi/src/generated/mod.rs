//! What `cargo xtask codegen` writes from the kernel's headers. This file alone is written by hand.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)] // the headers' names

pub(crate) mod arch;
pub(crate) mod attr;
pub(crate) mod consts;
pub(crate) mod enums;
pub(crate) mod helpers;
pub(crate) mod kinds;
pub(crate) mod structs;

#[cfg(test)]
mod layout;
