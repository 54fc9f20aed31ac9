//! The operations that maps have in common, each a call of one helper.
//!
//! Keys and values are passed by address. What comes back is inlined into the program, so that neither
//! `Option` nor `Result` is ever passed in memory.

use core::{ffi::c_void, ptr::NonNull};

use crate::helpers::generated as raw;

/// What a helper's return value means: 0, or a negative error number.
#[inline(always)]
pub(crate) fn check(ret: i64) -> Result<(), i32> {
    if ret == 0 { Ok(()) } else { Err(ret as i32) }
}

/// The value behind `key`.
#[inline(always)]
pub(crate) fn lookup<K, V>(map: *mut c_void, key: &K) -> Option<NonNull<V>> {
    // SAFETY: the map's keys are `K`; the verifier checks that the result is compared with null.
    NonNull::new(unsafe { raw::bpf_map_lookup_elem(map, address(key)).cast() })
}

/// Sets the value behind `key`; `flags` are `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`.
#[inline(always)]
pub(crate) fn update<K, V>(map: *mut c_void, key: &K, value: &V, flags: u64) -> Result<(), i32> {
    // SAFETY: the map's keys are `K` and its values `V`.
    check(unsafe { raw::bpf_map_update_elem(map, address(key), address(value), flags) })
}

/// Removes `key` and its value.
#[inline(always)]
pub(crate) fn delete<K>(map: *mut c_void, key: &K) -> Result<(), i32> {
    // SAFETY: the map's keys are `K`.
    check(unsafe { raw::bpf_map_delete_elem(map, address(key)) })
}

/// The address of something for a helper that reads it.
#[inline(always)]
pub(crate) fn address<T: ?Sized>(value: &T) -> *const c_void {
    core::ptr::from_ref(value).cast()
}
