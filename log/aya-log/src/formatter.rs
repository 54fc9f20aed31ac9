//! The formatters that placeholders stand for, for use outside log statements.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Makes text of a value.
pub trait Formatter<T> {
    /// The text.
    fn format(value: T) -> String;
}

macro_rules! formatters {
    ($($(#[$meta:meta])* $name:ident: $([$($generics:tt)*] $type:ty)|+, |$value:ident| $text:expr;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        $(impl<$($generics)*> Formatter<$type> for $name {
            fn format($value: $type) -> String {
                $text
            }
        })+
    )*};
}

formatters! {
    /// `{}`
    ///
    /// ```
    /// use aya_log::{DefaultFormatter, Formatter};
    /// assert_eq!(DefaultFormatter::format(-5), "-5");
    /// ```
    DefaultFormatter: [T: ToString] T, |value| value.to_string();

    /// `{:x}` of a number.
    LowerHexFormatter: [T: fmt::LowerHex] T, |value| format!("{value:x}");

    /// `{:X}` of a number.
    UpperHexFormatter: [T: fmt::UpperHex] T, |value| format!("{value:X}");

    /// `{:x}` of bytes.
    ///
    /// ```
    /// use aya_log::{Formatter, LowerHexBytesFormatter};
    /// assert_eq!(LowerHexBytesFormatter::format(&[0xde, 0xad][..]), "dead");
    /// ```
    LowerHexBytesFormatter: [] &[u8], |value| join(value, "", |byte| format!("{byte:02x}"));

    /// `{:X}` of bytes.
    UpperHexBytesFormatter: [] &[u8], |value| join(value, "", |byte| format!("{byte:02X}"));

    /// `{:i}` of an IPv4 address.
    ///
    /// ```
    /// use aya_log::{Formatter, Ipv4Formatter};
    /// assert_eq!(Ipv4Formatter::format(0x7f00_0001), "127.0.0.1");
    /// ```
    Ipv4Formatter: [T: Into<Ipv4Addr>] T, |value| value.into().to_string();

    /// `{:i}` of an IPv6 address.
    Ipv6Formatter: [T: Into<Ipv6Addr>] T, |value| value.into().to_string();

    /// `{:mac}`
    ///
    /// ```
    /// use aya_log::{Formatter, LowerMacFormatter};
    /// assert_eq!(LowerMacFormatter::format([0, 1, 2, 0xa, 0xb, 0xc]), "00:01:02:0a:0b:0c");
    /// ```
    LowerMacFormatter: [] [u8; 6], |value| join(&value, ":", |byte| format!("{byte:02x}"));

    /// `{:MAC}`
    UpperMacFormatter: [] [u8; 6], |value| join(&value, ":", |byte| format!("{byte:02X}"));

    /// `{:p}`
    PointerFormatter: [T] *const T | [T] *mut T, |value| format!("{value:p}");
}

fn join(bytes: &[u8], separator: &str, show: impl Fn(&u8) -> String) -> String {
    bytes.iter().map(show).collect::<Vec<_>>().join(separator)
}
