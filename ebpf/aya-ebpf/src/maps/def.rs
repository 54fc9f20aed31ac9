//! The definition that every map type wraps, and the macro that makes a map type of it.

use aya_uapi::MapType;

use crate::bindings::BPF_F_NUMA_NODE;

/// What a map is, as the object carries it to the linker and the loader.
///
/// A `#[map]` static holds one of these whatever the wrapper type around it, in the section `maps`.
/// A number of 0 means that the map has no such member. `key` and `value` take no room and bring the
/// types of key and value into the debug information; `content` is there in maps that can hold
/// something from the start.
#[derive(Debug)]
#[repr(C)]
pub struct aya_map_def<K, V, C = ()> {
    type_: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    numa_node: u32,
    pinning: u32,
    map_extra: u64,
    key: [*const K; 0],
    value: [*const V; 0],
    content: C,
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

impl<K, V, C> aya_map_def<K, V, C> {
    /// A definition whose sizes are those of `K` and `V`.
    pub(crate) const fn new(
        map_type: MapType,
        max_entries: u32,
        map_flags: u32,
        pinning: Pinning,
        content: C,
    ) -> Self {
        // Not a `const` block: the compiler names the author's static, where this is evaluated.
        assert!(
            align_of::<V>() <= 8,
            "the kernel aligns map values to 8 bytes, no more"
        );
        Self {
            type_: map_type.0,
            key_size: size_of::<K>() as u32,
            value_size: size_of::<V>() as u32,
            max_entries,
            map_flags,
            numa_node: 0,
            pinning: pinning as u32,
            map_extra: 0,
            key: [],
            value: [],
            content,
        }
    }

    /// The map's memory is on this node.
    pub(crate) const fn set_numa_node(&mut self, node: u32) {
        self.numa_node = node;
        self.map_flags |= BPF_F_NUMA_NODE;
    }

    /// What only this type of map knows.
    pub(crate) const fn set_extra(&mut self, extra: u64) {
        self.map_extra = extra;
    }

    /// The creation flags.
    pub(crate) const fn flags(&self) -> u32 {
        self.map_flags
    }

    /// Values of another size than `V`'s, in maps where `V` is the largest there is.
    pub(crate) const fn set_value_size(&mut self, size: u32) {
        self.value_size = size;
    }

    /// The map is pinned by its name.
    pub(crate) const fn set_pinned(&mut self) {
        self.pinning = Pinning::ByName as u32;
    }

    /// What the map holds from the start.
    pub(crate) const fn content(&mut self) -> &mut C {
        &mut self.content
    }
}

/// A type that [`#[map]`](macro@crate::macros::map) accepts.
///
/// # Safety
///
/// Values must begin with, and consist of, one [`aya_map_def`] of this key and value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an eBPF map",
    label = "use a type from `aya_ebpf::maps` or `aya_ebpf::btf_maps`"
)]
pub unsafe trait Map {
    /// What leads to a value; `()` where nothing does.
    type Key;
    /// What programs find behind a key.
    type Value;
}

/// A map whose values programs may refer to: they exist as long as the map, and start as zeros.
///
/// # Safety
///
/// Both must be true.
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` can be removed while a program refers to them",
    label = "use `get_value_ptr_mut`, which gives their address"
)]
pub unsafe trait SafeInnerLookup: Map {}

/// Checked in the code that `#[map]` emits.
#[doc(hidden)]
pub const fn is_map<M: Map>() {}

/// Defines a map type: the struct, its constructors and what all maps have in common.
///
/// `Name<P…>: KEY => VALUE, MAP_TYPE`, then the constructor with the entries and flags it gives; for
/// maps that can hold something from the start, the arguments and the content made of them.
macro_rules! map_type {
    (
        $(#[$doc:meta])*
        $name:ident $(<$($param:ident $(: $bound:tt)?),+>)?: $key:ty => $value:ty, $map_type:ident,
        $(#[$new_doc:meta])*
        $new:ident($($arg:ident),* $(; $given:ident: $given_type:ty)?) = ($max_entries:expr, $flags:expr)
        $(, $content_type:ty = $content:expr)?
    ) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name $(<$($param $(: $bound)?),+>)? {
            // The loader gives the address its meaning: the compiler must not take it for a constant's.
            def: core::cell::UnsafeCell<
                $crate::maps::def::aya_map_def<$key, $value $(, $content_type)?>
            >,
            types: core::marker::PhantomData<($($($param,)+)?)>,
        }

        // SAFETY: programs run on all CPUs at once and the kernel's operations allow for that; the
        // definition itself is never read or written by programs.
        unsafe impl $(<$($param $(: $bound)?),+>)? Sync for $name $(<$($param),+>)? {}

        // SAFETY: transparent around a definition.
        unsafe impl $(<$($param $(: $bound)?),+>)? $crate::maps::Map for $name $(<$($param),+>)? {
            type Key = $key;
            type Value = $value;
        }

        impl $(<$($param $(: $bound)?),+>)? $name $(<$($param),+>)? {
            $(#[$new_doc])*
            #[allow(clippy::new_without_default, reason = "a definition initialises a static")]
            pub const fn $new($($arg: u32,)* $($given: $given_type)?) -> Self {
                Self {
                    def: core::cell::UnsafeCell::new($crate::maps::def::aya_map_def::new(
                        aya_uapi::MapType::$map_type,
                        $max_entries,
                        $flags,
                        $crate::maps::def::Pinning::None,
                        ($($content)?),
                    )),
                    types: core::marker::PhantomData,
                }
            }

            /// As the other constructor, and shared by name: the map is pinned when it is created, and
            /// a map that is pinned already is used instead of a new one.
            pub const fn pinned($($arg: u32,)* $($given: $given_type)?) -> Self {
                let mut map = Self::$new($($arg,)* $($given)?);
                map.definition().set_pinned();
                map
            }

            /// The map's memory lies on the NUMA node `node`, that of the CPUs that use it most; the
            /// kernel refuses nodes that the machine lacks (`BPF_F_NUMA_NODE`, Linux 4.14).
            pub const fn numa_node(mut self, node: u32) -> Self {
                self.definition().set_numa_node(node);
                self
            }

            pub(crate) const fn definition(
                &mut self,
            ) -> &mut $crate::maps::def::aya_map_def<$key, $value $(, $content_type)?> {
                self.def.get_mut()
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
