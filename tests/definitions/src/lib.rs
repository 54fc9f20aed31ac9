//! What the programs with definitions share.
#![no_std]

/// Defines a map of each type, first in the one form, then in the other.
#[macro_export]
macro_rules! both {
    ($(
        $old:ident, $new:ident: $name:ident $(<$($param:ty),+>)? [$($number:literal),*]
            = $constructor:ident($($arg:expr),*);
    )*) => {$(
        #[::aya_ebpf::macros::map]
        static $old: ::aya_ebpf::maps::$name $(<$($param),+>)? =
            ::aya_ebpf::maps::$name::$constructor($($arg),*);
        #[::aya_ebpf::macros::btf_map]
        static $new: ::aya_ebpf::btf_maps::$name<$($($param,)+)? $($number),*> =
            ::aya_ebpf::btf_maps::$name::new();
    )*};
}
