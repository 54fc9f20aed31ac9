//! [`MapOptions`]: what to change in a map's definition before the map is made, or all of it.

use std::sync::Arc;

use aya_obj::MapChange;

use super::{MapType, ReusePolicy};
use crate::features::Features;

/// Changes of a map's definition, for [`EbpfLoader::map_options`](crate::EbpfLoader::map_options): what is
/// not set stays as the object says. And what there is to say of a map that belongs to no object
/// ([`HashMap::create_with`](super::HashMap::create_with)): what is not set is 0, or the handle knows it.
///
/// ```no_run
/// use aya::{EbpfLoader, maps::{MapOptions, MapType, ReusePolicy}};
///
/// let flows = MapOptions::new()
///     .map_type(MapType::LruHash)
///     .max_entries(1 << 20)
///     .numa_node(0)
///     .reuse(ReusePolicy::Replace);
/// let ebpf = EbpfLoader::new().map_options("FLOWS", flows).load_file("firewall.o")?;
/// # Ok::<(), aya::EbpfError>(())
/// ```
///
/// ```no_run
/// use aya::maps::{Array, ArrayOfMaps, HashMap, MapData, MapOptions, MapType};
///
/// let options = MapOptions::new().map_type(MapType::LruHash).max_entries(1024);
/// let recent: HashMap<_, u32, u64> = HashMap::create_with("RECENT", options)?;
///
/// // A map of maps needs to know what these look like.
/// let slots = Array::<MapData, u32>::options().max_entries(16);
/// let options = MapOptions::new().max_entries(8).inner(slots);
/// let customers = ArrayOfMaps::<_, Array<MapData, u32>>::create_with("CUSTOMERS", options)?;
/// # Ok::<(), aya::maps::MapError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MapOptions {
    pub(crate) change: MapChange,
    pub(crate) reuse: Option<ReusePolicy>,
    pub(crate) features: Option<Arc<Features>>,
}

impl MapOptions {
    /// Nothing is changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another type. Programs were compiled for the one in the object: one of the same family goes, such
    /// as an LRU hash map for a hash map.
    #[must_use]
    pub const fn map_type(mut self, map_type: MapType) -> Self {
        self.change.map_type = Some(aya_uapi::MapType(map_type as u32));
        self
    }

    /// Another size of the keys, in bytes.
    #[must_use]
    pub const fn key_size(mut self, bytes: u32) -> Self {
        self.change.key_size = Some(bytes);
        self
    }

    /// Another size of the values, in bytes; of a section of variables at least what they need.
    #[must_use]
    pub const fn value_size(mut self, bytes: u32) -> Self {
        self.change.value_size = Some(bytes);
        self
    }

    /// Room for this many elements, or bytes if it is a ring buffer.
    #[must_use]
    pub const fn max_entries(mut self, max_entries: u32) -> Self {
        self.change.max_entries = Some(max_entries);
        self
    }

    /// Other creation flags, `BPF_F_*`, in the place of the object's.
    #[must_use]
    pub const fn flags(mut self, flags: u32) -> Self {
        self.change.flags = Some(flags);
        self
    }

    /// The NUMA node whose memory holds the map (`BPF_F_NUMA_NODE`). Since kernel 4.14.
    #[must_use]
    pub const fn numa_node(mut self, node: u32) -> Self {
        self.change.numa_node = Some(node);
        self
    }

    /// What the type makes of it (`map_extra`): the number of hash functions of a bloom filter, the
    /// address of an arena. Since kernel 5.16.
    #[must_use]
    pub const fn map_extra(mut self, map_extra: u64) -> Self {
        self.change.map_extra = Some(map_extra);
        self
    }

    /// What the maps in this map of maps look like: changes of what the object says of them, all of it
    /// where the object says nothing.
    #[must_use]
    pub fn inner(mut self, inner: Self) -> Self {
        self.change.inner = Some(Box::new(inner.change));
        self
    }

    /// What to do when the map is to be pinned, by the object or by
    /// [`EbpfLoader::map_pin_path`](crate::EbpfLoader::map_pin_path). Of inner maps it does not count.
    #[must_use]
    pub const fn reuse(mut self, policy: ReusePolicy) -> Self {
        self.reuse = Some(policy);
        self
    }

    /// What the kernel can do, instead of finding it out: for tests of what happens on older ones. Maps
    /// of an object go by the loader's ([`EbpfLoader::features`](crate::EbpfLoader::features)).
    #[must_use]
    pub fn features(mut self, features: Arc<Features>) -> Self {
        self.features = Some(features);
        self
    }

    /// A type, with the sizes of keys and values.
    pub(super) fn of(map_type: MapType, key: usize, value: usize) -> Self {
        // Sizes beyond 32 bits saturate, and the kernel refuses them.
        let size = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        let options = Self::new().map_type(map_type);
        options.key_size(size(key)).value_size(size(value))
    }

    /// Takes over what `later` sets.
    pub(crate) fn merge(&mut self, later: Self) {
        self.change.merge(later.change);
        self.reuse = later.reuse.or(self.reuse);
        if later.features.is_some() {
            self.features = later.features;
        }
    }
}
