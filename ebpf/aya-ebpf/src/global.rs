//! Variables of the object itself, as opposed to maps.

/// A read-only variable that user space may set before the program is loaded.
///
/// It lies in `.rodata`; the kernel treats it as a constant, so that code behind a disabled flag costs
/// nothing. Reads are volatile: the compiler must not use the value it sees.
///
/// Since Linux 5.2.
///
/// ```
/// use aya_ebpf::Global;
///
/// #[unsafe(no_mangle)]
/// static PORT: Global<u16> = Global::new(80);
///
/// fn is_ours(port: u16) -> bool {
///     port == PORT.load()
/// }
/// # assert!(is_ours(80));
/// ```
#[repr(transparent)]
pub struct Global<T> {
    value: T,
}

impl<T> Global<T> {
    /// A variable with the value it has if user space sets none.
    pub const fn new(value: T) -> Self {
        Self { value }
    }
}

impl<T: Copy> Global<T> {
    /// The value.
    #[inline(always)]
    pub fn load(&self) -> T {
        // SAFETY: a reference is valid for reads.
        unsafe { core::ptr::read_volatile(&self.value) }
    }
}

/// Adds `value` to `*counter` in one step, without an order towards other memory.
///
/// This is the kernel's `lock xadd`, which counters in maps that several CPUs write need. The former
/// value is not returned, which is what makes it available on every kernel.
///
/// # Safety
///
/// `counter` must be valid for reads and writes, and aligned to 8 bytes.
#[inline(always)]
pub unsafe fn atomic_add_u64(counter: *mut u64, value: u64) {
    #[cfg(any(aya_ebpf, target_arch = "bpf"))]
    {
        unsafe extern "C" {
            fn __ebpf_atomic_add_u64(counter: *mut u64, value: u64);
        }
        // SAFETY: the caller's promise; the linker makes one instruction of the call.
        unsafe { __ebpf_atomic_add_u64(counter, value) }
    }
    #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
    {
        use core::sync::atomic::{AtomicU64, Ordering};
        // SAFETY: the caller's promise.
        unsafe { AtomicU64::from_ptr(counter) }.fetch_add(value, Ordering::Relaxed);
    }
}

/// Whether `value` lies between `lower` and `upper`, both included, compared as signed numbers: the
/// two comparisons from which the verifier learns the bounds of an offset.
#[inline(always)]
pub fn check_bounds_signed<T: Into<i64>>(value: T, lower: T, upper: T) -> bool {
    (lower.into()..=upper.into()).contains(&value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_has_its_first_value_and_the_layout_of_its_type() {
        static GLOBAL: Global<u16> = Global::new(80);
        assert_eq!(GLOBAL.load(), 80);
        assert_eq!(size_of::<Global<u16>>(), 2);
    }

    #[test]
    fn adding() {
        let mut counter = 40;
        // SAFETY: a variable of this function.
        unsafe { atomic_add_u64(&mut counter, 2) };
        assert_eq!(counter, 42);
    }

    #[test]
    fn bounds_belong_to_the_range() {
        let inside = |value| check_bounds_signed::<i32>(value, -1, 2);
        assert_eq!([-2, -1, 2, 3].map(inside), [false, true, true, false]);
    }
}
