//! Plain data: the types whose bytes are what a map stores.
//!
//! The one place where this crate looks at a typed value as bytes and back.
#![allow(unsafe_code)]

use std::{mem, ptr, slice};

/// A type that is nothing but its bytes, so that it can be a map's key or value.
///
/// Every [`bytemuck::Pod`] is one. Its derive refuses types that are not, and needs no `unsafe`; as it
/// needs neither the standard library nor this crate, one definition serves the eBPF side, too. That
/// side has to lay the type out in the same way, hence `#[repr(C)]`:
///
/// ```
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
/// #[repr(C)]
/// struct Flow {
///     source: u32,
///     destination: u32,
///     port: u16,
///     // What the compiler would leave unused. Without it there is an error.
///     reserved: [u8; 2],
/// }
///
/// fn is_pod<T: aya::Pod>() {}
/// is_pod::<Flow>();
/// is_pod::<[Flow; 4]>();
/// ```
///
/// A type of which the author knows it, though the derive does not, can say so itself:
///
/// ```
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Pair<T>(T, T);
///
/// // SAFETY: two integers of the same size, no padding.
/// unsafe impl aya::Pod for Pair<u32> {}
/// ```
///
/// # Safety
///
/// Implement it only for types that
///
/// * have a defined layout (`#[repr(C)]`, `#[repr(transparent)]` or a primitive),
/// * have no padding: name the gaps as fields (`_pad: [u8; 3]`),
/// * are valid for every pattern of bits: no `bool`, `char`, enum, reference or `NonZero`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go into a map: it is not known to be nothing but its bytes",
    label = "not an `aya::Pod`",
    note = "put `#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]` and `#[repr(C)]` before \
            the type: they prove that it has no padding and no invalid values"
)]
pub unsafe trait Pod: Copy + 'static {}

// SAFETY: `bytemuck` asks for the same.
#[diagnostic::do_not_recommend]
unsafe impl<T: bytemuck::Pod> Pod for T {}

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

/// The bytes of `values`, to be written to.
pub(crate) fn bytes_of_slice_mut<T: Pod>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `bytes_of_slice`; any bytes written leave valid values.
    unsafe { slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
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
