//! Functions, programs, relocations, and what BTF says about single instructions.

use alloc::{borrow::ToOwned, collections::BTreeMap, vec::Vec};

use aya_uapi::{Insn, bindings::BPF_PSEUDO_FUNC, programs::match_section};
use object::{Endian as _, Endianness};

use super::{Parser, is_family, is_loaded, number};
use crate::{
    Error, FieldSpec, ObjectSpec,
    btf::{BtfExt, SectionRecords, usize_of},
    elf::{Relocation, Section, SectionKind, Symbol, SymbolKind},
    order::{by_name, sort_by_number},
    spec::{FieldId, Function, FunctionKey, Instruction, Line, ProgramSpec, Reloc, Warning},
};

/// Bytes of an instruction slot.
const SLOT: u64 = 8;

impl Parser<'_> {
    /// Reads the sections of code.
    pub(super) fn code(&mut self) -> Result<(), Error> {
        for (index, section) in self.elf.sections.iter().enumerate() {
            if section.kind == SectionKind::Code && is_loaded(section) {
                self.functions(index, section)?;
                self.programs(index, section);
            }
        }
        for (index, section) in self.elf.sections.iter().enumerate() {
            if section.kind == SectionKind::Code && is_loaded(section) {
                for relocation in &section.relocations {
                    self.relocate(index, section, relocation)?;
                }
            }
        }
        self.local_calls()
    }

    /// Cuts a section into the functions that its symbols mark.
    fn functions(&mut self, index: usize, section: &Section<'_>) -> Result<(), Error> {
        let mut symbols: Vec<_> = self
            .elf
            .symbols_in(section)
            .filter(|symbol| symbol.kind == SymbolKind::Function)
            .collect();
        sort_by_number(&mut symbols, |symbol| symbol.offset);
        // Two names for one function: the first, a global one if there is one, counts.
        symbols.dedup_by(|next, kept| {
            let same = next.offset == kept.offset;
            if same && next.global && !kept.global {
                *kept = *next;
            }
            same
        });
        let mut ends = symbols.iter().skip(1).map(|symbol| symbol.offset);
        for symbol in &symbols {
            let limit = ends.next().unwrap_or(section.size);
            let error = |problem| Error::Function {
                function: symbol.name.to_owned(),
                section: section.name.to_owned(),
                offset: symbol.offset,
                problem,
            };
            let end = match symbol.size {
                0 => Some(limit),
                size => symbol.offset.checked_add(size),
            };
            let end = end
                .filter(|end| *end <= limit)
                .ok_or_else(|| error("reaches into the next function or past its section"))?;
            if !symbol.offset.is_multiple_of(SLOT) || !end.is_multiple_of(SLOT) {
                return Err(error("does not consist of whole instructions"));
            }
            let bytes = usize::try_from(symbol.offset)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(start, end)| section.data.get(start..end))
                .ok_or_else(|| error("lies outside of its section"))?;
            let insns = read_insns(bytes, self.elf.endian);
            if insns.is_empty() {
                return Err(error("is empty"));
            }
            let key = FunctionKey {
                section: number(index),
                offset: symbol.offset,
            };
            let function = Function {
                name: symbol.name.to_owned(),
                section: section.name.to_owned(),
                insns,
                ..Function::default()
            };
            self.spec.functions.insert(key, function);
        }
        Ok(())
    }

    /// The global functions of a section whose name selects a kind of program.
    fn programs(&mut self, index: usize, section: &Section<'_>) {
        if is_family(section.name, ".text") {
            return;
        }
        let Some(found) = match_section(section.name) else {
            return self.warn(Warning::UnknownSection {
                section: section.name.to_owned(),
            });
        };
        let before = self.spec.programs.len();
        let mut symbols: Vec<_> = self
            .elf
            .symbols_in(section)
            .filter(|symbol| symbol.kind == SymbolKind::Function)
            .filter(|symbol| symbol.global && !symbol.name.is_empty())
            .collect();
        sort_by_number(&mut symbols, |symbol| symbol.offset);
        for symbol in symbols {
            self.spec.programs.push(ProgramSpec {
                name: symbol.name.to_owned(),
                section: section.name.to_owned(),
                function: FunctionKey {
                    section: number(index),
                    offset: symbol.offset,
                },
                def: found.def,
                attach_type: found.section.attach_type,
                flags: found.section.flags,
                target: found.target.map(ToOwned::to_owned),
                optional: found.optional,
            });
        }
        if self.spec.programs.len() == before {
            self.warn(Warning::NoProgram {
                section: section.name.to_owned(),
            });
        }
    }

    /// Turns a relocation into the [`Reloc`] of the instruction that it patches.
    fn relocate(
        &mut self,
        index: usize,
        section: &Section<'_>,
        relocation: &Relocation,
    ) -> Result<(), Error> {
        let offset = relocation.offset;
        let symbol = self.elf.symbols.get(relocation.symbol);
        let error = |problem| Error::Relocation {
            section: section.name.to_owned(),
            offset,
            symbol: symbol
                .map_or("", |symbol| self.symbol_name(symbol))
                .to_owned(),
            problem,
        };
        let symbol = symbol.ok_or_else(|| error("the symbol does not exist"))?;
        // Code that no function covers is never loaded.
        let Some((key, slot)) = self.slot(number(index), offset) else {
            return Ok(());
        };
        if !offset.is_multiple_of(SLOT) {
            return Err(error("not at the start of an instruction"));
        }
        let insns = self
            .spec
            .functions
            .get(&key)
            .map(|function| &function.insns);
        let insn = insns
            .and_then(|insns| insns.get(slot))
            .map(|instruction| instruction.insn)
            .ok_or_else(|| error("not inside of a function"))?;
        let wide = insn.is_ld_imm64();
        if wide && insns.is_none_or(|insns| slot + 1 >= insns.len()) {
            return Err(error("the second half of the instruction is missing"));
        }
        let is_call = insn.is_subprogram_call() || insn.is_kfunc_call();
        if !wide && !is_call {
            return Err(error("neither a 64-bit load nor a call"));
        }

        let reloc = match symbol.section {
            None if is_call && FieldSpec::is_one(symbol.name) => {
                let known = self.fields.get(&relocation.symbol).copied();
                Reloc::Field(match known {
                    Some(field) => field,
                    None => {
                        let field = FieldSpec::parse(symbol.name)
                            .ok_or_else(|| error("it names no field of an event"))?;
                        let id = FieldId(number(self.spec.fields.len()));
                        self.spec.fields.push(field);
                        self.fields.insert(relocation.symbol, id);
                        id
                    }
                })
            }
            None => {
                let id = *self
                    .externs
                    .get(symbol.name)
                    .ok_or_else(|| Error::Unresolved {
                        symbol: symbol.name.to_owned(),
                        section: section.name.to_owned(),
                        offset,
                    })?;
                match wide {
                    true => Reloc::ExternVar(id),
                    false => Reloc::ExternFunc(id),
                }
            }
            Some(target) if is_call => {
                // The immediate counts instructions from the symbol's address on, less one.
                let addend = (i64::from(insn.imm) + 1) * SLOT.cast_signed();
                let key = self
                    .function_at(target, symbol.offset, addend)
                    .ok_or_else(|| error("no function begins where the call leads to"))?;
                Reloc::Call(key)
            }
            Some(target) => {
                let place = symbol
                    .offset
                    .checked_add_signed(insn.imm.into())
                    .ok_or_else(|| error("the address is out of range"))?;
                if let Some(&map) = self.places.get(&(target, place)) {
                    Reloc::MapFd(map)
                } else if let Some(&map) = self.data_maps.get(&target) {
                    // One past the end is an address, too.
                    let size = self.spec.map(map).map_or(0, |map| map.value_size);
                    let offset = u32::try_from(place)
                        .ok()
                        .filter(|offset| *offset <= size)
                        .ok_or_else(|| error("the address is outside of the section"))?;
                    Reloc::MapValue { map, offset }
                } else if let Some(key) = self.function_at(target, symbol.offset, insn.imm.into()) {
                    Reloc::FuncAddr(key)
                } else {
                    return Err(error("neither a map, a variable nor a function"));
                }
            }
        };
        self.set_reloc(key, slot, reloc);
        Ok(())
    }

    /// Calls inside of a section that the compiler resolved by itself: there the immediate counts
    /// from the next instruction on.
    fn local_calls(&mut self) -> Result<(), Error> {
        let mut found = Vec::new();
        for (&key, function) in &self.spec.functions {
            for (slot, instruction) in function.insns.iter().enumerate() {
                let insn = instruction.insn;
                let is_address = insn.is_ld_imm64() && u32::from(insn.src()) == BPF_PSEUDO_FUNC;
                if instruction.reloc.is_some() || !(insn.is_subprogram_call() || is_address) {
                    continue;
                }
                let next = (u64::from(number(slot)) + 1) * SLOT;
                let from = key.offset.saturating_add(next);
                let addend = i64::from(insn.imm) * SLOT.cast_signed();
                let target = self
                    .function_at(usize_of(key.section), from, addend)
                    .ok_or_else(|| Error::Relocation {
                        section: function.section.clone(),
                        offset: from.saturating_sub(SLOT),
                        symbol: function.name.clone(),
                        problem: "no function begins where the call leads to",
                    })?;
                let reloc = match is_address {
                    true => Reloc::FuncAddr(target),
                    false => Reloc::Call(target),
                };
                found.push((key, slot, reloc));
            }
        }
        for (key, slot, reloc) in found {
            self.set_reloc(key, slot, reloc);
        }
        Ok(())
    }

    fn set_reloc(&mut self, key: FunctionKey, slot: usize, reloc: Reloc) {
        let function = self.spec.functions.get_mut(&key);
        if let Some(instruction) = function.and_then(|function| function.insns.get_mut(slot)) {
            instruction.reloc = Some(reloc);
        }
    }

    /// The function that begins at a place, if one does.
    fn function_at(&self, section: usize, offset: u64, addend: i64) -> Option<FunctionKey> {
        let key = FunctionKey {
            section: number(section),
            offset: offset.checked_add_signed(addend)?,
        };
        self.spec.functions.contains_key(&key).then_some(key)
    }

    /// The function around a place, and the slot in it.
    fn slot(&self, section: u32, offset: u64) -> Option<(FunctionKey, usize)> {
        let first = FunctionKey { section, offset: 0 };
        let here = FunctionKey { section, offset };
        let (key, function) = self.spec.functions.range(first..=here).next_back()?;
        let slot = usize::try_from((offset - key.offset) / SLOT).ok()?;
        (slot < function.insns.len()).then_some((*key, slot))
    }

    /// The name of a symbol; those of sections have none of their own.
    fn symbol_name<'b>(&'b self, symbol: &'b Symbol<'_>) -> &'b str {
        match (symbol.name, symbol.section) {
            ("", Some(section)) => self.elf.sections.get(section).map_or("", |s| s.name),
            _ => symbol.name,
        }
    }

    /// Hands the records of `.BTF.ext` to the functions that they are about. Records about code that
    /// is not there (any more) are dropped.
    pub(super) fn instruction_info(&mut self, ext: &BtfExt) {
        let sections = self.elf.sections.iter().enumerate().rev();
        let sections = by_name(
            sections
                .filter(|(_, section)| section.kind == SectionKind::Code)
                .map(|(index, section)| (section.name, number(index))),
        );
        self.each(&sections, &ext.func_info, |record| record.offset, {
            |function, slot, _, record| {
                if slot == 0 {
                    function.ty = Some(record.ty);
                }
            }
        });
        self.each(&sections, &ext.line_info, |record| record.offset, {
            |function, _, start, record| function.lines.push(Line::new(record, start))
        });
        self.each(&sections, &ext.core_relo, |record| record.offset, {
            |function, slot, _, record| {
                let index = number(function.core.len());
                function.core.push(*record);
                if let Some(instruction) = function.insns.get_mut(slot) {
                    instruction.reloc.get_or_insert(Reloc::Core(index));
                }
            }
        });
        let ObjectSpec { btf, functions, .. } = &mut self.spec;
        for function in functions.values_mut() {
            let btf = btf.as_ref();
            function.ty = function
                .ty
                .filter(|ty| btf.is_some_and(|btf| btf.is_typed_func(*ty)));
            sort_by_number(&mut function.lines, |line| line.insn.into());
            function.lines.dedup_by_key(|line| line.insn);
        }
    }

    /// Calls `take(function, slot, byte offset of the function, record)` for every record.
    fn each<T>(
        &mut self,
        sections: &BTreeMap<&str, u32>,
        parts: &[SectionRecords<T>],
        offset: impl Fn(&T) -> u32,
        take: impl Fn(&mut Function, usize, u32, &T),
    ) {
        for part in parts {
            let name = self.spec.btf.as_ref().map(|btf| btf.name(part.section));
            let Some(&section) = name.and_then(|name| sections.get(name)) else {
                continue;
            };
            for record in &part.records {
                if let Some((key, slot)) = self.slot(section, offset(record).into())
                    && let Some(function) = self.spec.functions.get_mut(&key)
                    && let Ok(start) = u32::try_from(key.offset)
                {
                    take(function, slot, start, record);
                }
            }
        }
    }
}

/// Instructions in the byte order of the object to those of the host.
fn read_insns(bytes: &[u8], endian: Endianness) -> Vec<Instruction> {
    let (slots, _) = bytes.as_chunks::<8>();
    slots
        .iter()
        .map(|&[code, regs, off0, off1, imm0, imm1, imm2, imm3]| {
            let (dst, src) = match endian {
                Endianness::Little => (regs & 0xf, regs >> 4),
                Endianness::Big => (regs >> 4, regs & 0xf),
            };
            let off = endian.read_i16([off0, off1]);
            let imm = endian.read_i32([imm0, imm1, imm2, imm3]);
            Insn::new(code, dst, src, off, imm).into()
        })
        .collect()
}
