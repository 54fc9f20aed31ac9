//! Map definitions in BTF: a variable in section `.maps` whose type says everything.
//!
//! A number is the length of an array that the member points to, or the value of an enumeration;
//! a type is what the member points to. The section's bytes hold only what is put into the map:
//! addresses of other maps or of programs, behind the member `values`.

use alloc::{borrow::ToOwned, boxed::Box, collections::BTreeSet, vec::Vec};

use aya_uapi::MapType;

use super::{Parser, number};
use crate::{
    Error,
    btf::{Btf, DatasecVar, Kind, Struct, Type, TypeId},
    elf::SectionKind,
    order::sort_by_number,
    spec::{FunctionKey, InitialValue, MapSpec, PinningType, Warning},
};

/// The most members that all definitions may have together; far more than maps can be created.
const MEMBERS_LIMIT: usize = 1 << 16;

/// The most unknown members of a definition that are reported.
const UNKNOWN_LIMIT: usize = 8;

/// Bytes of an address in the section.
const POINTER_SIZE: u64 = 8;

/// Where a definition's `values` begin in the section, and how far they reach.
#[derive(Clone, Copy)]
pub(super) struct Values {
    map: usize,
    start: u64,
    end: u64,
}

impl Parser<'_> {
    pub(super) fn btf_maps(&mut self) -> Result<(), Error> {
        let Some((index, section)) = self.elf.section(".maps") else {
            return Ok(());
        };
        let Some(btf) = self.spec.btf.take() else {
            return Err(Error::Section {
                section: section.name.to_owned(),
                problem: "needs type information, which the object lacks",
                fix: "build with debug information (`-g`, `debug = 2`)",
            });
        };
        let result = self.btf_maps_of(&btf, index);
        self.spec.btf = Some(btf);
        result
    }

    fn btf_maps_of(&mut self, btf: &Btf, section: usize) -> Result<(), Error> {
        let Some(Type {
            kind: Kind::Datasec { vars, .. },
            ..
        }) = btf.datasec(".maps").and_then(|id| btf.get(id))
        else {
            return Err(Error::Section {
                section: ".maps".to_owned(),
                problem: "is not described by the type information",
                fix: "build with debug information (`-g`, `debug = 2`)",
            });
        };
        let mut budget = MEMBERS_LIMIT;
        let mut seen = BTreeSet::new();
        for var in vars {
            if !seen.insert(var.ty) {
                return Err(map_error(btf.type_name(var.ty), "", "is defined twice"));
            }
            self.btf_map(btf, section, var, &mut budget)?;
        }
        Ok(())
    }

    fn btf_map(
        &mut self,
        btf: &Btf,
        section: usize,
        var: &DatasecVar,
        budget: &mut usize,
    ) -> Result<(), Error> {
        let name = btf.type_name(var.ty);
        let Some(Type {
            kind: Kind::Var { ty, .. },
            ..
        }) = btf.get(var.ty)
        else {
            return Err(map_error(name, "", "is not a variable"));
        };
        if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(map_error("", "", "has no readable name"));
        }
        let mut definition = Definition {
            btf,
            map: MapSpec::new(name, ".maps", MapType::UNSPEC),
            unknown: Vec::new(),
            values_at: None,
            budget,
        };
        definition.read(*ty, true)?;
        let Definition {
            map,
            unknown,
            values_at,
            ..
        } = definition;
        for member in unknown {
            self.warn(Warning::UnknownMapMember {
                map: name.to_owned(),
                member,
            });
        }
        let offset = u64::from(var.offset);
        let id = self.push_map(map);
        self.places.insert((section, offset), id);
        if let Some(start) = values_at {
            self.values.push(Values {
                map: self.spec.maps.len().saturating_sub(1),
                start: offset.saturating_add(u64::from(start)),
                end: offset.saturating_add(u64::from(var.size)),
            });
        }
        Ok(())
    }

    /// Reads what definitions put into maps: the relocations of section `.maps`.
    pub(super) fn initial_values(&mut self) -> Result<(), Error> {
        let Some((_, section)) = self.elf.section(".maps") else {
            return Ok(());
        };
        let mut values = core::mem::take(&mut self.values);
        sort_by_number(&mut values, |values| values.start);
        for relocation in &section.relocations {
            let offset = relocation.offset;
            let symbol = self.elf.symbols.get(relocation.symbol);
            let error = |problem| Error::Relocation {
                section: section.name.to_owned(),
                offset,
                symbol: symbol.map_or("", |symbol| symbol.name).to_owned(),
                problem,
            };
            let before = values.partition_point(|values| values.start <= offset);
            let values = before
                .checked_sub(1)
                .and_then(|index| values.get(index))
                .filter(|values| offset < values.end)
                .ok_or_else(|| error("no map takes a value here"))?;
            let symbol = symbol.ok_or_else(|| error("the symbol does not exist"))?;
            let target = symbol
                .section
                .ok_or_else(|| error("the symbol is not defined"))?;
            let value = match self.places.get(&(target, symbol.offset)) {
                Some(&map) => InitialValue::Map(map),
                None if self.is_code(target) => InitialValue::Program(FunctionKey {
                    section: number(target),
                    offset: symbol.offset,
                }),
                None => return Err(error("neither a map nor a program")),
            };
            let index = (offset - values.start) / POINTER_SIZE;
            let index = u32::try_from(index).map_err(|_| error("the index is too large"))?;
            if let Some(map) = self.spec.maps.get_mut(values.map) {
                if map.key_size != 4 {
                    let problem = "puts elements in by number, which takes keys of 4 bytes";
                    return Err(map_error(&map.name, "values", problem));
                }
                map.initial.push((index, value));
            }
        }
        Ok(())
    }

    fn is_code(&self, section: usize) -> bool {
        self.elf
            .sections
            .get(section)
            .is_some_and(|section| section.kind == SectionKind::Code)
    }
}

fn map_error(map: &str, member: &str, problem: &'static str) -> Error {
    Error::Map {
        map: map.to_owned(),
        member: member.to_owned(),
        problem,
    }
}

/// A definition being read.
struct Definition<'a> {
    btf: &'a Btf,
    map: MapSpec,
    /// Members that are not known.
    unknown: Vec<alloc::string::String>,
    /// Where `values` begins in the definition, in bytes.
    values_at: Option<u32>,
    budget: &'a mut usize,
}

impl<'a> Definition<'a> {
    fn error(&self, member: &str, problem: &'static str) -> Error {
        map_error(&self.map.name, member, problem)
    }

    /// Reads a definition of that type; `outer`: it may have inner maps.
    fn read(&mut self, ty: TypeId, outer: bool) -> Result<(), Error> {
        let Some((
            _,
            Type {
                kind: Kind::Struct(Struct { members, .. }),
                ..
            },
        )) = self.btf.resolve(ty)?
        else {
            return Err(self.error("", "is not defined by a struct"));
        };
        for member in members {
            *self.budget = self
                .budget
                .checked_sub(1)
                .ok_or_else(|| self.error("", "and those before it have too many members"))?;
            let name = self.btf.name(member.name);
            let ty = member.ty;
            match name {
                "type" => self.map.map_type = MapType(self.number(name, ty)?),
                "max_entries" => self.map.max_entries = self.number(name, ty)?,
                "map_flags" => self.map.flags = self.number(name, ty)?,
                "numa_node" => self.map.numa_node = self.number(name, ty)?,
                "map_extra" => self.map.map_extra = self.wide_number(name, ty)?,
                "pinning" => {
                    let number = self.number(name, ty)?;
                    self.map.pinning = PinningType::from_number(number).ok_or_else(|| {
                        self.error(name, "is of an unknown kind (0: none, 1: by name)")
                    })?;
                }
                "key_size" => {
                    let size = self.number(name, ty)?;
                    self.map.key_size = self.agree(name, self.map.key_size, size)?;
                }
                "value_size" => {
                    let size = self.number(name, ty)?;
                    self.map.value_size = self.agree(name, self.map.value_size, size)?;
                }
                "key" => {
                    let (ty, size) = self.pointed(name, ty)?;
                    self.map.key_type = ty;
                    self.map.key_size = self.agree(name, self.map.key_size, size)?;
                }
                "value" => {
                    let (ty, size) = self.pointed(name, ty)?;
                    self.map.value_type = ty;
                    self.map.value_size = self.agree(name, self.map.value_size, size)?;
                }
                "values" if outer => {
                    self.values_at = Some(member.bit_offset / 8);
                    self.values(name, ty)?;
                }
                _ if self.unknown.len() < UNKNOWN_LIMIT => self.unknown.push(name.to_owned()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Two statements about the same size must agree.
    fn agree(&self, member: &str, before: u32, now: u32) -> Result<u32, Error> {
        if before != 0 && before != now {
            return Err(self.error(member, "contradicts the size given before"));
        }
        Ok(now)
    }

    /// What a member points to, through qualifiers.
    fn pointee(&self, ty: TypeId) -> Result<Option<TypeId>, Error> {
        Ok(match self.btf.resolve(ty)? {
            Some((
                _,
                Type {
                    kind: Kind::Ptr(to),
                    ..
                },
            )) => Some(*to),
            _ => None,
        })
    }

    fn number(&self, member: &str, ty: TypeId) -> Result<u32, Error> {
        u32::try_from(self.wide_number(member, ty)?)
            .map_err(|_| self.error(member, "does not fit in 32 bits"))
    }

    /// A number: `int (*member)[N]`, or an enumeration whose first value it is.
    fn wide_number(&self, member: &str, ty: TypeId) -> Result<u64, Error> {
        let to = self.pointee(ty)?;
        match self.btf.resolve(to.unwrap_or(ty))?.map(|(_, ty)| &ty.kind) {
            Some(Kind::Array(array)) if to.is_some() => Ok(array.len.into()),
            Some(Kind::Enum(body) | Kind::Enum64(body)) => body
                .values
                .first()
                .map(|value| value.value.cast_unsigned())
                .ok_or_else(|| self.error(member, "is an enumeration without values")),
            _ => Err(self.error(
                member,
                "is not a number: a pointer to an array of that length",
            )),
        }
    }

    /// The type that a member points to, and its size.
    fn pointed(&self, member: &str, ty: TypeId) -> Result<(TypeId, u32), Error> {
        let to = self
            .pointee(ty)?
            .ok_or_else(|| self.error(member, "is not a pointer to the type"))?;
        let size = self
            .btf
            .size_of(to)?
            .ok_or_else(|| self.error(member, "points to a type without size"))?;
        Ok((to, size))
    }

    /// `values`: an array of pointers to the inner maps' definition, or to functions.
    fn values(&mut self, member: &str, ty: TypeId) -> Result<(), Error> {
        let element = match self.btf.resolve(ty)? {
            Some((
                _,
                Type {
                    kind: Kind::Array(array),
                    ..
                },
            )) => array.elem,
            _ => return Err(self.error(member, "is not an array")),
        };
        let to = self
            .pointee(element)?
            .ok_or_else(|| self.error(member, "is not an array of pointers"))?;
        // The elements are numbers to the kernel: ids of maps or programs.
        self.map.value_size = 4;
        match self.btf.resolve(to)?.map(|(_, ty)| &ty.kind) {
            Some(Kind::FuncProto { .. }) => Ok(()),
            Some(Kind::Struct(_)) => {
                let mut inner = Definition {
                    btf: self.btf,
                    map: MapSpec::new(&self.map.name, ".maps", MapType::UNSPEC),
                    unknown: Vec::new(),
                    values_at: None,
                    budget: self.budget,
                };
                inner.read(to, false)?;
                let Definition { map, unknown, .. } = inner;
                self.unknown.extend(unknown);
                self.map.inner = Some(Box::new(map));
                Ok(())
            }
            _ => Err(self.error(
                member,
                "points neither to a map's definition nor to a function",
            )),
        }
    }
}
