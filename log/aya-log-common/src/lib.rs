//! What both sides of aya-log share: levels, hints, descriptors and records.
#![no_std]
