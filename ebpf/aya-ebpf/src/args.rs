//! Arguments and return values of functions, as registers hold them.

/// A type that fits into a register: an integer, a `bool` or a pointer.
///
/// A register has 64 bits; of those that `T` has no room for, nothing is kept.
pub trait Argument: sealed::Argument {}

impl<T: sealed::Argument> Argument for T {}

pub(crate) mod sealed {
    /// What only this crate implements.
    pub trait Argument {
        /// Takes the value out of a register.
        fn from_register(value: u64) -> Self;
    }
}

macro_rules! integers {
    ($($integer:ident)*) => {$(
        impl sealed::Argument for $integer {
            #[inline(always)]
            fn from_register(value: u64) -> Self {
                value as Self
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize }

impl sealed::Argument for bool {
    #[inline(always)]
    fn from_register(value: u64) -> Self {
        value as u8 != 0
    }
}

impl<T> sealed::Argument for *const T {
    #[inline(always)]
    fn from_register(value: u64) -> Self {
        value as usize as Self
    }
}

impl<T> sealed::Argument for *mut T {
    #[inline(always)]
    fn from_register(value: u64) -> Self {
        value as usize as Self
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Argument;

    #[test]
    fn keeps_what_fits() {
        assert_eq!(u8::from_register(0x1ff), 0xff);
        assert_eq!(i32::from_register(0xffff_ffff), -1);
        assert_eq!(i64::from_register(u64::MAX), -1);
        assert!(bool::from_register(0x101) && !bool::from_register(0x100));
        assert_eq!(<*const u8>::from_register(16) as usize, 16);
    }
}
