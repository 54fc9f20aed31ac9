//! The definition that every map type wraps, and the macro that makes a map type of it.

use aya_uapi::MapType;

/// What a map is, as the object carries it to the linker and the loader.
///
/// A `#[map]` static holds one of these whatever the wrapper type around it, in the section `maps`.
/// A size of 0 means that the map has no such member; the last two members take no room and bring the
/// types of key and value into the debug information.
#[derive(Debug)]
#[repr(C)]
pub struct aya_map_def<K, V> {
    type_: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    id: u32,
    pinning: u32,
    key: [*const K; 0],
    value: [*const V; 0],
}

/// Whether a map is pinned by its name when it is created (`LIBBPF_PIN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Pinning {
    /// It lives as long as the programs and handles that use it.
    None = 0,
    /// It is created as, or taken from, a file with its name.
    ByName = 1,
}

impl<K, V> aya_map_def<K, V> {
    /// A definition whose sizes are those of `K` and `V`.
    pub(crate) const fn new(
        map_type: MapType,
        max_entries: u32,
        map_flags: u32,
        pinning: Pinning,
    ) -> Self {
        const {
            assert!(
                align_of::<V>() <= 8,
                "the kernel aligns map values to 8 bytes, no more"
            )
        }
        Self {
            type_: map_type.0,
            key_size: size_of::<K>() as u32,
            value_size: size_of::<V>() as u32,
            max_entries,
            map_flags,
            id: 0,
            pinning: pinning as u32,
            key: [],
            value: [],
        }
    }
}

/// A type that [`#[map]`](macro@crate::macros::map) accepts.
///
/// # Safety
///
/// Values must consist of one [`aya_map_def`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an eBPF map",
    label = "use a type from `aya_ebpf::maps`"
)]
pub unsafe trait Map {}

/// Checked in the code that `#[map]` emits.
#[doc(hidden)]
pub const fn is_map<M: Map>() {}

/// Defines a map type: the struct, its constructors and what all maps have in common.
///
/// `Name<P…>: KEY => VALUE, MAP_TYPE`, then the constructor with the entries and flags it gives.
macro_rules! map_type {
    (
        $(#[$doc:meta])*
        $name:ident $(<$($param:ident),+>)?: $key:ty => $value:ty, $map_type:ident,
        $(#[$new_doc:meta])*
        $new:ident($($arg:ident),*) = ($max_entries:expr, $flags:expr)
    ) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name $(<$($param),+>)? {
            // The loader gives the address its meaning: the compiler must not take it for a constant's.
            def: core::cell::UnsafeCell<$crate::maps::def::aya_map_def<$key, $value>>,
            types: core::marker::PhantomData<($($($param,)+)?)>,
        }

        // SAFETY: programs run on all CPUs at once and the kernel's operations allow for that; the
        // definition itself is never read or written by programs.
        unsafe impl $(<$($param),+>)? Sync for $name $(<$($param),+>)? {}

        // SAFETY: transparent around a definition.
        unsafe impl $(<$($param),+>)? $crate::maps::Map for $name $(<$($param),+>)? {}

        impl $(<$($param),+>)? $name $(<$($param),+>)? {
            $(#[$new_doc])*
            pub const fn $new($($arg: u32),*) -> Self {
                Self::define($max_entries, $flags, $crate::maps::def::Pinning::None)
            }

            /// As the other constructor, and shared by name: the map is pinned when it is created, and
            /// a map that is pinned already is used instead of a new one.
            pub const fn pinned($($arg: u32),*) -> Self {
                Self::define($max_entries, $flags, $crate::maps::def::Pinning::ByName)
            }

            const fn define(max_entries: u32, flags: u32, pinning: $crate::maps::def::Pinning) -> Self {
                Self {
                    def: core::cell::UnsafeCell::new($crate::maps::def::aya_map_def::new(
                        aya_uapi::MapType::$map_type,
                        max_entries,
                        flags,
                        pinning,
                    )),
                    types: core::marker::PhantomData,
                }
            }

            /// The map as helpers take it: its address, which the loader replaces by the map.
            #[inline(always)]
            pub fn as_ptr(&self) -> *mut core::ffi::c_void {
                self.def.get().cast()
            }
        }
    };
}
pub(crate) use map_type;
