//! The modules that the protocols refer to, and the tests beside those that they are about.

#[path = "../../../../user/aya/src/maps/guess.rs"]
mod guess;
mod perf;
mod ring_buf;
mod shared;
mod user_ring_buf;
