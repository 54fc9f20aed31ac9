//! How the kernel's enumerations are written: a newtype over `u32` per enumeration, so that a value
//! newer than this crate survives a round trip and can be printed.

/// Defines a newtype for a kernel enumeration: constants named as in the header without their common
/// prefix, `Debug` and `Display` with it.
macro_rules! kind {
    ($(#[$doc:meta])* $kind:ident, $prefix:literal { $($(#[$item:meta])* $name:ident = $value:literal,)* }) => {
        $(#[$doc])*
        ///
        /// Values this crate does not know are kept and print as their number.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $kind(pub u32);

        impl $kind {
            $(
                $(#[$item])*
                #[doc = concat!("`", $prefix, stringify!($name), "`")]
                pub const $name: Self = Self($value);
            )*

            /// All values this crate knows, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self($value)),*];

            /// The header's name of a known value.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(concat!($prefix, stringify!($name))),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $kind {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($kind), "({})"), self.0),
                }
            }
        }

        impl core::fmt::Debug for $kind {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }

        impl From<$kind> for u32 {
            fn from(kind: $kind) -> u32 {
                kind.0
            }
        }

        impl From<u32> for $kind {
            fn from(value: u32) -> Self {
                Self(value)
            }
        }
    };
}
pub(crate) use kind;

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use crate::{AttachType, LinkType, MapType, ProgType};

    #[test]
    fn unknown_values_survive_and_print() {
        assert_eq!(format!("{}", ProgType::XDP), "BPF_PROG_TYPE_XDP");
        assert_eq!(format!("{:?}", MapType(999)), "MapType(999)");
        assert_eq!(u32::from(LinkType::from(77)), 77);
        assert_eq!(AttachType::XDP.name(), Some("BPF_XDP"));
    }

    #[test]
    fn numbers_have_no_gaps() {
        for (index, kind) in ProgType::ALL.iter().enumerate() {
            assert_eq!(kind.0 as usize, index);
        }
        for (index, kind) in MapType::ALL.iter().enumerate() {
            assert_eq!(kind.0 as usize, index);
        }
    }
}
