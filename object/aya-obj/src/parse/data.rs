//! Data sections, global variables, and what the kernel defines.

use alloc::{borrow::ToOwned, collections::BTreeMap, vec::Vec};

use aya_uapi::{
    MapType,
    bindings::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG},
};

use super::{Parser, is_family, is_loaded, number};
use crate::{
    Error,
    btf::{Btf, Kind, Type, TypeId, VarLinkage, usize_of},
    elf::{SectionKind, SymbolKind},
    order::{by_name, sort_by_number},
    spec::{ExternId, ExternKind, ExternSpec, GlobalSpec, MapSpec, Warning},
};

/// The most variables a section may hold: what a file announces costs nothing until it is loaded,
/// so it must be bounded.
const DATA_LIMIT: u64 = 128 << 20;

/// Sections of data that are understood elsewhere or need no understanding.
const OTHER_SECTIONS: &[&str] = &["license", "version", "maps", ".maps", ".ksyms", ".kconfig"];

impl Parser<'_> {
    /// Makes a map of every data section, and keeps the sections for user space.
    pub(super) fn data_sections(&mut self) -> Result<(), Error> {
        self.fill_in_datasecs();
        let btf = self.spec.btf.take();
        let result = self.data_sections_of(btf.as_ref());
        self.spec.btf = btf;
        result
    }

    fn data_sections_of(&mut self, btf: Option<&Btf>) -> Result<(), Error> {
        let types = types_by_name(btf, |id, kind| match kind {
            Kind::Datasec { .. } => Some(id),
            _ => None,
        });
        for (index, section) in self.elf.sections.iter().enumerate() {
            let name = section.name;
            if name.starts_with(".aya.") {
                self.spec.kept.insert(name.to_owned(), section.data.into());
                continue;
            }
            if !is_loaded(section) || section.kind == SectionKind::Code {
                continue;
            }
            let read_only = is_family(name, ".rodata");
            if !read_only && !is_family(name, ".data") && !is_family(name, ".bss") {
                if !OTHER_SECTIONS.contains(&name) && !name.starts_with("maps/") {
                    self.warn(Warning::UnknownSection {
                        section: name.to_owned(),
                    });
                }
                continue;
            }
            if section.size > DATA_LIMIT {
                return Err(Error::Section {
                    section: name.to_owned(),
                    problem: "more than 128 MiB of variables",
                    fix: "use a map for large data",
                });
            }
            if let Some(relocation) = section.relocations.first() {
                self.warn(Warning::AddressInData {
                    section: name.to_owned(),
                    offset: relocation.offset,
                });
            }
            // A second section of the same name is not what the types describe.
            let value_type = types.get(name).copied().map(TypeId).filter(|id| {
                let kind = btf.and_then(|btf| btf.get(*id)).map(|ty| &ty.kind);
                matches!(kind, Some(Kind::Datasec { size, .. }) if u64::from(*size) == section.size)
            });
            let map = MapSpec {
                key_size: 4,
                value_size: u32::try_from(section.size).unwrap_or(u32::MAX),
                max_entries: 1,
                // User space reads one variable, or writes to it beside programs that write to others.
                flags: if read_only {
                    BPF_F_MMAPABLE | BPF_F_RDONLY_PROG
                } else {
                    BPF_F_MMAPABLE
                },
                value_type: value_type.unwrap_or_default(),
                contents: Some(section.data.into()),
                frozen: read_only,
                ..MapSpec::new(name, name, MapType::ARRAY)
            };
            let id = self.push_map(map);
            self.data_maps.insert(index, id);
        }
        Ok(())
    }

    /// Finds the named variables of data sections.
    pub(super) fn globals(&mut self) {
        let types = types_by_name(self.spec.btf.as_ref(), |_, kind| match kind {
            Kind::Var { ty, .. } => Some(*ty),
            _ => None,
        });
        for (&index, &map) in &self.data_maps {
            let Some(section) = self.elf.sections.get(index) else {
                continue;
            };
            for symbol in self.elf.symbols_in(section) {
                let (Ok(offset), Ok(size)) =
                    (u32::try_from(symbol.offset), u32::try_from(symbol.size))
                else {
                    continue;
                };
                let inside = symbol
                    .offset
                    .checked_add(symbol.size)
                    .is_some_and(|end| end <= section.size);
                if symbol.kind != SymbolKind::Object || symbol.name.is_empty() || !inside {
                    continue;
                }
                let global = GlobalSpec {
                    map,
                    offset,
                    size,
                    ty: types
                        .get(symbol.name)
                        .copied()
                        .map(TypeId)
                        .unwrap_or_default(),
                };
                if symbol.global {
                    self.spec.globals.insert(symbol.name.to_owned(), global);
                } else {
                    self.spec
                        .globals
                        .entry(symbol.name.to_owned())
                        .or_insert(global);
                }
            }
        }
    }

    /// Fills in what compilers leave open: the sizes of sections and the places of variables.
    fn fill_in_datasecs(&mut self) {
        let Some(btf) = &mut self.spec.btf else {
            return;
        };
        let sections = self.elf.sections.iter().enumerate().rev();
        let sections = by_name(sections.map(|(index, section)| (section.name, number(index))));
        let ids: Vec<TypeId> = btf
            .iter()
            .filter(|(_, ty)| matches!(ty.kind, Kind::Datasec { .. }))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            let Some(index) = sections.get(btf.type_name(id)).map(|&id| usize_of(id)) else {
                continue;
            };
            let Some(Type {
                kind: Kind::Datasec { size, vars },
                ..
            }) = btf.get(id)
            else {
                continue;
            };
            let (mut size, mut vars) = (*size, vars.clone());
            if let (0, Some(section)) = (size, self.elf.sections.get(index)) {
                size = u32::try_from(section.size).unwrap_or(u32::MAX);
            }
            for var in &mut vars {
                let name = btf.type_name(var.ty);
                if let Some(symbol) = self.named.get(&(index, name)) {
                    var.offset = u32::try_from(symbol.offset).unwrap_or(u32::MAX);
                }
            }
            sort_by_number(&mut vars, |var| var.offset.into());
            if let Some(ty) = btf.get_mut(id) {
                ty.kind = Kind::Datasec { size, vars };
            }
        }
    }

    /// Collects what the object expects the kernel to define.
    pub(super) fn externs(&mut self) {
        let Some(btf) = &self.spec.btf else {
            return;
        };
        let undefined = self
            .elf
            .symbols
            .iter()
            .filter(|symbol| symbol.section.is_none());
        let weak = by_name(undefined.map(|symbol| (symbol.name, symbol.weak.into())));
        for (section, kind) in [
            (".kconfig", ExternKind::Kconfig),
            (".ksyms", ExternKind::Ksym),
        ] {
            let Some(Type {
                kind: Kind::Datasec { vars, .. },
                ..
            }) = btf.datasec(section).and_then(|id| btf.get(id))
            else {
                continue;
            };
            for var in vars {
                let name = btf.type_name(var.ty);
                let is_extern = match btf.get(var.ty).map(|ty| &ty.kind) {
                    Some(Kind::Var { linkage, .. }) => *linkage == VarLinkage::EXTERN,
                    Some(Kind::Func { .. }) => true,
                    _ => false,
                };
                if !is_extern || name.is_empty() || self.externs.contains_key(name) {
                    continue;
                }
                let id = ExternId(u32::try_from(self.spec.externs.len()).unwrap_or(u32::MAX));
                self.spec.externs.push(ExternSpec {
                    name: name.to_owned(),
                    kind,
                    ty: var.ty,
                    weak: weak.get(name) == Some(&1),
                });
                self.externs.insert(name.to_owned(), id);
            }
        }
    }
}

/// What `pick` finds in the types that BTF names, by name.
fn types_by_name(
    btf: Option<&Btf>,
    pick: impl Fn(TypeId, &Kind) -> Option<TypeId>,
) -> BTreeMap<&str, u32> {
    let types = btf.into_iter().flat_map(|btf| {
        btf.iter()
            .filter_map(|(id, ty)| Some((btf.name(ty.name), pick(id, &ty.kind)?.0)))
    });
    by_name(types)
}
