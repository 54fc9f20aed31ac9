//! What can be wrong with BTF.

use alloc::string::String;
use core::fmt;

use super::TypeId;
use crate::bytes::Truncated;

/// Type information that cannot be read, or lacks what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BtfError {
    /// The section does not begin with the BTF magic number.
    NotBtf {
        /// `.BTF` or `.BTF.ext`.
        section: &'static str,
    },
    /// The section ends before what it announces.
    Truncated {
        /// `.BTF` or `.BTF.ext`.
        section: &'static str,
        /// Where in the part of the section the missing bytes begin.
        offset: usize,
    },
    /// A version of the format that this crate does not know.
    Version {
        /// `.BTF` or `.BTF.ext`.
        section: &'static str,
        /// The version found; 1 is known.
        version: u8,
    },
    /// A kind of type that this crate does not know.
    UnknownKind {
        /// The type.
        id: TypeId,
        /// Its `BTF_KIND_*` number.
        kind: u32,
    },
    /// A name lies outside the string table, or is not UTF-8.
    BadName {
        /// The offset in the string table.
        offset: u32,
    },
    /// A type refers to one that does not exist.
    BadReference {
        /// The type that refers.
        id: TypeId,
        /// The type it refers to.
        to: TypeId,
    },
    /// A type is built from itself without a pointer in between, or nested too deep.
    Cycle {
        /// Where the chain was given up.
        id: TypeId,
    },
    /// A size does not fit, for example of an array of arrays.
    TooLarge {
        /// What has grown too large.
        what: &'static str,
    },
    /// A record size smaller than the fields it must hold.
    RecordSize {
        /// `func_info`, `line_info` or `core_relo`.
        part: &'static str,
        /// The size found, in bytes.
        size: u32,
    },
    /// No type of that name and kind.
    NotFound {
        /// The name that was looked for.
        name: String,
    },
}

impl BtfError {
    pub(crate) fn truncated(section: &'static str) -> impl Fn(Truncated) -> Self + Copy {
        move |Truncated(offset)| Self::Truncated { section, offset }
    }
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBtf { section } => write!(
                f,
                "{section}: no BTF magic number at its start; is this really type information?"
            ),
            Self::Truncated { section, offset } => write!(
                f,
                "{section}: ends inside the item at offset {offset}; rebuild the object"
            ),
            Self::Version { section, version } => write!(
                f,
                "{section}: version {version} of the format is not known; use a newer release of this crate"
            ),
            Self::UnknownKind { id, kind } => write!(
                f,
                ".BTF: type {id} has the unknown kind {kind}; use a newer release of this crate"
            ),
            Self::BadName { offset } => write!(
                f,
                ".BTF: no valid name at offset {offset} of the string table; rebuild the object"
            ),
            Self::BadReference { id, to } => write!(
                f,
                ".BTF: type {id} refers to type {to}, which does not exist; rebuild the object"
            ),
            Self::Cycle { id } => write!(
                f,
                ".BTF: type {id} contains itself or is nested too deep; rebuild the object"
            ),
            Self::TooLarge { what } => write!(f, ".BTF: {what} too large; rebuild the object"),
            Self::RecordSize { part, size } => write!(
                f,
                ".BTF.ext: {part} records of {size} bytes are too small; rebuild the object"
            ),
            Self::NotFound { name } => write!(
                f,
                ".BTF: no type `{name}`; check the name, and that the kernel has what it belongs to"
            ),
        }
    }
}

impl core::error::Error for BtfError {}
