//! Stage 1: bytes to sections, symbols and relocations.
//!
//! What comes out is bounded by the length of the input: sections that overlap, so that a small
//! file could claim many times its size, are refused.

use alloc::vec::Vec;

use object::{
    Endianness, SectionIndex,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, Rel as _, SectionHeader as _, Sym as _},
};

use crate::{btf::usize_of, error::Error, order::sort_by_number};

/// The longest name of a section: every program and function in it repeats it.
const NAME_LIMIT: usize = 512;

/// An object file, taken apart.
pub(crate) struct Elf<'a> {
    pub(crate) endian: Endianness,
    /// The index is the section's number.
    pub(crate) sections: Vec<Section<'a>>,
    /// The index is the symbol's number.
    pub(crate) symbols: Vec<Symbol<'a>>,
}

/// A section.
pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: SectionKind,
    /// Its bytes; none for `.bss`.
    pub(crate) data: &'a [u8],
    /// Bytes it has in memory.
    pub(crate) size: u64,
    /// The numbers of the symbols that it defines.
    pub(crate) symbols: Vec<usize>,
    /// The relocations of its bytes, by rising offset.
    pub(crate) relocations: Vec<Relocation>,
}

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// Instructions.
    Code,
    /// Bytes in memory.
    Data,
    /// Zeros in memory.
    Zeros,
    /// Anything that stays in the file.
    Other,
}

/// A symbol.
#[derive(Clone, Copy)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: SymbolKind,
    /// Seen outside of the object: a function in a program section is a program.
    pub(crate) global: bool,
    /// May it stay undefined?
    pub(crate) weak: bool,
    /// The section that defines it; `None` when undefined, absolute or common.
    pub(crate) section: Option<usize>,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SymbolKind {
    Function,
    Object,
    Section,
    Other,
}

/// A place to be filled in. What is to be added to the symbol's address is in the place itself: eBPF
/// has no relocations with addends of their own.
#[derive(Clone, Copy)]
pub(crate) struct Relocation {
    pub(crate) offset: u64,
    pub(crate) symbol: usize,
}

/// Counts down what the parts of a file may claim together.
struct Budget(u64);

impl Budget {
    fn spend(&mut self, amount: usize) -> Result<(), Error> {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.0 = self.0.checked_sub(amount).ok_or(Error::Overlap)?;
        Ok(())
    }
}

/// A name, if it is text. Names are shown in messages, so control characters are no part of any.
fn text(name: &[u8]) -> &str {
    let text = core::str::from_utf8(name).ok();
    text.filter(|text| !text.bytes().any(|byte| byte.is_ascii_control()))
        .unwrap_or_default()
}

impl<'a> Elf<'a> {
    /// Takes an eBPF object apart.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let elf = |reason| Error::Elf { reason };
        let header = FileHeader64::<Endianness>::parse(data).map_err(elf)?;
        let endian = header.endian().map_err(elf)?;
        let machine = header.e_machine(endian);
        if machine != elf::EM_BPF {
            return Err(Error::Machine { machine: machine.0 });
        }
        let file_type = header.e_type(endian);
        if file_type != elf::ET_REL {
            return Err(Error::NotRelocatable {
                file_type: file_type.0,
            });
        }

        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let mut bytes = Budget(len);
        // Strings may share their ends, so all names together may exceed the file a little.
        let mut names = Budget(len.saturating_mul(8).saturating_add(1 << 16));

        let table = header.sections(endian, data).map_err(elf)?;
        let mut sections = Vec::with_capacity(table.len());
        for header in table.iter() {
            let name = table.section_name(endian, header).unwrap_or_default();
            names.spend(name.len())?;
            let name = text(name);
            if name.len() > NAME_LIMIT {
                return Err(Error::Section {
                    section: name.chars().take(NAME_LIMIT).collect(),
                    problem: "its name is longer than 512 bytes",
                    fix: "shorten it",
                });
            }
            let flags = header.sh_flags(endian);
            let section_type = header.sh_type(endian);
            let data = header.data(endian, data).map_err(elf)?;
            bytes.spend(data.len())?;
            let kind = if !flags.contains(elf::SHF_ALLOC) {
                SectionKind::Other
            } else if flags.contains(elf::SHF_EXECINSTR) {
                SectionKind::Code
            } else if section_type == elf::SHT_NOBITS {
                SectionKind::Zeros
            } else {
                SectionKind::Data
            };
            sections.push(Section {
                name,
                kind,
                data,
                size: header.sh_size(endian),
                symbols: Vec::new(),
                relocations: Vec::new(),
            });
        }

        let symbol_table = table.symbols(endian, data, elf::SHT_SYMTAB).map_err(elf)?;
        let mut symbols = Vec::with_capacity(symbol_table.len());
        for (index, symbol) in symbol_table.enumerate() {
            let name = symbol_table.symbol_name(endian, symbol).unwrap_or_default();
            names.spend(name.len())?;
            let section = symbol_table
                .symbol_section(endian, symbol, index)
                .map_err(elf)?
                .map(|index| index.0);
            if let Some(section) = section.and_then(|index| sections.get_mut(index)) {
                section.symbols.push(index.0);
            }
            symbols.push(Symbol {
                name: text(name),
                kind: match symbol.st_type() {
                    elf::STT_FUNC => SymbolKind::Function,
                    elf::STT_OBJECT => SymbolKind::Object,
                    elf::STT_SECTION => SymbolKind::Section,
                    _ => SymbolKind::Other,
                },
                global: !symbol.is_local(),
                weak: symbol.st_bind() == elf::STB_WEAK,
                section,
                offset: symbol.st_value(endian),
                size: symbol.st_size(endian),
            });
        }

        for header in table.iter() {
            let mut relocations = Vec::new();
            let target = if let Some((entries, _)) = header.rel(endian, data).map_err(elf)? {
                for entry in entries {
                    relocations.push(Relocation {
                        offset: entry.r_offset(endian),
                        symbol: usize_of(entry.r_sym(endian)),
                    });
                }
                header.info_link(endian)
            } else {
                continue;
            };
            let SectionIndex(target) = target;
            if let Some(target) = sections.get_mut(target) {
                target.relocations.append(&mut relocations);
            }
        }
        for section in &mut sections {
            sort_by_number(&mut section.relocations, |relocation| relocation.offset);
        }

        Ok(Self {
            endian,
            sections,
            symbols,
        })
    }

    /// The first section of that name, with its number.
    pub(crate) fn section(&self, name: &str) -> Option<(usize, &Section<'a>)> {
        self.sections
            .iter()
            .enumerate()
            .find(|(_, section)| section.name == name)
    }

    /// The symbols that a section defines.
    pub(crate) fn symbols_in<'b>(
        &'b self,
        section: &'b Section<'a>,
    ) -> impl Iterator<Item = &'b Symbol<'a>> {
        section
            .symbols
            .iter()
            .filter_map(|&index| self.symbols.get(index))
    }
}
