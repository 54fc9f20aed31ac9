//! [`MapShape`]: what a map must have in common with another to stand in for it.

use aya_obj::spec::MapSpec;
use aya_uapi::{
    MapType,
    bindings::{
        BPF_F_MMAPABLE, BPF_F_NO_COMMON_LRU, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY,
    },
    maps::Entries,
};

use super::{MapDifference, MapError, per_cpu::possible_cpus};
use crate::features::Feature;

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
    /// What the type makes of it. 0 before kernel 5.16.
    pub map_extra: u64,
}

impl MapShape {
    /// Whether this is an arena that may be anywhere.
    pub(super) fn lacks_address(&self) -> bool {
        self.map_type == MapType::ARENA && self.map_extra == 0
    }

    /// In what `found` differs so that programs made for a map like this one cannot use it.
    pub(super) fn differences(&self, found: &Self) -> impl Iterator<Item = MapDifference> {
        let (own, other) = (self.lasting_flags(), found.lasting_flags());
        let number = |number: u32| number.to_string();
        let hex = |flags: u32| format!("{flags:#x}");
        let extra = match self.lacks_address() {
            true => found.map_extra,
            false => self.map_extra,
        };
        [
            (
                "type",
                self.map_type.to_string(),
                found.map_type.to_string(),
            ),
            ("key size", number(self.key_size), number(found.key_size)),
            (
                "value size",
                number(self.value_size),
                number(found.value_size),
            ),
            (
                "max_entries",
                number(self.max_entries),
                number(found.max_entries),
            ),
            ("flags", hex(own), hex(other)),
            ("map_extra", extra.to_string(), found.map_extra.to_string()),
        ]
        .into_iter()
        .filter(|(_, own, other)| own != other)
        .map(|(what, expected, found)| MapDifference {
            what: what.to_owned(),
            expected,
            found,
        })
    }

    /// The flags that the map was created with, as far as the kernel still tells.
    pub(super) const fn lasting_flags(&self) -> u32 {
        self.flags & !self.passing_flags()
    }

    /// Flags that the kernel sets or forgets, whatever the map was created with.
    const fn passing_flags(&self) -> u32 {
        // The first two are about the descriptor that creation returned.
        let descriptors = BPF_F_RDONLY | BPF_F_WRONLY;
        match self.map_type {
            // The kernel marks device maps read-only for programs, whether asked to or not.
            MapType::DEVMAP | MapType::DEVMAP_HASH => descriptors | BPF_F_RDONLY_PROG,
            _ => descriptors,
        }
    }

    /// What does without something that older kernels lack, if there is such a shape.
    pub(super) fn lesser(self, spec: &MapSpec) -> Option<(Feature, Self)> {
        let smaller = Self {
            value_size: 4,
            ..self
        };
        match self.map_type {
            // Variables can do without, maps whose author asked for it cannot.
            _ if spec.contents.is_some() && self.flags & BPF_F_MMAPABLE != 0 => {
                let flags = self.flags & !BPF_F_MMAPABLE;
                Some((Feature::MappedArrays, Self { flags, ..self }))
            }
            MapType::DEVMAP | MapType::DEVMAP_HASH if self.value_size == 8 => {
                Some((Feature::DevMapPrograms, smaller))
            }
            MapType::CPUMAP if self.value_size == 8 => Some((Feature::CpuMapPrograms, smaller)),
            _ => None,
        }
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
            map_extra: spec.map_extra,
        };
        let cpus = || Ok::<_, MapError>(u32::try_from(possible_cpus()?).unwrap_or(u32::MAX));
        if let Some(row) = aya_uapi::maps::map(spec.map_type) {
            let cpus = match row.entries {
                Entries::CountOrCpus => cpus()?,
                _ => 0,
            };
            let page = u32::try_from(aya_sys::page_size()).unwrap_or(u32::MAX);
            shape.max_entries = row.entries.fix_up(spec.max_entries, page, cpus);
            shape.flags |= row.flags;
        }
        // With a list for each CPU, each has as many elements.
        if shape.flags & BPF_F_NO_COMMON_LRU != 0 {
            let max_entries = shape.max_entries.checked_next_multiple_of(cpus()?);
            shape.max_entries = max_entries.unwrap_or(shape.max_entries);
        }
        Ok(shape)
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
        assert_eq!(own.differences(&found).count(), 0);
        let hash = MapShape::as_created(&spec(MapType::HASH)).unwrap();
        let other = MapShape {
            flags: BPF_F_RDONLY_PROG | BPF_F_RDONLY,
            map_extra: 1,
            ..hash
        };
        let differences: Vec<_> = hash.differences(&other).map(|it| it.to_string()).collect();
        assert_eq!(
            differences,
            ["flags is 0x80, expected 0x0", "map_extra is 1, expected 0"]
        );
    }
}
