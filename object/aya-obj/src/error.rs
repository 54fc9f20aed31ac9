//! What can be wrong with an object file.

use alloc::{string::String, vec::Vec};
use core::fmt;

use object::Endianness;

use crate::btf::BtfError;

/// An object file that cannot be read, configured or linked.
///
/// Every error says which part of the object it is about, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a readable ELF file of 64 bits.
    Elf {
        /// What is wrong with them.
        reason: object::read::Error,
    },
    /// An ELF file for another machine than eBPF.
    Machine {
        /// Its machine: a number `EM_*`.
        machine: u16,
    },
    /// An ELF file that is not a relocatable object.
    NotRelocatable {
        /// Its type: a number `ET_*`.
        file_type: u16,
    },
    /// The object is for machines of the other byte order.
    ByteOrder {
        /// The object's byte order.
        object: Endianness,
    },
    /// The object's sections, or their names, take more room than the file has.
    Overlap,
    /// A section ends inside an item.
    Truncated {
        /// The section.
        section: String,
        /// Where in it the item begins.
        offset: u64,
    },
    /// A section holds something that is not allowed there.
    Section {
        /// The section.
        section: String,
        /// What is wrong.
        problem: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// A function lies outside its section, between two instructions, or overlaps another.
    Function {
        /// The function.
        function: String,
        /// The section.
        section: String,
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A relocation that makes no sense.
    Relocation {
        /// The section.
        section: String,
        /// The instruction or datum that is relocated.
        offset: u64,
        /// The symbol that it refers to.
        symbol: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A symbol that is not defined in the object and is not one of the kernel's.
    Unresolved {
        /// The symbol.
        symbol: String,
        /// The section that refers to it.
        section: String,
        /// The instruction that refers to it.
        offset: u64,
    },
    /// A map definition that makes no sense.
    Map {
        /// The map.
        map: String,
        /// What is wrong.
        problem: &'static str,
        /// The member concerned, or empty.
        member: String,
    },
    /// The type information is broken.
    Btf {
        /// What is wrong with it.
        source: BtfError,
    },
    /// No map of that name.
    NoMap {
        /// The name asked for.
        map: String,
    },
    /// No global variable of that name.
    NoGlobal {
        /// The name asked for.
        global: String,
        /// The names of the variables that it has.
        known: Vec<String>,
    },
    /// A global variable of another size than the value to put in.
    GlobalSize {
        /// The variable.
        global: String,
        /// Bytes it has.
        expected: u32,
        /// Bytes of the value.
        given: usize,
    },
    /// A program with its functions grows past what the kernel takes.
    TooLarge {
        /// The program.
        program: String,
        /// Instruction slots that are allowed.
        limit: usize,
    },
    /// Something that this release cannot do yet.
    NotSupported {
        /// The program.
        program: String,
        /// The instruction that needs it.
        insn: usize,
        /// What it needs.
        what: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf { .. } => f.write_str(
                "object file: not a readable 64-bit ELF file; pass the eBPF object that the build made",
            ),
            Self::Machine { machine } => write!(
                f,
                "object file: built for {}, not for eBPF; pass the object of the eBPF crate, not a program of the host",
                machine_name(*machine)
            ),
            Self::NotRelocatable { file_type } => write!(
                f,
                "object file: ELF type {file_type} is not a relocatable object; pass the object as the linker for eBPF wrote it"
            ),
            Self::ByteOrder { object } => {
                let (is, target) = match object {
                    Endianness::Little => ("little-endian", "bpfeb"),
                    Endianness::Big => ("big-endian", "bpfel"),
                };
                write!(
                    f,
                    "object file: {is} eBPF, but this machine has the other byte order; build for `{target}-unknown-none`"
                )
            }
            Self::Overlap => f.write_str(
                "object file: its sections or names claim more bytes than the file has; rebuild the object",
            ),
            Self::Truncated { section, offset } => write!(
                f,
                "section `{section}`: ends inside the item at offset {offset:#x}; rebuild the object"
            ),
            Self::Section {
                section,
                problem,
                fix,
            } => write!(f, "section `{section}`: {problem}; {fix}"),
            Self::Function {
                function,
                section,
                offset,
                problem,
            } => write!(
                f,
                "function `{function}` at {section}+{offset:#x}: {problem}; rebuild the object"
            ),
            Self::Relocation {
                section,
                offset,
                symbol,
                problem,
            } => write!(
                f,
                "relocation at {section}+{offset:#x} to `{symbol}`: {problem}; rebuild the object with current tools"
            ),
            Self::Unresolved {
                symbol,
                section,
                offset,
            } => write!(
                f,
                "symbol `{symbol}`, used at {section}+{offset:#x}: not defined in the object; define it, or declare it as one of the kernel's"
            ),
            Self::Map {
                map,
                problem,
                member,
            } => match member.as_str() {
                "" => write!(f, "map `{map}`: {problem}; correct its definition"),
                _ => write!(
                    f,
                    "map `{map}`: member `{member}` {problem}; correct its definition"
                ),
            },
            Self::Btf { .. } => f.write_str(
                "type information of the object: not readable; rebuild the object with current tools",
            ),
            Self::NoMap { map } => write!(
                f,
                "map `{map}`: the object has no map of that name; check the spelling"
            ),
            Self::NoGlobal { global, known } => {
                write!(
                    f,
                    "global `{global}`: the object has no variable of that name{}; check the spelling, and that the program uses it (`#[unsafe(no_mangle)] static`)",
                    Known(known)
                )
            }
            Self::GlobalSize {
                global,
                expected,
                given,
            } => write!(
                f,
                "global `{global}`: has {expected} bytes, the value given {given}; pass a value of the variable's own type"
            ),
            Self::TooLarge { program, limit } => write!(
                f,
                "program `{program}`: more than {limit} instructions with the functions it calls; split it up"
            ),
            Self::NotSupported {
                program,
                insn,
                what,
            } => write!(
                f,
                "program `{program}`, instruction {insn}: {what}, which is not supported yet; leave it out"
            ),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Elf { reason } => Some(reason),
            Self::Btf { source } => Some(source),
            _ => None,
        }
    }
}

impl From<BtfError> for Error {
    fn from(source: BtfError) -> Self {
        Self::Btf { source }
    }
}

/// The usual machines by name; others by number.
fn machine_name(machine: u16) -> String {
    match machine {
        3 => "x86".into(),
        40 => "32-bit Arm".into(),
        62 => "x86-64".into(),
        183 => "Arm 64".into(),
        243 => "RISC-V".into(),
        _ => alloc::format!("the machine with ELF number {machine}"),
    }
}

/// The names to choose from, as far as they fit into a message.
struct Known<'a>(&'a [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 16;
        for (index, name) in self.0.iter().take(MOST).enumerate() {
            let before = if index == 0 { ", it has" } else { "," };
            write!(f, "{before} `{name}`")?;
        }
        match self.0.len().checked_sub(MOST) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}
