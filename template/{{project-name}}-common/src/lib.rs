//! What both halves share: the types of maps and of records.
#![no_std]
