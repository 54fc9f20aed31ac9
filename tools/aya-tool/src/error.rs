//! What can go wrong.

use std::{fmt, io, path::PathBuf};

use aya_obj::{btf::BtfError, similar::did_you_mean};

/// Why there are no bindings.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No type was asked for.
    NoNames,
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The bindings cannot be written.
    Unwritable {
        /// Their file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file is neither BTF nor an ELF file with a section `.BTF`.
    NoTypes {
        /// The file.
        path: PathBuf,
    },
    /// The types do not follow the format, or contradict themselves.
    Malformed {
        /// The file they came from, if any.
        path: Option<PathBuf>,
        /// What is wrong with them.
        error: BtfError,
    },
    /// No type has that name.
    Unknown {
        /// The name.
        name: String,
        /// Names of types that are close to it.
        similar: Vec<String>,
    },
}

impl From<BtfError> for Error {
    fn from(error: BtfError) -> Self {
        Self::Malformed { path: None, error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNames => f.write_str("no types: name those that are wanted, as `task_struct`"),
            Self::Unreadable { path, error } if error.kind() == io::ErrorKind::NotFound => write!(
                f,
                "{}: no such file: use a kernel built with CONFIG_DEBUG_INFO_BTF, or name a file \
                 that has its types",
                path.display()
            ),
            Self::Unreadable { path, .. } => write!(
                f,
                "{}: cannot be read: check path and rights",
                path.display()
            ),
            Self::Unwritable { path, .. } => write!(
                f,
                "{}: cannot be written: a build script calls this, for which cargo sets `OUT_DIR`",
                path.display()
            ),
            Self::NoTypes { path } => write!(
                f,
                "{}: neither BTF nor an ELF file with a section `.BTF`: build it with type \
                 information",
                path.display()
            ),
            Self::Malformed { path, .. } => {
                match path {
                    Some(path) => write!(f, "{}: ", path.display())?,
                    None => f.write_str("types: ")?,
                }
                f.write_str("malformed BTF: is it the right file?")
            }
            Self::Unknown { name, similar } => {
                write!(
                    f,
                    "`{name}`: no struct, union, enum or typedef of that name"
                )?;
                f.write_str(&match similar.as_slice() {
                    [] => "; check the spelling, and that this kernel has it".to_owned(),
                    similar => did_you_mean(similar),
                })
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoNames | Self::NoTypes { .. } | Self::Unknown { .. } => None,
            Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound => None,
            Self::Unreadable { error, .. } | Self::Unwritable { error, .. } => Some(error),
            Self::Malformed { error, .. } => Some(error),
        }
    }
}
