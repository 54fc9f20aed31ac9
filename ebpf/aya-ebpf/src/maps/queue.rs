//! Queues and stacks: values without keys.

use core::{ffi::c_void, mem::MaybeUninit};

use crate::{
    helpers::generated as raw,
    maps::{def::map_type, ops},
};

/// What the kernel answers when there is no value.
const ENOENT: i32 = 2;

/// Defines queues, one row each.
macro_rules! queues {
    ($($(#[$doc:meta])* $name:ident: $map_type:ident,)*) => {$(
        map_type! {
            $(#[$doc])*
            $name<T>: () => T, $map_type,
            /// Room for `max_entries` values; `flags` are creation flags.
            with_max_entries(max_entries, flags) = (max_entries, flags)
        }

        impl<T> $name<T> {
            /// Adds a value. With `BPF_EXIST` in `flags` the oldest gives way when there is no room.
            ///
            /// # Errors
            ///
            /// `-E2BIG` when there is no room.
            #[inline(always)]
            pub fn push(&self, value: &T, flags: u64) -> Result<(), i32> {
                // SAFETY: the map's values are `T`.
                ops::check(unsafe {
                    raw::bpf_map_push_elem(self.as_ptr(), ops::address(value), flags)
                })
            }

            /// Takes the next value; `None` when there is none.
            ///
            /// # Errors
            ///
            /// A negative error number.
            #[inline(always)]
            pub fn pop(&self) -> Result<Option<T>, i32> {
                // SAFETY: the map's values are `T`.
                unsafe { take(self.as_ptr(), raw::bpf_map_pop_elem) }
            }

            /// Copies the next value and leaves it; `None` when there is none.
            ///
            /// # Errors
            ///
            /// A negative error number.
            #[inline(always)]
            pub fn peek(&self) -> Result<Option<T>, i32> {
                // SAFETY: the map's values are `T`.
                unsafe { take(self.as_ptr(), raw::bpf_map_peek_elem) }
            }
        }
    )*};
}

queues! {
    /// First in, first out. Since Linux 4.20.
    Queue: QUEUE,
    /// Last in, first out. Since Linux 4.20.
    Stack: STACK,
}

/// Lets `helper` write a value.
///
/// # Safety
///
/// The map's values must be `T`.
#[inline(always)]
unsafe fn take<T>(
    map: *mut c_void,
    helper: unsafe fn(*mut c_void, *mut c_void) -> i64,
) -> Result<Option<T>, i32> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes a `T` when it succeeds.
    unsafe {
        match ops::check(helper(map, value.as_mut_ptr().cast())) {
            Ok(()) => Ok(Some(value.assume_init())),
            Err(error) if error == -ENOENT => Ok(None),
            Err(error) => Err(error),
        }
    }
}
