//! Stage 4: the object that LLVM generates → the object that loaders read. It is written anew from
//! what loaders need: no DWARF, no LLVM tables, no symbols that nothing names.

use std::collections::HashMap;

use object::read::elf::ElfFile64;
use object::write::{self, Relocation, SectionId, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, Object, ObjectSection, ObjectSymbol, RelocationFlags,
    RelocationTarget, SectionFlags, SectionIndex, SectionKind, SymbolFlags, SymbolIndex,
    SymbolKind, elf,
};

use crate::Error;

/// The section with the log descriptors, which user space alone reads.
const LOG: &str = ".aya.log";

fn bad(error: impl std::fmt::Display) -> Error {
    Error::Object(error.to_string())
}

/// Is it something that loaders read, in the form that the generator leaves it?
fn is_kept(name: &str) -> bool {
    !(name.is_empty()
        || name.starts_with(".debug")
        || name.starts_with(".llvm")
        || name.starts_with(".note"))
}

/// Writes the final object, with the log descriptors.
///
/// # Errors
/// [`Error::Object`].
pub(crate) fn finish(generated: &[u8], log: &[u8]) -> Result<Vec<u8>, Error> {
    let input = ElfFile64::<Endianness>::parse(generated).map_err(bad)?;
    let endian = if input.is_little_endian() {
        Endianness::Little
    } else {
        Endianness::Big
    };
    let mut output = write::Object::new(BinaryFormat::Elf, Architecture::Bpf, endian);

    let mut sections: HashMap<SectionIndex, SectionId> = HashMap::new();
    for section in input.sections() {
        let name = section.name().map_err(bad)?;
        let data = section.data().map_err(bad)?;
        let program_data = matches!(
            section.kind(),
            SectionKind::Text
                | SectionKind::Data
                | SectionKind::ReadOnlyData
                | SectionKind::UninitializedData
                | SectionKind::ReadOnlyString
                | SectionKind::Other
        );
        if !is_kept(name) || !program_data || section.size() == 0 {
            continue;
        }
        let id = output.add_section(Vec::new(), name.as_bytes().to_vec(), section.kind());
        let added = output.section_mut(id);
        added.flags = section.flags();
        if section.kind() == SectionKind::UninitializedData {
            added.append_bss(section.size(), section.align());
        } else {
            added.set_data(data, section.align());
        }
        sections.insert(section.index(), id);
    }
    if !log.is_empty() {
        let id = output.add_section(Vec::new(), LOG.into(), SectionKind::Other);
        let added = output.section_mut(id);
        added.flags = SectionFlags::Elf {
            sh_type: elf::SHT_PROGBITS,
            sh_flags: elf::SectionFlags(0),
        };
        added.set_data(log, 1);
    }

    let mut symbols: HashMap<SymbolIndex, SymbolId> = HashMap::new();
    for symbol in input.symbols() {
        if let Some(symbol_new) = copy_symbol(&symbol, &sections)? {
            symbols.insert(symbol.index(), output.add_symbol(symbol_new));
        }
    }
    for section in input.sections() {
        let Some(&id) = sections.get(&section.index()) else {
            continue;
        };
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let symbol = match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let symbol = input.symbol_by_index(index).map_err(bad)?;
                    match (
                        symbols.get(&index),
                        symbol
                            .section_index()
                            .and_then(|index| sections.get(&index)),
                    ) {
                        (Some(&symbol), _) => symbol,
                        (None, Some(&section)) if symbol.kind() == SymbolKind::Section => {
                            output.section_symbol(section)
                        }
                        _ => {
                            return Err(bad(format!(
                                "a relocation in {} names what was removed",
                                section.name().unwrap_or("?")
                            )));
                        }
                    }
                }
                _ => return Err(bad("a relocation without a symbol")),
            };
            let copy = Relocation {
                offset,
                symbol,
                addend: 0,
                flags: RelocationFlags::Elf { r_type },
            };
            output.add_relocation(id, copy).map_err(bad)?;
        }
    }
    output.write().map_err(bad)
}

fn copy_symbol<'data>(
    symbol: &impl ObjectSymbol<'data>,
    sections: &HashMap<SectionIndex, SectionId>,
) -> Result<Option<write::Symbol>, Error> {
    let section = match symbol.section_index() {
        Some(index) => match sections.get(&index) {
            Some(&id) => SymbolSection::Section(id),
            None => return Ok(None),
        },
        None if symbol.is_undefined() && symbol.kind() != SymbolKind::File => {
            SymbolSection::Undefined
        }
        None => return Ok(None),
    };
    let name = symbol.name_bytes().map_err(bad)?;
    // the null symbol, section symbols and local labels
    if name.is_empty()
        || matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File)
        || name.starts_with(b".L")
    {
        return Ok(None);
    }
    let flags = match symbol.flags() {
        SymbolFlags::Elf { st_info, st_other } => SymbolFlags::Elf { st_info, st_other },
        _ => SymbolFlags::None,
    };
    Ok(Some(write::Symbol {
        name: name.to_vec(),
        value: symbol.address(),
        size: symbol.size(),
        kind: symbol.kind(),
        scope: symbol.scope(),
        weak: symbol.is_weak(),
        section,
        flags,
    }))
}
