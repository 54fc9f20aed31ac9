//! Stage 2: sections to an [`ObjectSpec`].
//!
//! | file | what |
//! | --- | --- |
//! | `data` | data sections, global variables, what the kernel defines |
//! | `legacy` | map definitions in the section `maps` |
//! | `maps` | map definitions in BTF |
//! | `code` | functions, programs, relocations, line information |

mod code;
mod data;
mod legacy;
mod maps;

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Error, ObjectSpec,
    btf::{Btf, BtfExt},
    elf::{Elf, Section, SectionKind, Symbol},
    spec::{ExternId, FieldId, MapId, MapSpec, Warning},
};

/// No more warnings than one can read.
const WARNINGS_LIMIT: usize = 64;

impl ObjectSpec {
    /// Reads an object file. Makes no system call, and is safe on any bytes: it neither panics nor
    /// takes more time and memory than a small multiple of the input's length asks for.
    ///
    /// Objects of either byte order are read;
    /// [`ObjectSpec::configure`] refuses those of the other one.
    ///
    /// # Errors
    ///
    /// When the bytes are no eBPF object, or a part of it makes no sense; the error names the
    /// section and the offset.
    pub fn parse(data: &[u8]) -> Result<Self, Error> {
        let elf = Elf::parse(data)?;
        let btf = elf
            .section(".BTF")
            .map(|(_, section)| Btf::parse(section.data))
            .transpose()?;
        let ext = match (elf.section(".BTF.ext"), &btf) {
            (Some((_, section)), Some(btf)) => Some(BtfExt::parse(section.data, btf)?),
            _ => None,
        };
        let mut parser = Parser {
            spec: Self {
                endian: elf.endian,
                license: text_section(&elf, "license")?,
                kernel_version: version_section(&elf)?,
                programs: Vec::new(),
                functions: BTreeMap::new(),
                maps: Vec::new(),
                globals: BTreeMap::new(),
                externs: Vec::new(),
                fields: Vec::new(),
                btf,
                kept: BTreeMap::new(),
                warnings: Vec::new(),
            },
            elf: &elf,
            named: BTreeMap::new(),
            places: BTreeMap::new(),
            data_maps: BTreeMap::new(),
            values: Vec::new(),
            externs: BTreeMap::new(),
            fields: BTreeMap::new(),
        };
        parser.index_symbols();
        parser.data_sections()?;
        parser.globals();
        parser.externs();
        parser.legacy_maps()?;
        parser.btf_maps()?;
        parser.code()?;
        parser.initial_values()?;
        if let Some(ext) = ext {
            parser.instruction_info(&ext);
        }
        Ok(parser.spec)
    }
}

/// An [`ObjectSpec`] being filled.
struct Parser<'a> {
    spec: ObjectSpec,
    elf: &'a Elf<'a>,
    /// Symbols by section and name.
    named: BTreeMap<(usize, &'a str), Symbol<'a>>,
    /// Map definitions by section and offset.
    places: BTreeMap<(usize, u64), MapId>,
    /// The maps of data sections, by section.
    data_maps: BTreeMap<usize, MapId>,
    /// Where definitions of maps put values in.
    values: Vec<maps::Values>,
    /// What the kernel defines, by name.
    externs: BTreeMap<String, ExternId>,
    /// Fields of events, by symbol.
    fields: BTreeMap<usize, FieldId>,
}

impl<'a> Parser<'a> {
    fn index_symbols(&mut self) {
        for symbol in &self.elf.symbols {
            if let Some(section) = symbol.section
                && !symbol.name.is_empty()
            {
                let known = self.named.entry((section, symbol.name)).or_insert(*symbol);
                // A local symbol may share its name with a global one, which then is meant.
                if symbol.global && !known.global {
                    *known = *symbol;
                }
            }
        }
    }

    fn warn(&mut self, warning: Warning) {
        if self.spec.warnings.len() < WARNINGS_LIMIT {
            self.spec.warnings.push(warning);
        }
    }

    fn push_map(&mut self, map: MapSpec) -> MapId {
        let id = MapId(number(self.spec.maps.len()));
        self.spec.maps.push(map);
        id
    }
}

/// Does a section belong to a family: `.data`, or `.data.` and something?
fn is_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The bytes at an offset of a section, as many as asked for.
fn bytes_at<'a>(section: &Section<'a>, offset: u64, len: usize) -> Result<&'a [u8], Error> {
    usize::try_from(offset)
        .ok()
        .and_then(|start| section.data.get(start..start.checked_add(len)?))
        .ok_or_else(|| Error::Truncated {
            section: section.name.to_owned(),
            offset,
        })
}

/// The text of a section that holds one string.
fn text_section(elf: &Elf<'_>, name: &str) -> Result<Option<String>, Error> {
    let Some((_, section)) = elf.section(name) else {
        return Ok(None);
    };
    let text = section.data.split(|byte| *byte == 0).next();
    core::str::from_utf8(text.unwrap_or_default())
        .map(|text| Some(text.to_owned()))
        .map_err(|_| Error::Section {
            section: name.to_owned(),
            problem: "not text",
            fix: "put a string such as \"GPL\" there",
        })
}

/// The number in the section `version`.
fn version_section(elf: &Elf<'_>) -> Result<Option<u32>, Error> {
    use object::Endian as _;
    let Some((_, section)) = elf.section("version") else {
        return Ok(None);
    };
    let bytes = section.data.try_into().map_err(|_| Error::Section {
        section: section.name.to_owned(),
        problem: "not a number of 32 bits",
        fix: "put a `u32` there",
    })?;
    Ok(Some(elf.endian.read_u32(bytes)))
}

/// Is the section one that programs can see, or could, and that has something in it?
fn is_loaded(section: &Section<'_>) -> bool {
    section.kind != SectionKind::Other && section.size != 0
}

/// An index as the number of an entry; no table is longer than the file.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
