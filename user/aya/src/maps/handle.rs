//! What all typed handles have in common, written once.
//!
//! A handle is a view of a [`MapData`](super::MapData) that knows the types of keys and values.
//! `T` is where the map lives: owned (`MapData`), or borrowed from an `Ebpf` (`&MapData`,
//! `&mut MapData`).
//!
//! The macros take a handle with its parameters: `HashMap<K, V>`, where each is a `Pod`, or, where
//! they are not, `HashOfMaps[K: Pod, V = MapData]`.

/// Conversions from [`Map`](super::Map), by value and by reference, into a handle that has a
/// `new(T)`; and its being what maps of maps hold.
macro_rules! from_map {
    ($handle:ident<$($param:ident),*> from $($variant:ident)|+) => {
        $crate::maps::handle::from_map!($handle[$($param: Pod),*] from $($variant)|+);
    };
    ($handle:ident[$($param:ident $(: $bound:ident)? $(= $default:ty)?),*] from $($variant:ident)|+) => {
        $crate::maps::handle::from_map!(@one [] Map, MapData, into_data; $handle[$($param $(: $bound)?),*] from $($variant)|+);
        $crate::maps::handle::from_map!(@one ['a] &'a Map, &'a MapData, data; $handle[$($param $(: $bound)?),*] from $($variant)|+);
        $crate::maps::handle::from_map!(@one ['a] &'a mut Map, &'a mut MapData, data_mut; $handle[$($param $(: $bound)?),*] from $($variant)|+);

        impl<$($param $(: $bound)?),*> $crate::maps::of_maps::sealed::FromMapData for $handle<MapData, $($param),*> {
            fn from_map_data(data: MapData) -> Result<Self, MapError> {
                Map::from_map_data(data)?.try_into()
            }
        }
    };
    (@one [$($life:lifetime)?] $map:ty, $data:ty, $get:ident; $handle:ident[$($param:ident $(: $bound:ident)? $(= $default:ty)?),*] from $($variant:ident)|+) => {
        impl<$($life,)? $($param $(: $bound)?),*> TryFrom<$map> for $handle<$data, $($param),*> {
            type Error = MapError;

            fn try_from(map: $map) -> Result<Self, MapError> {
                match &map {
                    $(Map::$variant(_))|+ => Self::new(map.$get()),
                    other => Err(other.unexpected()),
                }
            }
        }
    };
}
pub(crate) use from_map;

/// A handle whose only state is the map, with its size checks, `pin` and conversions. Sizes that
/// are not given are those that the kernel lets the type have.
macro_rules! handle {
    (
        $(#[$doc:meta])*
        $handle:ident<$($param:ident),*> $(, key: $key:ty)? $(, value: $value:ty)?, from $($variant:ident)|+
    ) => {
        $crate::maps::handle::handle! {
            $(#[$doc])*
            $handle[$($param: Pod),*] $(, key: $key)? $(, value: $value)?, from $($variant)|+
        }
    };
    (
        $(#[$doc:meta])*
        $handle:ident[$($param:ident $(: $bound:ident)? $(= $default:ty)?),*] $(, key: $key:ty)? $(, value: $value:ty)?, from $($variant:ident)|+
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $handle<T, $($param $(: $bound)? $(= $default)?),*> {
            pub(crate) inner: T,
            types: PhantomData<fn() -> ($($param,)*)>,
        }

        impl<T: Borrow<MapData>, $($param $(: $bound)?),*> $handle<T, $($param),*> {
            pub(crate) fn new(map: T) -> Result<Self, MapError> {
                $(map.borrow().check_key(size_of::<$key>())?;)?
                $(map.borrow().check_value(size_of::<$value>())?;)?
                Ok(Self { inner: map, types: PhantomData })
            }

            /// The map behind the handle: its descriptor, sizes and name.
            pub fn data(&self) -> &MapData {
                self.inner.borrow()
            }

            /// Pins the map: it outlives the process under `path`, a name in a BPF file system.
            ///
            /// # Errors
            ///
            /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
            pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
                self.inner.borrow().pin(path)
            }
        }

        impl<T: Borrow<MapData>, $($param $(: $bound)?),*> $crate::maps::of_maps::sealed::InnerMap for $handle<T, $($param),*> {
            fn map_data(&self) -> &MapData {
                self.inner.borrow()
            }
        }

        $crate::maps::handle::from_map!($handle[$($param $(: $bound)?),*] from $($variant)|+);
    };
}
pub(crate) use handle;

/// Handles that can be made without an object file: `create_with(name, options)`, and
/// `create(max_entries, flags)` where that is all there is to say.
macro_rules! create {
    (@with $handle:ident[$($param:ident $(: $bound:ident)? $(= $default:ty)?),*], key: $key:ty, value: $value:ty, $map_type:ident) => {
        impl<$($param $(: $bound)?),*> $handle<MapData, $($param),*> {
            /// What such a map is at least: its type, and the sizes of keys and values. Says what the
            /// maps in a map of maps look like ([`MapOptions::inner`]($crate::maps::MapOptions::inner)).
            pub fn options() -> $crate::maps::MapOptions {
                $crate::maps::MapOptions::of(
                    $crate::maps::MapType::$map_type,
                    size_of::<$key>(),
                    size_of::<$value>(),
                )
            }

            /// Creates a map that belongs to no object file, named `name` for people. The handle knows
            /// type and sizes; `options` say all else, and another type that the handle is for.
            ///
            /// # Errors
            ///
            /// [`MapError::CreateError`] when the kernel refuses, [`MapError::KernelTooOld`] when
            /// that is because it lacks the type, and those of making the handle of the map.
            pub fn create_with(
                name: &str,
                options: $crate::maps::MapOptions,
            ) -> Result<Self, MapError> {
                let mut all = Self::options();
                all.merge(options);
                Map::from_map_data(MapData::create_with(name, all)?)?.try_into()
            }
        }
    };
    ($handle:ident<$($param:ident),*>, key: $key:ty, value: $value:ty, $map_type:ident $(, max_entries: $what:literal)?) => {
        $crate::maps::handle::create!(@with $handle[$($param: Pod),*], key: $key, value: $value, $map_type);

        impl<$($param: Pod),*> $handle<MapData, $($param),*> {
            /// Creates a map that belongs to no object file, with room for `max_entries` and the
            /// creation flags `flags` (`BPF_F_*`).
            $(#[doc = concat!("`max_entries` is ", $what, ".")])?
            ///
            /// # Errors
            ///
            /// As [`create_with`](Self::create_with).
            pub fn create(max_entries: u32, flags: u32) -> Result<Self, MapError> {
                let options = $crate::maps::MapOptions::new();
                Self::create_with("", options.max_entries(max_entries).flags(flags))
            }
        }
    };
}
pub(crate) use create;

/// Iteration over the entries of a handle: its `IterableMap` and `IntoIterator`, in terms of its
/// `get`; in batches where the value that the kernel writes is the one that is meant.
macro_rules! iterable {
    ($handle:ident<$($param:ident),*>, key: $key:ty, value: $value:ty $(, $in_batches:ident)?) => {
        $crate::maps::handle::iterable!($handle[$($param: Pod),*], key: $key, value: $value $(, $in_batches)?);
    };
    (@methods $value:ty, in_batches) => {
        fn in_batches(&self) -> bool {
            true
        }

        #[inline]
        fn stride(&self) -> usize {
            // A number that is known here makes the walk through a batch one that can be vectorised.
            let known = <$value as $crate::maps::value::Value>::SIZE;
            known.unwrap_or_else(|| self.map().fd().raw().value_size())
        }

        #[inline]
        fn decode(&self, bytes: &[u8]) -> Option<$value> {
            $crate::maps::value::Value::from_bytes(bytes)
        }
    };
    ($handle:ident[$($param:ident $(: $bound:ident)? $(= $default:ty)?),*], key: $key:ty, value: $value:ty $(, $in_batches:ident)?) => {
        impl<T: Borrow<MapData>, $($param $(: $bound)?),*> IterableMap<$key, $value> for $handle<T, $($param),*> {
            fn map(&self) -> &MapData {
                self.inner.borrow()
            }

            fn get(&self, key: &$key) -> Result<$value, MapError> {
                Self::get(self, key, 0)
            }

            $($crate::maps::handle::iterable!(@methods $value, $in_batches);)?
        }

        $crate::maps::handle::iterable!(@into_iter $handle[$($param $(: $bound)?),*], key: $key, value: $value);
    };
    (@into_iter $handle:ident[$($param:ident $(: $bound:ident)?),*], key: $key:ty, value: $value:ty) => {
        impl<'a, T: Borrow<MapData>, $($param $(: $bound)?),*> IntoIterator for &'a $handle<T, $($param),*> {
            type Item = Result<($key, $value), MapError>;
            type IntoIter = MapIter<'a, $key, $value, $handle<T, $($param),*>>;

            fn into_iter(self) -> Self::IntoIter {
                MapIter::new(self)
            }
        }
    };
}
pub(crate) use iterable;

/// Removal of many keys.
macro_rules! remove_batch {
    ($handle:ident[$($param:ident $(: $bound:ident)?),*], key: $key:ty) => {
        impl<T: BorrowMut<MapData>, $($param $(: $bound)?),*> $handle<T, $($param),*> {
            /// Removes these keys, by few calls where the kernel can (since 5.6). Returns how many of
            /// them were there; each that was not costs a call.
            ///
            /// # Errors
            ///
            /// When the kernel refuses, with the number of keys that were looked at.
            pub fn remove_batch(&mut self, keys: &[$key]) -> Result<usize, $crate::maps::BatchError> {
                self.inner.borrow_mut().remove_batch(keys)
            }
        }
    };
}
pub(crate) use remove_batch;

/// The operations of maps whose entries come and go: lookup, insertion, removal, iteration.
macro_rules! table {
    ($handle:ident<$($param:ident),*>, key: $key:ty, value: $value:ty) => {
        impl<T: Borrow<MapData>, $($param: Pod),*> $handle<T, $($param),*> {
            /// A copy of the value of `key`. `flags` is 0, or `BPF_F_LOCK` (4) for values with a
            /// spin lock.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the
            /// kernel refuses.
            #[inline]
            pub fn get(&self, key: &$key, flags: u64) -> Result<$value, MapError> {
                self.inner.borrow().get(key, flags)
            }

            /// Walks the entries in no particular order. What happens when the map changes
            /// meanwhile is said at [`MapIter`].
            pub fn iter(&self) -> MapIter<'_, $key, $value, Self> {
                MapIter::new(self)
            }

            /// Walks the keys in no particular order, one call for each. What happens when the map
            /// changes meanwhile is said at [`MapKeys`].
            pub fn keys(&self) -> MapKeys<'_, $key> {
                MapKeys::new(self.inner.borrow())
            }

            /// Walks the values, as [`iter`](Self::iter) does.
            pub fn values(&self) -> impl Iterator<Item = Result<$value, MapError>> + '_ {
                self.iter().map(|entry| Ok(entry?.1))
            }
        }

        impl<T: BorrowMut<MapData>, $($param: Pod),*> $handle<T, $($param),*> {
            /// Sets the value of `key`. `flags` is `BPF_ANY` (0), `BPF_NOEXIST` (1: only new
            /// keys) or `BPF_EXIST` (2: only keys that are there). Key and value can be given by
            /// value or by reference.
            ///
            /// # Errors
            ///
            /// [`MapError::Full`], or [`MapError::SyscallError`]: `EEXIST` and `ENOENT` as the flags
            /// say.
            #[inline]
            pub fn insert(
                &mut self,
                key: impl Borrow<$key>,
                value: impl Borrow<$value>,
                flags: u64,
            ) -> Result<(), MapError> {
                self.inner.borrow_mut().set(key.borrow(), value.borrow(), flags)
            }

            /// Removes `key` and its value.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the
            /// kernel refuses.
            pub fn remove(&mut self, key: &$key) -> Result<(), MapError> {
                self.inner.borrow_mut().remove(key)
            }

            /// Takes all entries out, in no particular order; what that means for each is said at
            /// [`MapDrain`](super::MapDrain).
            pub fn drain(&mut self) -> $crate::maps::MapDrain<'_, $key, $value, Self> {
                $crate::maps::MapDrain::new(self)
            }

            /// Sets the values of as many keys, in order, by few calls where the kernel can (since
            /// 5.6). Returns how many that were. `flags` is as for [`insert`](Self::insert); with
            /// `BPF_NOEXIST` or `BPF_EXIST` each entry takes a call.
            ///
            /// # Errors
            ///
            /// At the first entry that cannot be set, as [`insert`](Self::insert) does, with the
            /// number of those that were; [`MapError::BatchMismatch`] for slices of different
            /// lengths.
            pub fn insert_batch(
                &mut self,
                keys: &[$key],
                values: &[$value],
                flags: u64,
            ) -> Result<usize, $crate::maps::BatchError> {
                self.inner.borrow_mut().insert_batch(keys, values, flags)
            }
        }

        $crate::maps::handle::remove_batch!($handle[$($param: Pod),*], key: $key);
        $crate::maps::handle::iterable!($handle<$($param),*>, key: $key, value: $value, in_batches);
    };
}
pub(crate) use table;
