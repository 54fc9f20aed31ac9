//! What both halves of xdp-hello share: types of map keys, values and events go here.
//!
//! This example needs none; the crate keeps the place.
#![no_std]
