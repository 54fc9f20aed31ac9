//! What can go wrong with a map.

use std::{error::Error, fmt, io, path::PathBuf};

use aya_obj::similar::did_you_mean;
use aya_sys::Errno;

use super::MapDifference;
use crate::{pin::PinError, privilege, sys::SyscallError, util::KernelVersion};

/// Why something could not be done with a map.
///
/// Messages start with the map's name where it is known and end with what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum MapError {
    /// The map's type is not the one that was asked for.
    InvalidMapType {
        /// The map's name, where there is a map.
        name: Option<String>,
        /// The map's type, a `BPF_MAP_TYPE_*` number.
        map_type: u32,
    },
    /// The name cannot be handed to the kernel.
    InvalidName {
        /// The name as given.
        name: String,
    },
    /// The kernel did not create the map.
    CreateError {
        /// The map's name.
        name: String,
        /// The kernel's reason.
        error: SyscallError,
    },
    /// The key type is not as large as the map's keys.
    InvalidKeySize {
        /// The map's name.
        name: String,
        /// The size of the type, in bytes.
        size: usize,
        /// The size of the map's keys, in bytes.
        expected: usize,
    },
    /// The value type is not as large as the map's values.
    InvalidValueSize {
        /// The map's name.
        name: String,
        /// The size of the type, in bytes.
        size: usize,
        /// The size of the map's values, in bytes.
        expected: usize,
    },
    /// The map's values are no whole number of elements.
    InvalidValueStride {
        /// The map's name.
        name: String,
        /// The size of the map's values, in bytes.
        size: usize,
        /// The size of one element, in bytes.
        stride: usize,
    },
    /// The running kernel lacks the map's type, or something that newer ones do with it.
    KernelTooOld {
        /// The map's name.
        name: String,
        /// What the kernel lacks.
        what: String,
        /// The kernel that brought it.
        since: KernelVersion,
    },
    /// The map has no room for another element.
    Full {
        /// The map's name.
        name: String,
        /// The map's number of entries.
        max_entries: u32,
    },
    /// As many values as keys are needed.
    BatchMismatch {
        /// The map's name.
        name: String,
        /// The number of keys that were given.
        keys: usize,
        /// The number of values that were given.
        values: usize,
    },
    /// The machine has no such CPU.
    NoSuchCpu {
        /// The map's name.
        name: String,
        /// The number as given.
        cpu: u32,
        /// The number of CPUs that are possible.
        possible: usize,
    },
    /// The map does not let user space do this.
    AccessDenied {
        /// The map's name.
        name: String,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// A record has not the size of the type that it is to be read as.
    InvalidRecordSize {
        /// The map's name.
        name: String,
        /// The size of the type, in bytes.
        size: usize,
        /// The size of the record, in bytes.
        found: usize,
    },
    /// A ring buffer has no room for a record, before programs have read others.
    NoRoom {
        /// The map's name.
        name: String,
        /// The size of the record, in bytes.
        size: usize,
    },
    /// A record is larger than what a ring buffer can ever hold.
    RecordTooLarge {
        /// The map's name.
        name: String,
        /// The size of the record, in bytes.
        size: usize,
        /// The size of the buffer, in bytes, of which each record takes 8 for itself.
        capacity: usize,
    },
    /// The channel has an end in this process already, and can have one only.
    InUse {
        /// The map's name.
        name: String,
    },
    /// A channel cannot be waited for any more.
    Closed {
        /// The map's name.
        name: String,
        /// The reason.
        io_error: io::Error,
    },
    /// The index is not below the map's `max_entries`.
    OutOfBounds {
        /// The map's name.
        name: String,
        /// The index as given.
        index: u32,
        /// The map's number of entries.
        max_entries: u32,
    },
    /// The map holds no such key.
    KeyNotFound,
    /// The map holds no such element, or none at all.
    ElementNotFound,
    /// The program to be put into the map is not loaded.
    ProgramNotLoaded,
    /// A system file could not be read.
    IoError(io::Error),
    /// The kernel refused an operation on the map.
    SyscallError(SyscallError),
    /// The map could not be pinned.
    PinError {
        /// The map's name.
        name: Option<String>,
        /// Why not.
        error: PinError,
    },
    /// A map that exists cannot stand in for the one that is defined: the one that is pinned, or that
    /// [`EbpfLoader::map_fd`](crate::EbpfLoader::map_fd) was given.
    Incompatible {
        /// The map's name.
        name: String,
        /// Where the other map is pinned, if it is.
        path: Option<PathBuf>,
        /// In what it differs.
        differences: Vec<MapDifference>,
    },
    /// What the definition puts into the map does not go there.
    InitialValue {
        /// The map's name.
        name: String,
        /// The element.
        index: u32,
        /// What was to be there: a map or a program, with its name.
        what: String,
        /// The kernel's reason.
        error: SyscallError,
    },
    /// The kernel does not take what packets are to be redirected to.
    InvalidTarget {
        /// The map's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
        /// The kernel's own words.
        error: SyscallError,
    },
    /// A map of maps whose definition says nothing about the inner maps.
    MissingInnerMapDefinition {
        /// The name of the outer map.
        outer_name: String,
    },
    /// The kernel does not tell which programs the map refers to.
    ProgIdNotSupported,
    /// There is no handle for maps of this type yet.
    Unsupported {
        /// The map's name.
        name: String,
        /// The map's type, a `BPF_MAP_TYPE_*` number.
        map_type: u32,
    },
    /// The object has no such global variable.
    GlobalNotFound {
        /// The name as given.
        name: String,
        /// The names of variables that may be meant.
        similar: Vec<String>,
    },
    /// The type is not as large as the global variable.
    GlobalSize {
        /// The variable's name.
        name: String,
        /// The size of the type, in bytes.
        size: usize,
        /// The size of the variable, in bytes.
        expected: usize,
    },
    /// A global variable cannot be written to.
    GlobalNotWritable {
        /// The variable's name.
        name: String,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// The map's memory cannot be had where it has to be in every process.
    NotMapped {
        /// The map's name.
        name: String,
        /// Where it has to be.
        address: u64,
        /// The kernel's reason.
        error: SyscallError,
    },
    /// Something does not lie inside of an arena.
    OutsideOfArena {
        /// The map's name.
        name: String,
        /// Where it begins, in bytes.
        offset: usize,
        /// Its length in bytes.
        len: usize,
        /// The arena's size in bytes.
        size: usize,
    },
    /// The map was created with flags that this operation cannot work with.
    UnsupportedMapFlags {
        /// The map's name.
        name: String,
        /// The map's flags, `BPF_F_*`.
        flags: u32,
        /// What stands in the way.
        reason: &'static str,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidMapType { name, map_type } => {
                match name {
                    Some(name) => write!(f, "map `{name}`")?,
                    None => f.write_str("the map")?,
                }
                let map_type = super::TypeName(*map_type);
                write!(
                    f,
                    " is of type {map_type}: use the handle made for that type"
                )
            }
            Self::InvalidName { name } => write!(
                f,
                "`{}` is no map name: take out the zero byte and the path separators",
                name.escape_debug()
            ),
            Self::CreateError { name, error } => {
                write!(f, "map `{name}` could not be created: ")?;
                f.write_str(match error.errno() {
                    Errno::EINVAL => {
                        "this kernel does not take its type, sizes or flags: correct its \
                         definition, or use a newer kernel"
                    }
                    Errno::E2BIG | Errno::ENOMEM => "it is too large: lower `max_entries`",
                    Errno::EPERM => "the process needs CAP_BPF (CAP_SYS_ADMIN before kernel 5.8)",
                    Errno::ENOSYS => privilege::NO_BPF,
                    _ => "correct its definition",
                })
            }
            Self::InvalidKeySize {
                name,
                size,
                expected,
            } => write!(
                f,
                "map `{name}` has keys of {expected} bytes, the given type has {size}: use the key \
                 type of the eBPF side"
            ),
            Self::InvalidValueSize {
                name,
                size,
                expected,
            } => write!(
                f,
                "map `{name}` has values of {expected} bytes, the given type has {size}: use the \
                 value type of the eBPF side"
            ),
            Self::InvalidRecordSize { name, size, found } => write!(
                f,
                "map `{name}` sent a record of {found} bytes, the given type has {size}: use the \
                 type that the program sends"
            ),
            Self::NoRoom { name, size } => write!(
                f,
                "map `{name}` has no room for a record of {size} bytes: have a program read what is \
                 there, wait for it, or raise `max_entries` before loading"
            ),
            Self::RecordTooLarge {
                name,
                size,
                capacity,
            } => write!(
                f,
                "map `{name}` of {capacity} bytes cannot hold a record of {size}: split it, or, if it \
                 is below 16 MiB, raise `max_entries` before loading"
            ),
            Self::InUse { name } => write!(
                f,
                "map `{name}` is in use in this process, and has room for one handle: use that one, \
                 or drop it first"
            ),
            Self::Closed { name, .. } => write!(
                f,
                "map `{name}` cannot be waited for any more: open it again"
            ),
            Self::InvalidValueStride { name, size, stride } => write!(
                f,
                "map `{name}` has values of {size} bytes, which are no whole number of \
                 {stride}-byte elements: correct its definition"
            ),
            Self::KernelTooOld { name, what, since } => write!(
                f,
                "map `{name}`: this kernel lacks {what}: use Linux {} or newer",
                since.release()
            ),
            Self::Full { name, max_entries } => write!(
                f,
                "map `{name}` is full with {max_entries} entries: remove some, or raise \
                 `max_entries` before loading"
            ),
            Self::BatchMismatch { name, keys, values } => write!(
                f,
                "map `{name}`: there are {keys} keys and {values} values: give a value for each key"
            ),
            Self::NoSuchCpu {
                name,
                cpu,
                possible,
            } => write!(
                f,
                "map `{name}` has values for {possible} CPUs, the first of which is 0, so there is \
                 none for CPU {cpu}: use a smaller number"
            ),
            Self::AccessDenied { name, reason } => write!(f, "map `{name}`: {reason}"),
            Self::OutOfBounds {
                name,
                index,
                max_entries,
            } => write!(
                f,
                "map `{name}` has {max_entries} entries, so there is no index {index}: use a \
                 smaller one, or raise `max_entries` before loading"
            ),
            Self::KeyNotFound => f.write_str("the map holds no such key"),
            Self::ElementNotFound => f.write_str("the map holds no such element"),
            Self::ProgramNotLoaded => {
                f.write_str("the program is not loaded: load it before putting it into a map")
            }
            Self::IoError(_) => f.write_str("a system file could not be read"),
            Self::SyscallError(error) => {
                error.fmt(f)?;
                match error.errno() {
                    Errno::EPERM => f.write_str(
                        ": the descriptor is read-only, or the process needs CAP_BPF \
                         (CAP_SYS_ADMIN before kernel 5.8)",
                    ),
                    _ => Ok(()),
                }
            }
            Self::PinError {
                name: Some(name),
                error,
            } => write!(f, "map `{name}`: {error}"),
            Self::PinError { name: None, error } => error.fmt(f),
            Self::Incompatible {
                name,
                path,
                differences,
            } => {
                write!(f, "map `{name}` does not fit the one ")?;
                match path {
                    Some(path) => write!(f, "at `{}`:", path.display())?,
                    None => f.write_str("given:")?,
                }
                for difference in differences {
                    write!(f, " {difference};")?;
                }
                f.write_str(match path {
                    Some(_) => " remove the pin, or use `ReusePolicy::Replace` or another name",
                    None => " give a map that was made for the same definition",
                })
            }
            Self::InvalidTarget { name, reason, .. } => write!(f, "map `{name}`: {reason}"),
            Self::InitialValue {
                name,
                index,
                what,
                error,
            } => {
                write!(f, "map `{name}`: {what} does not go into element {index}: ")?;
                f.write_str(match error.errno() {
                    Errno::E2BIG => "raise `max_entries`",
                    Errno::EINVAL => {
                        "the maps in a map are all defined like its template, the programs in an \
                         array all of one type"
                    }
                    _ => "correct its definition",
                })
            }
            Self::MissingInnerMapDefinition { outer_name } => write!(
                f,
                "map `{outer_name}` does not say what its inner maps look like: define its inner map"
            ),
            Self::ProgIdNotSupported => f.write_str(
                "programs in this map cannot be looked up: the kernel is too old (5.10 for device \
                 and CPU maps)",
            ),
            Self::Unsupported { name, map_type } => write!(
                f,
                "map `{name}` is of type {}, which is not supported yet: use it from eBPF \
                 programs only, with `EbpfLoader::allow_unsupported_maps`",
                super::TypeName(*map_type)
            ),
            Self::GlobalNotFound { name, similar } => write!(
                f,
                "global `{name}`: the object has no variable of that name: check the spelling, and that a \
                 program uses it{}",
                did_you_mean(similar)
            ),
            Self::GlobalSize {
                name,
                size,
                expected,
            } => write!(
                f,
                "global `{name}` has {expected} bytes, the given type has {size}: use the type of the eBPF \
                 side"
            ),
            Self::GlobalNotWritable { name, reason } => write!(f, "global `{name}`: {reason}"),
            Self::NotMapped {
                name,
                address,
                error,
            } => {
                write!(f, "map `{name}` cannot be mapped at {address:#x}: ")?;
                f.write_str(match error.errno() {
                    Errno::EEXIST => {
                        "there is something: use the handle that this process has, or create the map \
                         with another address"
                    }
                    _ => "create it with another address",
                })
            }
            Self::OutsideOfArena {
                name,
                offset,
                len,
                size,
            } => write!(
                f,
                "map `{name}`: {len} bytes at {offset} are not inside its {size} bytes, or not aligned: \
                 use a smaller offset, or give the arena more pages"
            ),
            Self::UnsupportedMapFlags {
                name,
                flags,
                reason,
            } => write!(
                f,
                "map `{name}` was created with flags {flags:#x}: {reason}"
            ),
        }
    }
}

impl Error for MapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::CreateError { error, .. }
            | Self::InitialValue { error, .. }
            | Self::InvalidTarget { error, .. }
            | Self::NotMapped { error, .. } => Some(error),
            Self::IoError(error)
            | Self::Closed {
                io_error: error, ..
            } => Some(error),
            // The message is, or holds, the inner error's own, so its source comes next.
            Self::SyscallError(error) => error.source(),
            Self::PinError { error, .. } => error.source(),
            _ => None,
        }
    }
}

impl From<SyscallError> for MapError {
    fn from(error: SyscallError) -> Self {
        Self::SyscallError(error)
    }
}

impl From<io::Error> for MapError {
    fn from(error: io::Error) -> Self {
        Self::IoError(error)
    }
}

impl From<(&'static str, io::Error)> for MapError {
    fn from((path, error): (&'static str, io::Error)) -> Self {
        Self::IoError(io::Error::new(error.kind(), format!("{path}: {error}")))
    }
}
