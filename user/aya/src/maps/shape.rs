//! [`MapShape`]: what a map must have in common with another to stand in for it.

use aya_obj::spec::MapSpec;
use aya_uapi::{MapType, bindings::BPF_F_RDONLY_PROG, maps::Entries};

use super::{MapError, per_cpu::possible_cpus};

/// What must be the same for two maps to be used by the same programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapShape {
    /// The type.
    pub map_type: MapType,
    /// The size of a key, in bytes.
    pub key_size: u32,
    /// The size of a value, in bytes; of per-CPU maps, of one CPU's value.
    pub value_size: u32,
    /// The number of entries, or the size of a ring buffer in bytes.
    pub max_entries: u32,
    /// The creation flags, `BPF_F_*`.
    pub flags: u32,
}

impl MapShape {
    /// The fields that differ: name, own value, the other's.
    pub(crate) fn differences(
        &self,
        other: &Self,
    ) -> impl Iterator<Item = (&'static str, String, String)> {
        let number = |field, own: u32, other: u32| (field, own.to_string(), other.to_string());
        let hex = |flags| format!("{flags:#x}");
        [
            (
                "type",
                self.map_type.to_string(),
                other.map_type.to_string(),
            ),
            number("key size", self.key_size, other.key_size),
            number("value size", self.value_size, other.value_size),
            number("max_entries", self.max_entries, other.max_entries),
            ("flags", hex(self.flags), hex(other.flags)),
        ]
        .into_iter()
        .filter(|(_, own, other)| own != other)
    }

    /// The shape of a map made from `spec`: with the sizes that the machine decides and the flags
    /// that the type needs.
    pub(super) fn as_created(spec: &MapSpec) -> Result<Self, MapError> {
        let mut shape = Self {
            map_type: spec.map_type,
            key_size: spec.key_size,
            value_size: spec.value_size,
            max_entries: spec.max_entries,
            flags: spec.flags,
        };
        if let Some(row) = aya_uapi::maps::map(spec.map_type) {
            let cpus = match row.entries {
                Entries::CountOrCpus => u32::try_from(possible_cpus()?).unwrap_or(u32::MAX),
                _ => 0,
            };
            let page = u32::try_from(aya_sys::page_size()).unwrap_or(u32::MAX);
            shape.max_entries = row.entries.fix_up(spec.max_entries, page, cpus);
            shape.flags |= row.flags;
        }
        Ok(shape)
    }

    /// Whether programs made for a map like this one can use `found`.
    pub(super) fn fits(self, found: Self) -> bool {
        // The kernel marks device maps read-only for programs, whether asked to or not.
        let kernels_own = match self.map_type {
            MapType::DEVMAP | MapType::DEVMAP_HASH => BPF_F_RDONLY_PROG,
            _ => 0,
        };
        let normal = |shape: Self| Self {
            flags: shape.flags & !kernels_own,
            ..shape
        };
        normal(self) == normal(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(map_type: MapType) -> MapSpec {
        MapSpec {
            key_size: 4,
            value_size: 8,
            ..MapSpec::new("COUNTS", ".maps", map_type)
        }
    }

    #[test]
    fn sizes_that_the_machine_decides() {
        let created = |map_type| MapShape::as_created(&spec(map_type)).unwrap();
        let cpus = u32::try_from(possible_cpus().unwrap()).unwrap();
        assert_eq!(created(MapType::PERF_EVENT_ARRAY).max_entries, cpus);
        let ring = created(MapType::RINGBUF).max_entries;
        assert_eq!(ring as usize, aya_sys::page_size());
        assert_ne!(created(MapType::LPM_TRIE).flags, 0);
    }

    #[test]
    fn flags_of_the_kernels_own_do_not_count() {
        let own = MapShape::as_created(&spec(MapType::DEVMAP)).unwrap();
        let found = MapShape {
            flags: own.flags | BPF_F_RDONLY_PROG,
            ..own
        };
        assert!(own.fits(found));
        let hash = MapShape::as_created(&spec(MapType::HASH)).unwrap();
        let read_only = MapShape {
            flags: BPF_F_RDONLY_PROG,
            ..hash
        };
        assert!(!hash.fits(read_only));
        let differences: Vec<_> = hash.differences(&read_only).collect();
        assert_eq!(differences, [("flags", "0x0".into(), "0x80".into())]);
    }
}
