//! Attaching: one mechanism per file.

pub(crate) mod xdp;
