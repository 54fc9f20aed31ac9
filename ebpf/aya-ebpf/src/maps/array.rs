//! Arrays: keys are indices, all entries exist from the start as zeros.

use core::borrow::Borrow;

use crate::maps::{SafeInnerLookup, def::map_type, ops};

/// Defines arrays, one row each.
macro_rules! arrays {
    ($($(#[$doc:meta])* $name:ident: $map_type:ident,)*) => {$(
        map_type! {
            $(#[$doc])*
            $name<T>: u32 => T, $map_type,
            /// An array of `max_entries` values; `flags` are `BPF_F_MMAPABLE` and the like.
            with_max_entries(max_entries, flags) = (max_entries, flags)
        }

        // SAFETY: all entries exist from the start, as zeros.
        unsafe impl<T> SafeInnerLookup for $name<T> {}

        impl<T> $name<T> {
            /// The value at `index`, `None` past the end.
            ///
            /// Other writers are not kept out; a value that changes in one piece, such as an integer,
            /// is read whole.
            #[inline(always)]
            pub fn get(&self, index: u32) -> Option<&T> {
                // SAFETY: the entry exists as long as the map, and starts as zeros.
                ops::lookup(self.as_ptr(), &index).map(|value| unsafe { value.as_ref() })
            }

            /// The address of the value at `index`, for reading.
            #[inline(always)]
            pub fn get_ptr(&self, index: u32) -> Option<*const T> {
                self.get_ptr_mut(index).map(<*mut T>::cast_const)
            }

            /// The address of the value at `index`.
            #[inline(always)]
            pub fn get_ptr_mut(&self, index: u32) -> Option<*mut T> {
                ops::lookup(self.as_ptr(), &index).map(|value| value.as_ptr())
            }

            /// Sets the value at `index`, given by reference or by value. `flags`: `BPF_ANY` (0) or
            /// `BPF_EXIST`.
            ///
            /// # Errors
            ///
            /// `-E2BIG` past the end, `-EEXIST` with `BPF_NOEXIST`.
            #[inline(always)]
            pub fn set(&self, index: u32, value: impl Borrow<T>, flags: u64) -> Result<(), i32> {
                ops::update(self.as_ptr(), &index, value.borrow(), flags)
            }
        }
    )*};
}

arrays! {
    /// An array. Since Linux 3.19.
    ///
    /// ```
    /// use aya_ebpf::{macros::map, maps::Array};
    ///
    /// #[map]
    /// static PORTS: Array<u16> = Array::with_max_entries(4, 0);
    ///
    /// fn first_port() -> Option<u16> {
    ///     PORTS.get(0).copied()
    /// }
    /// # fn main() {}
    /// ```
    Array: ARRAY,
    /// An array with one value per index and CPU; programs see that of the CPU they run on, so that
    /// counters need no atomic operation. Since Linux 4.6.
    PerCpuArray: PERCPU_ARRAY,
}
