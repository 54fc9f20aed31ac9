//! Stage 2's result: what an object holds, as plain data.
//!
//! [`ObjectSpec::parse`] fills these types without any system call;
//! everything can be inspected and changed before `ObjectSpec::configure` passes it on to the
//! next stage. Relocations ride on the instructions they patch, so instructions can be inserted or
//! removed without keeping a list of offsets in step.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use aya_uapi::{AttachType, Insn, MapType, programs::ProgramDef};
use object::Endianness;

use crate::{
    FieldSpec,
    btf::{Btf, CoreRelo, LineInfo, Name, TypeId},
};

/// An eBPF object file as plain data.
#[derive(Clone, Debug)]
pub struct ObjectSpec {
    /// The byte order of the object. Instructions are in that of the host already; initial contents
    /// of data sections are not.
    pub endian: Endianness,
    /// The licence under which the programs are put; some helpers are for GPL-compatible ones.
    pub license: Option<String>,
    /// The kernel that the object was made for (section `version`), as `LINUX_VERSION_CODE`. Only
    /// kernels before 5.0 ask for it.
    pub kernel_version: Option<u32>,
    /// The programs, by section and place.
    pub programs: Vec<ProgramSpec>,
    /// The functions: those of the programs and those that they call.
    pub functions: BTreeMap<FunctionKey, Function>,
    /// The maps, [`MapId`] is the index. Data sections are maps too.
    pub maps: Vec<MapSpec>,
    /// The named variables in data sections.
    pub globals: BTreeMap<String, GlobalSpec>,
    /// What the object expects the kernel to define, [`ExternId`] is the index.
    pub externs: Vec<ExternSpec>,
    /// The fields of tracepoints' events that programs read by name, [`FieldId`] is the index.
    pub fields: Vec<FieldSpec>,
    /// The type information.
    pub btf: Option<Btf>,
    /// The bytes of sections that are for user space and not loaded (`.aya.*`), by name.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// What was noticed and is not an error.
    pub warnings: Vec<Warning>,
}

/// A program: a function that the kernel can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSpec {
    /// Its name: the name of the function.
    pub name: String,
    /// The section that it is in.
    pub section: String,
    /// The function.
    pub function: FunctionKey,
    /// What kind of program it is.
    pub def: &'static ProgramDef,
    /// The attach type that the kernel is told at load, where the section decides it.
    pub attach_type: Option<AttachType>,
    /// Flags for `BPF_PROG_LOAD`.
    pub flags: u32,
    /// What it is meant to be attached to (`kprobe/TARGET`).
    pub target: Option<String>,
    /// Loaded on request only (`?xdp`).
    pub optional: bool,
}

/// Where a function begins: the number of its section and the byte offset in it. Offsets alone
/// would mix up functions of different sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionKey {
    /// The number of the section.
    pub section: u32,
    /// The offset in the section, in bytes; a multiple of 8.
    pub offset: u64,
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.section, self.offset)
    }
}

/// A function: instructions with what is known about them.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The section that it is in.
    pub section: String,
    /// The instruction slots; a 64-bit load takes two.
    pub insns: Vec<Instruction>,
    /// Its type, a [`Kind::Func`](crate::btf::Kind::Func) of [`ObjectSpec::btf`].
    pub ty: Option<TypeId>,
    /// The source lines, by rising instruction.
    pub lines: Vec<Line>,
    /// The CO-RE records that [`Reloc::Core`] refers to.
    pub core: Vec<CoreRelo>,
}

/// An instruction slot and the relocation that patches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// The slot, in the byte order of the host.
    pub insn: Insn,
    /// What is to be filled in.
    pub reloc: Option<Reloc>,
}

impl From<Insn> for Instruction {
    fn from(insn: Insn) -> Self {
        Self { insn, reloc: None }
    }
}

/// What is to be filled into an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reloc {
    /// A 64-bit load of a map.
    MapFd(MapId),
    /// A 64-bit load of an address in the first element of a map: a global variable.
    MapValue {
        /// The map.
        map: MapId,
        /// Bytes from the start of the element.
        offset: u32,
    },
    /// A call of a function of the object.
    Call(FunctionKey),
    /// A 64-bit load of a function's address, to be handed to a helper as a callback.
    FuncAddr(FunctionKey),
    /// A 64-bit load of the address of one of the kernel's variables, or of a `.kconfig` value.
    ExternVar(ExternId),
    /// A call of one of the kernel's functions.
    ExternFunc(ExternId),
    /// A value that depends on the kernel's types: the index into [`Function::core`].
    Core(u32),
    /// A call that stands for reading a field of a tracepoint's event.
    Field(FieldId),
}

/// An index into [`ObjectSpec::maps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapId(pub u32);

/// An index into [`ObjectSpec::externs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternId(pub u32);

/// An index into [`ObjectSpec::fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u32);

/// The source line of an instruction and of those that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The instruction's index in its function, or in the linked program.
    pub insn: u32,
    /// Path of the source file, a name of [`ObjectSpec::btf`].
    pub file: Name,
    /// Text of the source line, a name of [`ObjectSpec::btf`].
    pub text: Name,
    /// Line number, from 1.
    pub line: u32,
    /// Column number, from 1.
    pub column: u32,
}

impl Line {
    /// The line of a record, which counts in bytes, for a function that begins at `start`.
    pub(crate) fn new(record: &LineInfo, start: u32) -> Self {
        Self {
            insn: record.offset.saturating_sub(start) / 8,
            file: record.file,
            text: record.text,
            line: record.line,
            column: record.column,
        }
    }
}

/// A map to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Its name; for a data section the section's (`.rodata`).
    pub name: String,
    /// The section that defines it.
    pub section: String,
    /// Its type.
    pub map_type: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Number of elements; for ring buffers bytes. 0: to be decided at load.
    pub max_entries: u32,
    /// Flags for `BPF_MAP_CREATE`.
    pub flags: u32,
    /// Is it shared through the BPF file system?
    pub pinning: PinningType,
    /// An id given by the definition (legacy definitions); 0 when not given.
    pub id: u32,
    /// The NUMA node to allocate on, with the flag `BPF_F_NUMA_NODE`.
    pub numa_node: u32,
    /// What the type makes of it (`map_extra`).
    pub map_extra: u64,
    /// Type of a key, `void` when unknown.
    pub key_type: TypeId,
    /// Type of a value, `void` when unknown. For a data section its
    /// [`Kind::Datasec`](crate::btf::Kind::Datasec).
    pub value_type: TypeId,
    /// What the maps in this map of maps look like.
    pub inner: Option<Box<MapSpec>>,
    /// Elements that the definition puts in: (index, what).
    pub initial: Vec<(u32, InitialValue)>,
    /// For a data section, what its only element begins with; the rest of it is zeros.
    pub contents: Option<Vec<u8>>,
    /// Never written after its contents are in place (`.rodata`): to be frozen.
    pub frozen: bool,
}

impl MapSpec {
    /// A map of that type, everything else zero or absent.
    pub fn new(name: &str, section: &str, map_type: MapType) -> Self {
        Self {
            name: name.into(),
            section: section.into(),
            map_type,
            key_size: 0,
            value_size: 0,
            max_entries: 0,
            flags: 0,
            pinning: PinningType::None,
            id: 0,
            numa_node: 0,
            map_extra: 0,
            key_type: TypeId::VOID,
            value_type: TypeId::VOID,
            inner: None,
            initial: Vec::new(),
            contents: None,
            frozen: false,
        }
    }

    /// Is this a data section, which is loaded as an array of one element?
    pub fn is_data(&self) -> bool {
        self.contents.is_some()
    }
}

/// What a map definition puts into an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialValue {
    /// Another map, in a map of maps.
    Map(MapId),
    /// A program, in a program array.
    Program(FunctionKey),
}

/// How a map is shared through the BPF file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum PinningType {
    /// Not at all.
    #[default]
    None = 0,
    /// Under its name: the first to load creates it, the others use it.
    ByName = 1,
}

impl PinningType {
    /// The type of that number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::ByName),
            _ => None,
        }
    }
}

/// A variable in a data section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalSpec {
    /// The data section's map.
    pub map: MapId,
    /// Where it begins in the map's element, in bytes.
    pub offset: u32,
    /// Bytes it has.
    pub size: u32,
    /// Its type, `void` when unknown.
    pub ty: TypeId,
}

/// Something that the kernel defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternSpec {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ExternKind,
    /// Its type: a [`Kind::Var`](crate::btf::Kind::Var) or a
    /// [`Kind::Func`](crate::btf::Kind::Func).
    pub ty: TypeId,
    /// May it be absent?
    pub weak: bool,
}

/// What an [`ExternSpec`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternKind {
    /// An option of the kernel's configuration, or the kernel's version (`.kconfig`).
    Kconfig,
    /// A variable or function of the kernel (`.ksyms`).
    Ksym,
}

/// Something that was noticed and is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A section of code whose name selects no kind of program. Its functions are kept, in case
    /// that others call them.
    UnknownSection {
        /// The section.
        section: String,
    },
    /// A program section in which no symbol marks a program.
    NoProgram {
        /// The section.
        section: String,
    },
    /// Addresses in a data section, which the kernel cannot fill in.
    AddressInData {
        /// The section.
        section: String,
        /// Where the first one is.
        offset: u64,
    },
    /// A map definition has a member that is not known.
    UnknownMapMember {
        /// The map.
        map: String,
        /// The member.
        member: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSection { section } => write!(
                f,
                "section `{section}`: no kind of program has this name, so it is ignored; see the list of section names"
            ),
            Self::NoProgram { section } => write!(
                f,
                "section `{section}`: no global function in it, so it is ignored; keep the symbols of the object"
            ),
            Self::AddressInData { section, offset } => write!(
                f,
                "section `{section}`: the address at {offset:#x} stays zero, as the kernel cannot fill it in; avoid tables of references and functions"
            ),
            Self::UnknownMapMember { map, member } => write!(
                f,
                "map `{map}`: member `{member}` of its definition is not known and is ignored; use a newer release of this crate"
            ),
        }
    }
}

impl ObjectSpec {
    /// The map of that number.
    pub fn map(&self, id: MapId) -> Option<&MapSpec> {
        self.maps.get(crate::btf::usize_of(id.0))
    }
}
