//! **The map table**: one row per `BPF_MAP_TYPE_*`.
//!
//! A row is data. [`MAPS`] holds the rows for code that runs, [`for_each_map!`] hands the same rows to
//! code that is generated from them, such as the `Map` enum of `aya`.
//!
//! [`for_each_map!`]: crate::for_each_map

use crate::{KernelVersion, MapType, bindings::BPF_F_NO_PREALLOC};

mod table;

/// One type of map.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapDef {
    /// Name in messages, as `bpftool` prints it: `lru_hash`.
    pub name: &'static str,
    /// What the map holds, one or more sentences.
    pub doc: &'static str,
    /// Name of the handle that `aya` gives the map: `LruHashMap`.
    pub handle: &'static str,
    /// Type that the kernel knows it by.
    pub map_type: MapType,
    /// Kernel that brought it.
    pub since: KernelVersion,
    /// Sizes of a key that the kernel accepts.
    pub key: Size,
    /// Sizes of a value that the kernel accepts at creation. Where the value is a file descriptor or an
    /// id ([`Size::Exactly`] 4), programs see what it stands for.
    pub value: Size,
    /// Whether an element has one value for each CPU: user space reads and writes them all at once,
    /// each padded to a multiple of 8 bytes, for all possible CPUs.
    pub per_cpu: bool,
    /// What `max_entries` must be.
    pub entries: Entries,
    /// Whether values are maps, so that creation needs a map as template.
    pub inner: bool,
    /// Creation flags without which the kernel refuses the map.
    pub flags: u32,
    /// System call commands that work on it.
    pub ops: Ops,
    /// Whether this toolkit has a handle for it; if not, the map can be created and used by programs,
    /// and asking for a handle is a "not supported yet" error.
    pub supported: bool,
}

impl MapDef {
    /// Whether each element belongs to a socket, inode, task or cgroup, which user space names by a
    /// descriptor. Of these maps the kernel demands types of keys and values.
    pub const fn has_owners(&self) -> bool {
        matches!(self.entries, Entries::Zero) && self.flags & BPF_F_NO_PREALLOC != 0
    }
}

/// The sizes, in bytes, that a key or value may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Any size from 1.
    Any,
    /// No key or no value: the size is 0.
    Zero,
    /// This size alone.
    Exactly(u32),
    /// One of these.
    OneOf(&'static [u32]),
    /// From the first to the second, both included.
    Range(u32, u32),
    /// Any multiple of this size from one.
    MultipleOf(u32),
}

impl Size {
    /// Whether a key or value of `bytes` bytes fits.
    ///
    /// ```
    /// use aya_uapi::maps::Size;
    ///
    /// assert!(Size::OneOf(&[4, 8]).allows(8));
    /// assert!(!Size::Any.allows(0));
    /// ```
    pub fn allows(self, bytes: u32) -> bool {
        match self {
            Self::Any => bytes > 0,
            Self::Zero => bytes == 0,
            Self::Exactly(size) => bytes == size,
            Self::OneOf(sizes) => sizes.contains(&bytes),
            Self::Range(low, high) => (low..=high).contains(&bytes),
            Self::MultipleOf(size) => bytes > 0 && bytes.is_multiple_of(size),
        }
    }
}

/// What `max_entries` must be when a map is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// The number of elements, at least 1.
    Count,
    /// 0: the elements belong to other objects and are not counted.
    Zero,
    /// 1.
    One,
    /// The number of elements; 0 stands for the number of possible CPUs.
    CountOrCpus,
    /// The size of the buffer in bytes: a power of two and a multiple of the page size.
    RingBytes,
    /// The size of the region in pages.
    Pages,
}

impl Entries {
    /// The `max_entries` to create a map with where `given` is what its definition says: the rules that
    /// the machine decides (page size, number of possible CPUs) are applied, anything else is kept.
    ///
    /// Ring sizes are rounded up; one that would not fit in 32 bits is kept, for the kernel to refuse.
    ///
    /// ```
    /// use aya_uapi::maps::Entries;
    ///
    /// assert_eq!(Entries::RingBytes.fix_up(5000, 4096, 8), 8192);
    /// assert_eq!(Entries::CountOrCpus.fix_up(0, 4096, 8), 8);
    /// assert_eq!(Entries::Count.fix_up(10, 4096, 8), 10);
    /// ```
    pub const fn fix_up(self, given: u32, page_size: u32, possible_cpus: u32) -> u32 {
        match self {
            Self::CountOrCpus if given == 0 => possible_cpus,
            Self::Zero => 0,
            Self::One => 1,
            Self::RingBytes => {
                let at_least = if given < page_size { page_size } else { given };
                match at_least.checked_next_power_of_two() {
                    Some(bytes) => bytes,
                    None => given,
                }
            }
            Self::Count | Self::CountOrCpus | Self::Pages => given,
        }
    }
}

/// A set of system call commands that work on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ops(u32);

impl Ops {
    /// None: user space can only create the map.
    pub const NONE: Self = Self(0);
    /// `BPF_MAP_LOOKUP_ELEM`; of a queue or stack: peek.
    pub const LOOKUP: Self = Self(1);
    /// `BPF_MAP_UPDATE_ELEM`; of a queue or stack: push.
    pub const UPDATE: Self = Self(1 << 1);
    /// `BPF_MAP_DELETE_ELEM`
    pub const DELETE: Self = Self(1 << 2);
    /// `BPF_MAP_GET_NEXT_KEY`
    pub const NEXT_KEY: Self = Self(1 << 3);
    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`; of a queue or stack: pop.
    pub const TAKE: Self = Self(1 << 4);
    /// The `BPF_MAP_*_BATCH` commands.
    pub const BATCH: Self = Self(1 << 5);
    /// `mmap` of the map's file descriptor.
    pub const MMAP: Self = Self(1 << 6);
    /// Lookup, update, delete and iteration.
    pub const TABLE: Self = Self(1 | 1 << 1 | 1 << 2 | 1 << 3);
    /// Lookup, update and iteration: elements always exist.
    pub const ARRAY: Self = Self(1 | 1 << 1 | 1 << 3);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The row of a map type; `None` for types newer than this crate, and for `BPF_MAP_TYPE_UNSPEC`.
pub fn map(map_type: MapType) -> Option<&'static MapDef> {
    MAPS.iter().find(|def| def.map_type == map_type)
}

macro_rules! map_table {
    ($(
        $(#[doc = $doc:literal])*
        $handle:ident: $map_type:ident {
            name: $name:literal,
            since: ($major:literal, $minor:literal),
            key: $key:ident $(($($key_size:tt)*))?,
            value: $value:ident $(($($value_size:tt)*))?,
            per_cpu: $per_cpu:literal,
            entries: $entries:ident,
            inner: $inner:literal,
            flags: [$($flag:ident),*],
            ops: [$($ops:ident),*],
            supported: $supported:literal,
        }
    )*) => {
        /// All types of maps.
        pub static MAPS: &[MapDef] = &[$(
            MapDef {
                name: $name,
                doc: concat!($($doc),*),
                handle: stringify!($handle),
                map_type: MapType::$map_type,
                since: KernelVersion::new($major, $minor, 0),
                key: Size::$key $(($($key_size)*))?,
                value: Size::$value $(($($value_size)*))?,
                per_cpu: $per_cpu,
                entries: Entries::$entries,
                inner: $inner,
                flags: 0 $(| crate::bindings::$flag)*,
                ops: Ops::NONE $(.and(Ops::$ops))*,
                supported: $supported,
            },
        )*];
    };
}
crate::for_each_map!(map_table);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_type_has_one_row() {
        for map_type in MapType::ALL {
            let rows = MAPS.iter().filter(|def| def.map_type == *map_type).count();
            assert_eq!(
                rows,
                usize::from(*map_type != MapType::UNSPEC),
                "{map_type}"
            );
        }
    }

    #[test]
    fn names_are_unique_and_rows_documented() {
        for (index, def) in MAPS.iter().enumerate() {
            for other in MAPS.iter().skip(index + 1) {
                assert_ne!(def.name, other.name);
                assert_ne!(def.handle, other.handle);
            }
            assert!(def.doc.ends_with('.'), "{}", def.name);
            assert!(!def.inner || def.value == Size::Exactly(4), "{}", def.name);
        }
    }

    #[test]
    fn sizes() {
        assert!(Size::Range(5, 260).allows(5) && !Size::Range(5, 260).allows(261));
        assert!(Size::MultipleOf(8).allows(16) && !Size::MultipleOf(8).allows(0));
        assert!(Size::Zero.allows(0) && !Size::Zero.allows(1));
        assert!(Size::Exactly(4).allows(4) && !Size::Exactly(4).allows(8));
    }

    #[test]
    fn entries_fix_up() {
        let ring = |given| Entries::RingBytes.fix_up(given, 4096, 2);
        assert_eq!(ring(0), 4096);
        assert_eq!(ring(4096), 4096);
        assert_eq!(ring(4097), 8192);
        assert_eq!(ring(u32::MAX), u32::MAX);
        assert_eq!(Entries::RingBytes.fix_up(1, 65536, 2), 65536);
        assert_eq!(Entries::CountOrCpus.fix_up(3, 4096, 2), 3);
        assert_eq!(Entries::Zero.fix_up(3, 4096, 2), 0);
        assert_eq!(Entries::One.fix_up(0, 4096, 2), 1);
    }

    #[test]
    fn ops_are_sets() {
        assert!(Ops::TABLE.has(Ops::ARRAY));
        assert!(!Ops::ARRAY.has(Ops::DELETE));
        assert_eq!(Ops::ARRAY.and(Ops::DELETE), Ops::TABLE);
    }
}
