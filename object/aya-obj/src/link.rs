//! Stage 5: functions to flat programs.
//!
//! The kernel takes a program as one array of instructions: the program's function first, then
//! every function that it calls. [`Configured::link`] lays them out, computes calls, and moves type
//! and line information along. What remains to be filled in are maps, whose file descriptors exist
//! only after creation: [`LinkedProgram::instructions`].

use alloc::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    format,
    string::String,
    sync::Arc,
    vec::Vec,
};

use aya_uapi::{
    Insn,
    bindings::{BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE},
};

use crate::{
    Configured, Error, FieldSpec, ObjectSpec,
    btf::{Btf, TypeId, usize_of},
    spec::{
        ExternId, ExternSpec, FieldId, Function, FunctionKey, GlobalSpec, InitialValue,
        Instruction, Line, MapId, MapSpec, ProgramSpec, Reloc, Warning,
    },
};

/// The most instruction slots of a program (`BPF_COMPLEXITY_LIMIT_INSNS`).
const PROGRAM_LIMIT: usize = 1_000_000;

/// All programs together: shared functions are copied into every program that calls them, so a small
/// object could grow without bounds.
fn total_limit(slots: usize) -> usize {
    slots.saturating_mul(64).saturating_add(PROGRAM_LIMIT)
}

/// An object whose programs are flat.
#[derive(Clone, Debug)]
pub struct LinkedObject {
    /// See [`ObjectSpec::license`].
    pub license: Option<String>,
    /// See [`ObjectSpec::kernel_version`].
    pub kernel_version: Option<u32>,
    /// The programs.
    pub programs: Vec<LinkedProgram>,
    /// See [`ObjectSpec::maps`].
    pub maps: Vec<MapSpec>,
    /// See [`ObjectSpec::globals`].
    pub globals: BTreeMap<String, GlobalSpec>,
    /// See [`ObjectSpec::btf`].
    pub btf: Option<Btf>,
    /// See [`ObjectSpec::kept`].
    pub kept: BTreeMap<String, Vec<u8>>,
    /// See [`ObjectSpec::warnings`].
    pub warnings: Vec<Warning>,
}

/// A program with all functions that it calls in one array.
#[derive(Clone, Debug)]
pub struct LinkedProgram {
    /// The program's name, kind and target.
    pub spec: ProgramSpec,
    /// The instruction slots. Of relocations only [`Reloc::MapFd`], [`Reloc::MapValue`] and
    /// [`Reloc::Field`] remain.
    pub insns: Vec<Instruction>,
    /// Those of the object: [`ObjectSpec::fields`].
    pub fields: Arc<[FieldSpec]>,
    /// The functions in it by rising instruction; the first is the program's own.
    pub functions: Vec<LinkedFunction>,
    /// The source lines by rising instruction.
    pub lines: Vec<Line>,
}

/// A function in a [`LinkedProgram`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedFunction {
    /// The index of its first instruction slot.
    pub insn: u32,
    /// Its name.
    pub name: String,
    /// Its [`Kind::Func`](crate::btf::Kind::Func), if known.
    pub ty: Option<TypeId>,
}

impl Configured {
    /// Lays out every program with the functions that it calls.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] when a program has more than a million instruction slots,
    /// [`Error::NotSupported`] when an instruction needs something of the kernel that cannot be
    /// resolved yet (types, variables, functions), [`Error::Unresolved`] when a function is missing,
    /// [`Error::Map`] when a map is to hold a function that is no program.
    pub fn link(self) -> Result<LinkedObject, Error> {
        let spec = self.into_spec();
        check_initial(&spec)?;
        let own: usize = spec.functions.values().map(|f| f.insns.len()).sum();
        let limit = total_limit(own);
        let mut total = 0usize;
        let fields = Arc::from(spec.fields.as_slice());
        let mut programs = Vec::new();
        for program in &spec.programs {
            let linked = Linker::new(&spec, program)?.link(Arc::clone(&fields))?;
            // Names are copied as well; 32 bytes of them count as one instruction.
            let names = linked.functions.iter().map(|f| f.name.len() / 32);
            total = names.fold(total, usize::saturating_add);
            total = total.saturating_add(linked.insns.len());
            if total > limit {
                return Err(Error::TooLarge {
                    program: program.name.clone(),
                    limit,
                });
            }
            programs.push(linked);
        }
        let ObjectSpec {
            license,
            kernel_version,
            maps,
            globals,
            btf,
            kept,
            warnings,
            ..
        } = spec;
        Ok(LinkedObject {
            license,
            kernel_version,
            programs,
            maps,
            globals,
            btf,
            kept,
            warnings,
        })
    }
}

/// Refuses functions that are no programs where maps are to hold programs.
fn check_initial(spec: &ObjectSpec) -> Result<(), Error> {
    let programs: BTreeSet<_> = spec.programs.iter().map(|it| it.function).collect();
    for map in &spec.maps {
        let is_other = |(_, value): &(u32, InitialValue)| matches!(value, InitialValue::Program(key) if !programs.contains(key));
        if map.initial.iter().any(is_other) {
            return Err(Error::Map {
                map: map.name.clone(),
                member: "values".into(),
                problem: "holds a function that is no program",
            });
        }
    }
    Ok(())
}

/// Links one program.
struct Linker<'a> {
    spec: &'a ObjectSpec,
    program: &'a ProgramSpec,
    /// The functions in their order.
    order: Vec<&'a Function>,
    /// Where each function begins.
    starts: BTreeMap<FunctionKey, usize>,
}

impl<'a> Linker<'a> {
    /// Finds the functions that the program needs, and their places.
    fn new(spec: &'a ObjectSpec, program: &'a ProgramSpec) -> Result<Self, Error> {
        let mut linker = Self {
            spec,
            program,
            order: Vec::new(),
            starts: BTreeMap::new(),
        };
        let mut len = 0usize;
        linker.place(program.function, &program.section, 0, &mut len)?;
        let mut next = 0;
        while let Some(&function) = linker.order.get(next) {
            for (slot, instruction) in function.insns.iter().enumerate() {
                if let Some(Reloc::Call(key) | Reloc::FuncAddr(key)) = instruction.reloc {
                    linker.place(key, &function.section, slot, &mut len)?;
                }
            }
            next += 1;
        }
        Ok(linker)
    }

    /// Gives a function its place behind those before it, if it has none yet.
    fn place(
        &mut self,
        key: FunctionKey,
        section: &str,
        slot: usize,
        len: &mut usize,
    ) -> Result<(), Error> {
        let Entry::Vacant(entry) = self.starts.entry(key) else {
            return Ok(());
        };
        let function = self
            .spec
            .functions
            .get(&key)
            .ok_or_else(|| Error::Unresolved {
                symbol: format!("section {key}"),
                section: section.into(),
                offset: u64::try_from(slot).unwrap_or(u64::MAX).saturating_mul(8),
            })?;
        entry.insert(*len);
        self.order.push(function);
        *len = len.saturating_add(function.insns.len());
        if *len > PROGRAM_LIMIT {
            return Err(Error::TooLarge {
                program: self.program.name.clone(),
                limit: PROGRAM_LIMIT,
            });
        }
        Ok(())
    }

    fn link(self, fields: Arc<[FieldSpec]>) -> Result<LinkedProgram, Error> {
        let mut insns: Vec<Instruction> = Vec::new();
        let mut functions = Vec::new();
        let mut lines = Vec::new();
        for function in &self.order {
            let start = slot_number(insns.len());
            functions.push(LinkedFunction {
                insn: start,
                name: function.name.clone(),
                ty: function.ty,
            });
            lines.extend(lines_of(function, start));
            for instruction in &function.insns {
                let here = insns.len();
                insns.push(self.resolve(*instruction, here, function)?);
            }
        }
        Ok(LinkedProgram {
            spec: self.program.clone(),
            insns,
            fields,
            functions,
            lines,
        })
    }

    /// Fills in what does not depend on file descriptors.
    fn resolve(
        &self,
        instruction: Instruction,
        here: usize,
        function: &Function,
    ) -> Result<Instruction, Error> {
        let not_supported = |what| Error::NotSupported {
            program: self.program.name.clone(),
            insn: here,
            what,
        };
        let insn = instruction.insn;
        Ok(match instruction.reloc {
            None | Some(Reloc::MapFd(_) | Reloc::MapValue { .. } | Reloc::Field(_)) => instruction,
            Some(Reloc::Call(key)) => {
                let distance = self.distance(key, here);
                insn.with_src(BPF_PSEUDO_CALL as u8)
                    .with_imm(distance)
                    .into()
            }
            Some(Reloc::FuncAddr(key)) => {
                let distance = self.distance(key, here);
                insn.with_src(BPF_PSEUDO_FUNC as u8)
                    .with_imm(distance)
                    .into()
            }
            Some(Reloc::ExternVar(id)) => {
                let name = self.extern_name(id);
                return Err(not_supported(format!(
                    "the kernel's variable `{name}` is used"
                )));
            }
            Some(Reloc::ExternFunc(id)) => {
                let name = self.extern_name(id);
                return Err(not_supported(format!(
                    "the kernel's function `{name}` is called"
                )));
            }
            Some(Reloc::Core(index)) => {
                let ty = function.core.get(usize_of(index)).map(|record| record.ty);
                let btf = self.spec.btf.as_ref();
                let name = ty.zip(btf).map_or("", |(ty, btf)| btf.type_name(ty));
                return Err(not_supported(format!(
                    "it depends on the kernel's type `{name}` (CO-RE)"
                )));
            }
        })
    }

    /// From the instruction after this one to the start of a function. Programs are small enough for
    /// the difference to fit.
    fn distance(&self, key: FunctionKey, here: usize) -> i32 {
        let start = self.starts.get(&key).copied().unwrap_or_default();
        let slot = |index| i32::try_from(index).unwrap_or(i32::MAX);
        slot(start) - slot(here) - 1
    }

    fn extern_name(&self, ExternId(id): ExternId) -> &str {
        let ext: Option<&ExternSpec> = self.spec.externs.get(usize_of(id));
        ext.map_or("", |ext| &ext.name)
    }
}

/// An index as the number of a slot; programs are small enough.
pub(crate) fn slot_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A function's lines, moved to where it begins in the program. The kernel wants one at the first
/// instruction, and none in the second half of a 64-bit load.
fn lines_of(function: &Function, start: u32) -> impl Iterator<Item = Line> {
    let is_start = |line: &&Line| {
        let slot = usize_of(line.insn);
        let halved = slot
            .checked_sub(1)
            .and_then(|before| function.insns.get(before))
            .is_some_and(|before| before.insn.is_ld_imm64());
        !halved && slot < function.insns.len()
    };
    let head = function.lines.first().filter(|line| line.insn != 0);
    let head = head.map(|line| Line { insn: 0, ..*line });
    head.into_iter()
        .chain(function.lines.iter().filter(is_start).copied())
        .map(move |line| Line {
            insn: line.insn.saturating_add(start),
            ..line
        })
}

impl LinkedProgram {
    /// The instructions to load, with maps filled in.
    ///
    /// `fd_of` gives the file descriptor of a map; its error is passed on.
    ///
    /// # Errors
    ///
    /// Those of `fd_of`.
    pub fn instructions<E>(
        &self,
        mut fd_of: impl FnMut(MapId) -> Result<i32, E>,
    ) -> Result<Vec<Insn>, E> {
        let mut insns: Vec<Insn> = Vec::with_capacity(self.insns.len());
        let mut second = None;
        for Instruction { insn, reloc } in &self.insns {
            let insn = match second.take() {
                Some(imm) => insn.with_imm(imm),
                None => *insn,
            };
            insns.push(match *reloc {
                Some(Reloc::MapFd(map)) => {
                    second = Some(0);
                    insn.with_src(BPF_PSEUDO_MAP_FD as u8).with_imm(fd_of(map)?)
                }
                Some(Reloc::MapValue { map, offset }) => {
                    second = Some(offset.cast_signed());
                    insn.with_src(BPF_PSEUDO_MAP_VALUE as u8)
                        .with_imm(fd_of(map)?)
                }
                _ => insn,
            });
        }
        Ok(insns)
    }

    /// The fields that the program reads by name: which instruction is to be replaced by
    /// [`FieldSpec::read`].
    pub fn fields(&self) -> impl Iterator<Item = (usize, &FieldSpec)> + '_ {
        let insns = self.insns.iter().enumerate();
        insns.filter_map(|(at, insn)| match insn.reloc {
            Some(Reloc::Field(FieldId(index))) => Some((at, self.fields.get(usize_of(index))?)),
            _ => None,
        })
    }

    /// The maps that the program uses, each as often as it does.
    pub fn maps(&self) -> impl Iterator<Item = MapId> + '_ {
        self.insns.iter().filter_map(|insn| match insn.reloc {
            Some(Reloc::MapFd(map) | Reloc::MapValue { map, .. }) => Some(map),
            _ => None,
        })
    }

    /// Where each function begins, and its type, for `BPF_PROG_LOAD`. Empty unless all functions have
    /// types: the kernel wants all or none.
    pub fn func_info(&self) -> Vec<(u32, TypeId)> {
        let typed = |function: &LinkedFunction| Some((function.insn, function.ty?));
        let info: Option<Vec<_>> = self.functions.iter().map(typed).collect();
        info.unwrap_or_default()
    }

    /// The source lines for `BPF_PROG_LOAD`. Empty unless every function has some: the kernel wants
    /// one where each begins.
    pub fn line_info(&self) -> &[Line] {
        let has_line = |function: &LinkedFunction| {
            let found = self
                .lines
                .binary_search_by_key(&function.insn, |line| line.insn);
            found.is_ok()
        };
        match self.functions.iter().all(has_line) {
            true => &self.lines,
            false => &[],
        }
    }

    /// The function and the source line that an instruction comes from.
    pub fn source(&self, insn: u32) -> (Option<&LinkedFunction>, Option<&Line>) {
        let functions = self.functions.partition_point(|f| f.insn <= insn);
        let function = functions.checked_sub(1).and_then(|i| self.functions.get(i));
        let lines = self.lines.partition_point(|line| line.insn <= insn);
        let line = lines.checked_sub(1).and_then(|i| self.lines.get(i));
        let start = function.map_or(0, |function| function.insn);
        (function, line.filter(|line| line.insn >= start))
    }
}
