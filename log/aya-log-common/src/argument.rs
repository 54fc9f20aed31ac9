//! Which types can be logged, and with which hint: decided by the compiler.
//!
//! Each hint is a marker trait; a statement compiles if every argument implements the trait of its
//! hint. References count as what they point to.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::record::TRUNCATED;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// The type of an argument in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ArgumentKind {
    I8 = 1,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    Char,
    /// An address in the kernel, 8 bytes.
    Pointer,
    /// 4 bytes in network order.
    Ipv4Addr,
    /// 16 bytes in network order.
    Ipv6Addr,
    /// 4 or 6, then 16 bytes of which an IPv4 address uses the first 4.
    IpAddr,
    /// Eight numbers of 16 bits in the machine's order.
    ArrU16Len8,
    /// `[u8; N]`: the length as two bytes in the machine's order, then the bytes, all in place.
    ArrU8,
    /// The length in place, the bytes after all arguments.
    Bytes,
    /// As `Bytes`, UTF-8.
    Str,
}

impl ArgumentKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::Bool,
        Self::Char,
        Self::Pointer,
        Self::Ipv4Addr,
        Self::Ipv6Addr,
        Self::IpAddr,
        Self::ArrU16Len8,
        Self::ArrU8,
        Self::Bytes,
        Self::Str,
    ];

    /// The kind with this number; `None` where there is none.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        let index = usize::from(number).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

/// A value that a log statement can send.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be logged",
    label = "not an integer, `bool`, `char`, pointer, address, string or byte slice",
    note = "eBPF has no floating point, and `Debug`/`Display` cannot run there: log the fields one by one"
)]
pub trait Argument: Copy + Sealed {
    /// What a reader finds.
    const KIND: ArgumentKind;
    /// The bytes are sent after all arguments, and `Wire` is their length.
    const VARIABLE: bool = false;
    /// The form in the record: no padding inside.
    type Wire: Copy;
    /// The value in that form; bytes of variable length are cut to `cap`.
    fn wire(self, cap: usize) -> Self::Wire;
    /// The bytes of an argument of variable length.
    fn tail(&self) -> &[u8] {
        &[]
    }
}

impl<T: Argument> Sealed for &T {}
impl<T: Argument> Argument for &T {
    const KIND: ArgumentKind = T::KIND;
    const VARIABLE: bool = T::VARIABLE;
    type Wire = T::Wire;
    #[inline(always)]
    fn wire(self, cap: usize) -> Self::Wire {
        (*self).wire(cap)
    }
    #[inline(always)]
    fn tail(&self) -> &[u8] {
        (**self).tail()
    }
}

macro_rules! arguments {
    ($($(#[$generics:ident])? $type:ty, $kind:ident, $wire:ty, |$value:ident| $to_wire:expr;)*) => {$(
        impl$(<$generics>)? Sealed for $type {}
        impl$(<$generics>)? Argument for $type {
            const KIND: ArgumentKind = ArgumentKind::$kind;
            type Wire = $wire;
            #[inline(always)]
            fn wire(self, _: usize) -> $wire {
                let $value = self;
                $to_wire
            }
        }
    )*};
}

arguments! {
    i8, I8, i8, |v| v;
    i16, I16, i16, |v| v;
    i32, I32, i32, |v| v;
    i64, I64, i64, |v| v;
    isize, I64, i64, |v| v as i64;
    u8, U8, u8, |v| v;
    u16, U16, u16, |v| v;
    u32, U32, u32, |v| v;
    u64, U64, u64, |v| v;
    usize, U64, u64, |v| v as u64;
    bool, Bool, u8, |v| v as u8;
    char, Char, u32, |v| v as u32;
    #[T] *const T, Pointer, u64, |v| v.cast::<()>() as usize as u64;
    #[T] *mut T, Pointer, u64, |v| v.cast::<()>() as usize as u64;
    Ipv4Addr, Ipv4Addr, [u8; 4], |v| v.octets();
    Ipv6Addr, Ipv6Addr, [u8; 16], |v| v.octets();
    IpAddr, IpAddr, [u8; 17], |v| ip_wire(v);
    [u16; 8], ArrU16Len8, [u16; 8], |v| v;
}

#[inline(always)]
fn ip_wire(address: IpAddr) -> [u8; 17] {
    let mut wire = [0; 17];
    match address {
        IpAddr::V4(v4) => {
            wire[0] = 4;
            let octets = v4.octets();
            let mut i = 0;
            while i < 4 {
                wire[1 + i] = octets[i];
                i += 1;
            }
        }
        IpAddr::V6(v6) => {
            wire[0] = 6;
            let octets = v6.octets();
            let mut i = 0;
            while i < 16 {
                wire[1 + i] = octets[i];
                i += 1;
            }
        }
    }
    wire
}

/// `[u8; N]` in a record.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Inline<const N: usize> {
    len: [u8; 2],
    bytes: [u8; N],
}

impl<const N: usize> Sealed for [u8; N] {}
impl<const N: usize> Argument for [u8; N] {
    const KIND: ArgumentKind = ArgumentKind::ArrU8;
    type Wire = Inline<N>;
    #[inline(always)]
    fn wire(self, _: usize) -> Inline<N> {
        const { assert!(N < TRUNCATED as usize, "the array is too long to be logged") };
        Inline {
            len: (N as u16).to_ne_bytes(),
            bytes: self,
        }
    }
}

#[inline(always)]
fn length(len: usize, cap: usize) -> u16 {
    if len > cap {
        cap as u16 | TRUNCATED
    } else {
        len as u16
    }
}

macro_rules! variable {
    ($($type:ty, $kind:ident, |$value:ident| $bytes:expr;)*) => {$(
        impl Sealed for $type {}
        impl Argument for $type {
            const KIND: ArgumentKind = ArgumentKind::$kind;
            const VARIABLE: bool = true;
            type Wire = u16;
            #[inline(always)]
            fn wire(self, cap: usize) -> u16 {
                length(self.len(), cap)
            }
            #[inline(always)]
            fn tail(&self) -> &[u8] {
                let $value = self;
                $bytes
            }
        }
    )*};
}

variable! {
    &[u8], Bytes, |v| v;
    &str, Str, |v| v.as_bytes();
}

macro_rules! hints {
    ($($(#[$meta:meta])* $trait:ident: $($(#[$($generics:tt)+])? $type:ty),+;)*) => {$(
        $(#[$meta])*
        pub trait $trait {}
        impl<T: $trait> $trait for &T {}
        $(impl$(<$($generics)+>)? $trait for $type {})+
    )*};
}

hints! {
    /// Types that `{}` shows.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{}}`",
        label = "not an integer, `bool`, `char`, `&str` or IP address",
        note = "eBPF has no floating point; bytes are shown by `{{:x}}`, pointers by `{{:p}}`, \
                addresses by `{{:i}}` and `{{:mac}}`"
    )]
    DefaultFormatter: bool, char, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize,
        &str, Ipv4Addr, Ipv6Addr, IpAddr;

    /// Types that `{:x}` shows.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{:x}}`",
        label = "not an integer, byte slice or byte array"
    )]
    LowerHexFormatter: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize,
        &[u8], #[const N: usize] [u8; N];

    /// Types that `{:X}` shows.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{:X}}`",
        label = "not an integer, byte slice or byte array"
    )]
    UpperHexFormatter: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize,
        &[u8], #[const N: usize] [u8; N];

    /// Types that `{:i}` shows as an IP address. A `u32` is an IPv4 address as a number (the first
    /// octet is the most significant), `[u16; 8]` are the segments of an IPv6 address as numbers,
    /// byte arrays are in network order.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{:i}}`",
        label = "not an IP address: `u32`, `[u8; 4]`, `[u8; 16]`, `[u16; 8]` or a type of `core::net`"
    )]
    IpFormatter: u32, [u8; 4], [u8; 16], [u16; 8], Ipv4Addr, Ipv6Addr, IpAddr;

    /// Types that `{:mac}` shows as a MAC address.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{:mac}}`",
        label = "not a MAC address: `[u8; 6]`"
    )]
    LowerMacFormatter: [u8; 6];

    /// Types that `{:MAC}` shows as a MAC address.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{:MAC}}`",
        label = "not a MAC address: `[u8; 6]`"
    )]
    UpperMacFormatter: [u8; 6];

    /// Types that `{:p}` shows.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be logged with `{{:p}}`",
        label = "not a raw pointer"
    )]
    PointerFormatter: #[T] *const T, #[T] *mut T;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_numbered_in_order() {
        assert_eq!(ArgumentKind::from_u8(0), None);
        for (i, kind) in ArgumentKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i + 1);
            assert_eq!(ArgumentKind::from_u8(kind as u8), Some(kind));
        }
        assert_eq!(ArgumentKind::from_u8(19), None);
    }

    #[test]
    fn long_text_is_cut_and_marked() {
        assert_eq!("abc".wire(3), 3);
        assert_eq!("abcd".wire(3), 3 | TRUNCATED);
        assert_eq!((&"abcd").tail(), b"abcd");
    }
}
