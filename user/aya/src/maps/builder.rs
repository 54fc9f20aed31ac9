//! [`MapBuilder`]: maps that belong to no object file.

use std::{marker::PhantomData, sync::Arc};

use aya_obj::spec::MapSpec;
use aya_uapi::bindings::BPF_F_NUMA_NODE;

use super::{FromMapData, MapData, MapError, MapType};
use crate::features::Features;

/// A map to be created that belongs to no object file: each handle that can be created has one,
/// [`HashMap::builder`](super::HashMap::builder).
///
/// ```no_run
/// use aya::maps::{Array, ArrayOfMaps, HashMap, MapType};
///
/// let recent: HashMap<_, u32, u64> = HashMap::builder()
///     .name("RECENT")
///     .map_type(MapType::LruHash)
///     .max_entries(1024)
///     .numa_node(0)
///     .create()?;
///
/// // A map of maps needs to know what these look like.
/// let slots = Array::builder().max_entries(16);
/// let mut per_customer: ArrayOfMaps<_, Array<_, u32>> =
///     ArrayOfMaps::builder().max_entries(8).inner(&slots).create()?;
/// per_customer.set(0, &slots.create()?, 0)?;
/// # Ok::<(), aya::maps::MapError>(())
/// ```
#[derive(Debug)]
#[must_use = "the map exists when `create` is called"]
pub struct MapBuilder<H> {
    spec: MapSpec,
    features: Arc<Features>,
    handle: PhantomData<fn() -> H>,
}

impl MapBuilder<MapData> {
    /// A map of any type, with keys and values of these sizes in bytes (0 where the type has none).
    pub fn new(map_type: MapType, key_size: u32, value_size: u32) -> Self {
        // `u32` fits where Linux runs.
        Self::of(map_type, key_size as usize, value_size as usize)
    }
}

impl<H> MapBuilder<H> {
    pub(super) fn of(map_type: MapType, key: usize, value: usize) -> Self {
        // Sizes beyond 32 bits saturate, and the kernel refuses them.
        let size = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            spec: MapSpec {
                key_size: size(key),
                value_size: size(value),
                ..MapSpec::new("", "", map_type.into())
            },
            features: Features::host(),
            handle: PhantomData,
        }
    }

    /// Names the map, for people: the kernel keeps 15 bytes. Since kernel 4.15, older ones do
    /// without.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.spec.name);
        self
    }

    /// Makes it of another type that the handle is for, such as [`MapType::LruHash`].
    pub fn map_type(mut self, map_type: MapType) -> Self {
        self.spec.map_type = map_type.into();
        self
    }

    /// Sets the number of entries, or what the type makes of it: bytes of a ring buffer, pages of
    /// an arena. Types that count none ignore it.
    pub fn max_entries(mut self, max_entries: u32) -> Self {
        self.spec.max_entries = max_entries;
        self
    }

    /// Sets the creation flags, `BPF_F_*`. Those that the type cannot do without are added.
    pub fn flags(mut self, flags: u32) -> Self {
        self.spec.flags = flags;
        self
    }

    /// Puts the map into the memory of this NUMA node. Since kernel 4.14; not all types take it.
    pub fn numa_node(mut self, node: u32) -> Self {
        self.spec.numa_node = node;
        self.spec.flags |= BPF_F_NUMA_NODE;
        self
    }

    /// Sets what the type makes of it: the number of hash functions of a bloom filter (1 to 15).
    /// Since kernel 5.16.
    pub fn map_extra(mut self, map_extra: u64) -> Self {
        self.spec.map_extra = map_extra;
        self
    }

    /// Says what the maps in a map of maps look like. `max_entries` of hash maps may differ later,
    /// that of arrays only with `BPF_F_INNER_MAP` (since kernel 5.10).
    pub fn inner<I>(mut self, inner: &MapBuilder<I>) -> Self {
        self.spec.inner = Some(Box::new(inner.spec.clone()));
        self
    }

    /// Says what the kernel can do, instead of finding it out.
    pub fn features(mut self, features: Arc<Features>) -> Self {
        self.features = features;
        self
    }
}

impl<H: FromMapData> MapBuilder<H> {
    /// Creates a map. Each call creates another one.
    ///
    /// # Errors
    ///
    /// [`MapError::CreateError`] when the kernel refuses, [`MapError::KernelTooOld`] when that is
    /// because it lacks the type, [`MapError::InvalidName`] for names with zero bytes,
    /// [`MapError::MissingInnerMapDefinition`] of a map of maps without [`inner`](Self::inner),
    /// [`MapError::InvalidMapType`] for a type that the handle is not for.
    pub fn create(&self) -> Result<H, MapError> {
        let name = &self.spec.name;
        H::from_map_data(MapData::create_on(&self.features, &self.spec, name, None)?)
    }
}
