//! Plain data: the types whose bytes are what a map stores.
//!
//! The one place where this crate looks at a typed value as bytes and back.
#![allow(unsafe_code)]

use std::{mem, ptr, slice};

/// A type that is nothing but its bytes, so that it can be a map's key or value.
///
/// The same layout has to hold on the eBPF side, hence `#[repr(C)]` for structs.
///
/// ```
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Flow {
///     source: u32,
///     destination: u32,
/// }
///
/// // SAFETY: two integers of the same size, no padding.
/// unsafe impl aya::Pod for Flow {}
/// ```
///
/// # Safety
///
/// Implement it only for types that
///
/// * have a defined layout (`#[repr(C)]`, `#[repr(transparent)]` or a primitive),
/// * have no padding: name the gaps as fields (`_pad: [u8; 3]`),
/// * are valid for every pattern of bits: no `bool`, `char`, enum, reference or `NonZero`.
pub unsafe trait Pod: Copy + 'static {}

macro_rules! pod {
    ($($type:ty),* $(,)?) => {
        // SAFETY: primitive numbers have no padding, and every bit pattern is a value.
        $(unsafe impl Pod for $type {})*
    };
}

pod! { u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, usize, isize, f32, f64 }

// SAFETY: an array lays its elements side by side, without padding of its own.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// The bytes of `value`.
pub(crate) fn bytes_of<T: Pod>(value: &T) -> &[u8] {
    // SAFETY: `value` is `size_of::<T>()` readable bytes, all initialised since `T` has no padding.
    unsafe { slice::from_raw_parts(ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The bytes of `values`.
pub(crate) fn bytes_of_slice<T: Pod>(values: &[T]) -> &[u8] {
    // SAFETY: a slice lays its elements side by side, each of them initialised bytes.
    unsafe { slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of `value`, to be written to.
pub(crate) fn bytes_of_mut<T: Pod>(value: &mut T) -> &mut [u8] {
    // SAFETY: as in `bytes_of`; any bytes written leave a valid `T`.
    unsafe { slice::from_raw_parts_mut(ptr::from_mut(value).cast(), size_of::<T>()) }
}

/// The value whose bytes are all zero.
pub(crate) fn zeroed<T: Pod>() -> T {
    // SAFETY: every bit pattern is a valid `T`.
    unsafe { mem::zeroed() }
}

/// The value whose bytes `bytes` starts with; `None` when there are too few of them.
pub(crate) fn from_prefix<T: Pod>(bytes: &[u8]) -> Option<T> {
    let mut value = zeroed();
    bytes_of_mut(&mut value).copy_from_slice(bytes.get(..size_of::<T>())?);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_there_and_back() {
        let value = [0x0102_0304_u32, 0x0506_0708];
        assert_eq!(from_prefix::<[u32; 2]>(bytes_of(&value)), Some(value));
        assert_eq!(bytes_of(&value).len(), 8);
        assert_eq!(from_prefix::<u64>(&[0; 7]), None);
        assert_eq!(zeroed::<[u8; 3]>(), [0; 3]);
    }
}
