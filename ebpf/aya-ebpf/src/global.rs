//! Variables of the object itself, as opposed to maps.

use core::cell::UnsafeCell;

/// A read-only variable that user space may set before the program is loaded, with aya's
/// `EbpfLoader::override_global`.
///
/// It lies in `.rodata`, or in a section `.rodata.NAME` if it has that `link_section`. The kernel treats
/// it as a constant, so that code behind a disabled flag costs nothing. Reads are volatile: the compiler
/// must not use the value it sees. For what changes while programs run there is [`GlobalMut`].
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

/// A number that programs and user space share: both may change it at any time, and see what the other
/// one wrote. In user space it is aya's `Ebpf::global(name)`, with `read` and `write`.
///
/// It lies in `.data`, or in `.bss` where it begins as zero, or in a section `.data.NAME` if it has that
/// `link_section`. `T` is an integer, of which each load and store is one instruction: no reader ever sees
/// half of a number. All CPUs share one variable; counters that must be fast are better kept in a
/// [`PerCpuArray`](crate::maps::PerCpuArray).
///
/// Since Linux 5.2; written to by user space since 5.5.
///
/// ```
/// use aya_ebpf::GlobalMut;
///
/// #[unsafe(no_mangle)]
/// static LIMIT: GlobalMut<u32> = GlobalMut::new(1000);
/// #[unsafe(no_mangle)]
/// static SEEN: GlobalMut<u64> = GlobalMut::new(0);
///
/// fn is_too_long(len: u32) -> bool {
///     SEEN.add(1);
///     len > LIMIT.load()
/// }
/// # assert!(is_too_long(1001) && !is_too_long(1000) && SEEN.load() == 2);
/// ```
#[repr(transparent)]
pub struct GlobalMut<T: GlobalInteger> {
    value: UnsafeCell<T>,
}

// SAFETY: all access is by loads and stores of one instruction each, which may happen at the same time.
unsafe impl<T: GlobalInteger> Sync for GlobalMut<T> {}

impl<T: GlobalInteger> GlobalMut<T> {
    /// A variable that begins with this value.
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(value),
        }
    }

    /// The value now, in no order towards other memory.
    #[inline(always)]
    pub fn load(&self) -> T {
        // SAFETY: valid and aligned; volatile, since others write it, in one instruction.
        unsafe { self.value.get().read_volatile() }
    }

    /// Sets the value, in no order towards other memory.
    #[inline(always)]
    pub fn store(&self, value: T) {
        // SAFETY: valid and aligned; volatile, since others access it, in one instruction.
        unsafe { self.value.get().write_volatile(value) }
    }
}

impl GlobalMut<u64> {
    /// Adds `value` in one step, so that nothing is lost when several CPUs do. Wraps around.
    #[inline(always)]
    pub fn add(&self, value: u64) {
        // SAFETY: valid and aligned.
        unsafe { atomic_add_u64(self.value.get(), value) }
    }
}

/// What [`GlobalMut`] holds: the integers of up to 64 bits.
pub trait GlobalInteger: Copy + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! integers {
    ($($integer:ident),*) => {$(
        impl sealed::Sealed for $integer {}
        impl GlobalInteger for $integer {}
    )*};
}
integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

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
    fn a_shared_one_too() {
        static GLOBAL: GlobalMut<i16> = GlobalMut::new(-1);
        assert_eq!(GLOBAL.load(), -1);
        GLOBAL.store(7);
        assert_eq!(GLOBAL.load(), 7);
        assert_eq!(size_of::<GlobalMut<i16>>(), 2);
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
