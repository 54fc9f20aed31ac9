//! The macro that makes a map type with its sizes in its type of one that is given them.

use crate::maps::Map;

/// A map type that says all there is to say about a map, so that it can be the template of inner maps.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how large an inner map is",
    label = "use a type from `aya_ebpf::btf_maps`, or a map of maps from `aya_ebpf::maps`"
)]
pub trait MapDef: Map + Sized + 'static {
    /// Such a map.
    #[doc(hidden)]
    const TEMPLATE: Self;
}

/// A number of a map's type as the kernel takes it.
pub(crate) const fn number(number: usize) -> u32 {
    assert!(
        number <= u32::MAX as usize,
        "the sizes and flags of maps have 32 bits"
    );
    number as u32
}

/// Defines map types.
///
/// `Name<P…>[NUMBER…]: MAP = constructor(NUMBER…)`, where the constructor is that of the map type `MAP`,
/// which has the operations; builders may follow it, and arguments that are no numbers after `;`.
macro_rules! btf_maps {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$($param:ident $(: $bound:path)?),+>)? [$($number:ident $(= $default:literal)?),*]:
            $map:ty = $new:ident($($arg:ident),* $(; $given:expr)?) $(.$builder:ident($built:expr))*;
    )*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name<$($($param $(: $bound)?,)+)? $(const $number: usize $(= $default)?),*> {
            map: $map,
            types: core::marker::PhantomData<fn() -> ($($($param,)+)?)>,
        }

        impl<$($($param $(: $bound)?,)+)? $(const $number: usize),*> $name<$($($param,)+)? $($number),*> {
            /// The map that the type says.
            pub const fn new() -> Self {
                Self {
                    map: <$map>::$new($($crate::btf_maps::def::number($arg),)* $($given)?)
                        $(.$builder($crate::btf_maps::def::number($built)))*,
                    types: core::marker::PhantomData,
                }
            }

            /// As [`new`](Self::new), and shared by name: the map is pinned when it is created, and a map
            /// that is pinned already is used instead of a new one.
            pub const fn pinned() -> Self {
                let mut map = Self::new();
                map.map.definition().set_pinned();
                map
            }

            /// The map's memory lies on this NUMA node: see `numa_node` of the type in
            /// [`maps`](crate::maps).
            pub const fn numa_node(mut self, node: u32) -> Self {
                self.map.definition().set_numa_node(node);
                self
            }
        }

        impl<$($($param $(: $bound)?,)+)? $(const $number: usize),*> Default for $name<$($($param,)+)? $($number),*> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<$($($param $(: $bound)?,)+)? $(const $number: usize),*> core::ops::Deref for $name<$($($param,)+)? $($number),*> {
            type Target = $map;

            #[inline(always)]
            fn deref(&self) -> &$map {
                &self.map
            }
        }

        // SAFETY: transparent around a map with this key and value.
        unsafe impl<$($($param $(: $bound)?,)+)? $(const $number: usize),*> $crate::maps::Map for $name<$($($param,)+)? $($number),*> {
            type Key = <$map as $crate::maps::Map>::Key;
            type Value = <$map as $crate::maps::Map>::Value;
        }

        impl<$($($param $(: $bound)?,)+)? $(const $number: usize),*> $crate::btf_maps::MapDef for $name<$($($param,)+)? $($number),*>
        where
            Self: 'static,
        {
            const TEMPLATE: Self = Self::new();
        }
    )*};
}
pub(crate) use btf_maps;
