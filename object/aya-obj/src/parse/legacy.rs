//! Map definitions in the section `maps`: an array of numbers per map (`struct bpf_map_def`).
//!
//! The first five numbers are type, key size, value size, number of elements and flags; Aya's
//! definition has two more, an id and the kind of pinning. Longer definitions keep their meaning:
//! what follows is not looked at.

use alloc::{borrow::ToOwned, vec::Vec};

use aya_uapi::MapType;

use super::{Parser, bytes_at};
use crate::{
    Error,
    bytes::Bytes,
    elf::{Section, SymbolKind},
    order::sort_by_number,
    spec::{MapSpec, PinningType},
};

/// Bytes of the shortest definition.
const MIN_SIZE: u64 = 20;

impl Parser<'_> {
    pub(super) fn legacy_maps(&mut self) -> Result<(), Error> {
        for (index, section) in self.elf.sections.iter().enumerate() {
            if section.name == "maps" || section.name.starts_with("maps/") {
                self.legacy_section(index, section)?;
            }
        }
        Ok(())
    }

    fn legacy_section(&mut self, index: usize, section: &Section<'_>) -> Result<(), Error> {
        let symbols: Vec<_> = self
            .elf
            .symbols_in(section)
            .filter(|symbol| {
                !symbol.name.is_empty()
                    && matches!(symbol.kind, SymbolKind::Object | SymbolKind::Other)
            })
            .collect();
        let mut starts: Vec<u64> = symbols.iter().map(|symbol| symbol.offset).collect();
        sort_by_number(&mut starts, |start| *start);
        for symbol in symbols {
            let offset = symbol.offset;
            // Without a size in the symbol, a definition reaches up to the next one.
            let size = match symbol.size {
                0 => {
                    let next = starts.get(starts.partition_point(|start| *start <= offset));
                    next.copied().unwrap_or(section.size).saturating_sub(offset)
                }
                size => size,
            };
            if size < MIN_SIZE {
                return Err(Error::Map {
                    map: symbol.name.to_owned(),
                    problem: "has a definition of less than 20 bytes",
                    member: "".into(),
                });
            }
            let bytes = bytes_at(section, offset, usize::try_from(size).unwrap_or(usize::MAX))?;
            let mut bytes = Bytes::new(bytes, self.elf.endian);
            // Definitions without id and pinning mean zero.
            let mut number = || bytes.u32().unwrap_or_default();
            let mut map = MapSpec::new(symbol.name, section.name, MapType(number()));
            map.key_size = number();
            map.value_size = number();
            map.max_entries = number();
            map.flags = number();
            map.id = number();
            map.pinning = PinningType::from_number(number()).ok_or_else(|| Error::Map {
                map: symbol.name.to_owned(),
                problem: "is of an unknown kind (0: none, 1: by name)",
                member: "pinning".to_owned(),
            })?;
            let id = self.push_map(map);
            self.places.insert((index, offset), id);
        }
        Ok(())
    }
}
