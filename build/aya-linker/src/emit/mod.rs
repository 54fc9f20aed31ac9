//! Stage 4: the object that LLVM generates → the object that loaders read. It is written anew from
//! what loaders need: no DWARF, no LLVM tables, no symbols that nothing names.

mod btf;

use std::collections::HashMap;

use object::read::elf::{ElfFile64, ElfSection64};
use object::write::{self, Relocation, SectionId, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, Object, ObjectSection, ObjectSymbol, RelocationFlags,
    RelocationTarget, SectionFlags, SectionIndex, SectionKind, SymbolFlags, SymbolIndex,
    SymbolKind, elf,
};

use crate::Error;
use crate::lower::original;

/// The section with the log descriptors, which user space alone reads.
const LOG: &str = ".aya.log";
const BTF: &str = ".BTF";
const BTF_EXT: &str = ".BTF.ext";

/// Addresses in data, by the kernel's `Documentation/bpf/llvm_reloc.rst`.
const R_BPF_64_ABS64: elf::RelocationType = elf::RelocationType(2);
const R_BPF_64_ABS32: elf::RelocationType = elf::RelocationType(3);

type Input<'data> = ElfFile64<'data, Endianness>;

fn bad(error: impl std::fmt::Display) -> Error {
    Error::Object(error.to_string())
}

/// Writes the final object, with the log descriptors.
///
/// # Errors
/// [`Error::Object`].
pub(crate) fn finish(generated: &[u8], log: &[u8]) -> Result<Vec<u8>, Error> {
    let input = Input::parse(generated).map_err(bad)?;
    let endian = if input.is_little_endian() {
        Endianness::Little
    } else {
        Endianness::Big
    };
    let mut output = write::Object::new(BinaryFormat::Elf, Architecture::Bpf, endian);
    let sections = copy_sections(&input, &mut output)?;
    add_btf(&input, &mut output, endian)?;
    if !log.is_empty() {
        add_plain(&mut output, LOG, log.to_vec(), 1);
    }
    let symbols = copy_symbols(&input, &mut output, &sections)?;
    copy_relocations(&input, &mut output, &sections, &symbols)?;
    output.write().map_err(bad)
}

/// Is it code or data that loaders read?
fn is_kept(section: &ElfSection64<'_, '_, Endianness>, name: &str) -> bool {
    let waste = [".debug", ".llvm", ".note", ".comment", BTF]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    let is_content = matches!(
        section.kind(),
        SectionKind::Text
            | SectionKind::Data
            | SectionKind::ReadOnlyData
            | SectionKind::ReadOnlyString
            | SectionKind::UninitializedData
    );
    is_content && !waste && section.size() != 0
}

fn copy_sections(
    input: &Input<'_>,
    output: &mut write::Object<'_>,
) -> Result<HashMap<SectionIndex, SectionId>, Error> {
    let mut sections = HashMap::new();
    for section in input.sections() {
        let name = section.name().map_err(bad)?;
        if !is_kept(&section, name) {
            continue;
        }
        let id = output.add_section(Vec::new(), name.as_bytes().to_vec(), section.kind());
        let added = output.section_mut(id);
        added.flags = section.flags();
        if section.kind() == SectionKind::UninitializedData {
            added.append_bss(section.size(), section.align());
        } else {
            added.set_data(section.data().map_err(bad)?.to_vec(), section.align());
        }
        sections.insert(section.index(), id);
    }
    Ok(sections)
}

/// A section that is not loaded into memory.
fn add_plain(output: &mut write::Object<'_>, name: &str, data: Vec<u8>, align: u64) {
    let id = output.add_section(Vec::new(), name.into(), SectionKind::Other);
    let added = output.section_mut(id);
    added.flags = SectionFlags::Elf {
        sh_type: elf::SHT_PROGBITS,
        sh_flags: elf::SectionFlags(0),
    };
    added.set_data(data, align);
}

fn add_btf(
    input: &Input<'_>,
    output: &mut write::Object<'_>,
    endian: Endianness,
) -> Result<(), Error> {
    let Some(types) = relocated(input, BTF)? else {
        return Ok(());
    };
    let ext = relocated(input, BTF_EXT)?.unwrap_or_default();
    let mut sections: HashMap<String, btf::Section> = HashMap::new();
    for section in input.sections() {
        let size = u32::try_from(section.size()).map_err(bad)?;
        sections
            .entry(section.name().map_err(bad)?.to_owned())
            .or_default()
            .size = size;
    }
    for symbol in input
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
    {
        let Some(index) = symbol.section_index() else {
            continue;
        };
        let name = input
            .section_by_index(index)
            .and_then(|section| section.name())
            .map_err(bad)?;
        if let (Some(section), Ok(offset)) =
            (sections.get_mut(name), u32::try_from(symbol.address()))
        {
            section.functions.insert(offset, symbol.is_local());
        }
    }
    let (types, ext) = btf::repair(&types, &ext, endian, &sections).map_err(bad)?;
    add_plain(output, BTF, types, 4);
    // libbpf takes a section without records for a broken one
    if !ext.is_empty() {
        add_plain(output, BTF_EXT, ext, 4);
    }
    Ok(())
}

/// The bytes of a section with its relocations applied: each adds a symbol's address to a word.
fn relocated(input: &Input<'_>, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(section) = input.section_by_name(name) else {
        return Ok(None);
    };
    let mut data = section.data().map_err(bad)?.to_vec();
    let little = input.is_little_endian();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(index) = relocation.target() else {
            continue;
        };
        let address = input.symbol_by_index(index).map_err(bad)?.address();
        add_to_word(&mut data, offset, address, little)
            .ok_or_else(|| bad(format!("{name}: a relocation outside of it")))?;
    }
    Ok(Some(data))
}

/// Adds a symbol's address at the place of a relocation; `None` where there is no place for it.
fn add_address(
    data: &mut [u8],
    offset: u64,
    kind: elf::RelocationType,
    address: u64,
    little: bool,
) -> Option<()> {
    match kind {
        // a section's own symbol: what is in the instruction counts from there already
        _ if address == 0 => Some(()),
        // the immediate of an instruction follows its first four bytes
        elf::R_BPF_64_64 => add_to_word(data, offset.checked_add(4)?, address, little),
        R_BPF_64_ABS64 | R_BPF_64_ABS32 => add_to_word(data, offset, address, little),
        _ => None,
    }
}

fn add_to_word(data: &mut [u8], offset: u64, address: u64, little: bool) -> Option<()> {
    let address = u32::try_from(address).ok()?;
    let place = data
        .get_mut(usize::try_from(offset).ok()?..)?
        .first_chunk_mut::<4>()?;
    *place = if little {
        u32::from_le_bytes(*place)
            .wrapping_add(address)
            .to_le_bytes()
    } else {
        u32::from_be_bytes(*place)
            .wrapping_add(address)
            .to_be_bytes()
    };
    Some(())
}

fn copy_symbols(
    input: &Input<'_>,
    output: &mut write::Object<'_>,
    sections: &HashMap<SectionIndex, SectionId>,
) -> Result<HashMap<SymbolIndex, SymbolId>, Error> {
    let mut symbols = HashMap::new();
    for symbol in input.symbols() {
        let name = original(symbol.name().map_err(bad)?);
        let section = match symbol.section_index() {
            Some(index) => sections.get(&index).map(|&id| SymbolSection::Section(id)),
            None => symbol.is_undefined().then_some(SymbolSection::Undefined),
        };
        // sections have symbols where a relocation needs one; constants without a name of the user's
        // are reached by their section
        let is_data = symbol.kind() == SymbolKind::Data && symbol.is_local();
        let is_named = !name.is_empty() && !name.starts_with(".L") && !is_data;
        let is_own = !matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File);
        let (Some(section), true) = (section, is_named && is_own) else {
            continue;
        };
        let flags = match symbol.flags() {
            SymbolFlags::Elf { st_info, st_other } => SymbolFlags::Elf { st_info, st_other },
            _ => SymbolFlags::None,
        };
        let copy = write::Symbol {
            name: name.into(),
            value: symbol.address(),
            size: symbol.size(),
            kind: symbol.kind(),
            scope: symbol.scope(),
            weak: symbol.is_weak(),
            section,
            flags,
        };
        symbols.insert(symbol.index(), output.add_symbol(copy));
    }
    Ok(symbols)
}

fn copy_relocations(
    input: &Input<'_>,
    output: &mut write::Object<'_>,
    sections: &HashMap<SectionIndex, SectionId>,
    symbols: &HashMap<SymbolIndex, SymbolId>,
) -> Result<(), Error> {
    for section in input.sections() {
        let Some(&id) = sections.get(&section.index()) else {
            continue;
        };
        for (offset, relocation) in section.relocations() {
            let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(index)) =
                (relocation.flags(), relocation.target())
            else {
                return Err(bad("a relocation that is not eBPF's"));
            };
            let symbol = input.symbol_by_index(index).map_err(bad)?;
            let target = symbol
                .section_index()
                .and_then(|index| sections.get(&index));
            let symbol = match (symbols.get(&index), target) {
                (Some(&symbol), _) => symbol,
                (None, Some(&section)) => {
                    // the section stands for the symbol, whose address goes into the instruction
                    let data = output.section_mut(id).data_mut();
                    add_address(
                        data,
                        offset,
                        r_type,
                        symbol.address(),
                        input.is_little_endian(),
                    )
                    .ok_or_else(|| {
                        bad(format!(
                            "a relocation of a kind that is not known: {r_type:?}"
                        ))
                    })?;
                    output.section_symbol(section)
                }
                _ => {
                    let name = symbol.name().unwrap_or_default();
                    return Err(bad(format!("a relocation names {name}, which is not kept")));
                }
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
    Ok(())
}
