//! C's types, under the names that existing programs import.
#![allow(non_camel_case_types)]

pub use core::ffi::{
    c_char, c_double, c_float, c_int, c_longlong, c_schar, c_short, c_uchar, c_uint, c_ulonglong,
    c_ushort, c_void,
};

/// `long`, which has 64 bits in eBPF.
pub type c_long = i64;
/// `unsigned long`, which has 64 bits in eBPF.
pub type c_ulong = u64;

/// `int8_t`
pub type int8_t = i8;
/// `int16_t`
pub type int16_t = i16;
/// `int32_t`
pub type int32_t = i32;
/// `int64_t`
pub type int64_t = i64;
/// `uint8_t`
pub type uint8_t = u8;
/// `uint16_t`
pub type uint16_t = u16;
/// `uint32_t`
pub type uint32_t = u32;
/// `uint64_t`
pub type uint64_t = u64;
/// `size_t`
pub type size_t = usize;
/// `ssize_t`
pub type ssize_t = isize;
