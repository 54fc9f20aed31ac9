//! Attaching: one mechanism per file.

pub(crate) mod perf;
pub(crate) mod probe;
pub(crate) mod tracing;
pub(crate) mod xdp;
