//! The kernel's type information, found where libbpf looks for it.
//!
//! Only what needs the kernel's types reads them: they are megabytes long.

use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

pub use aya_obj::Endianness;
use aya_obj::btf::{RawBtf, section};

/// The byte order of this machine.
pub(crate) const HOST: Endianness = if cfg!(target_endian = "little") {
    Endianness::Little
} else {
    Endianness::Big
};

/// Where a kernel that was built with `CONFIG_DEBUG_INFO_BTF` shows its types.
const SYS_FS: &str = "/sys/kernel/btf/vmlinux";

/// Where distributions put the image of the kernel `release` with its debug sections.
fn images(release: &str) -> [String; 7] {
    [
        format!("/boot/vmlinux-{release}"),
        format!("/lib/modules/{release}/vmlinux-{release}"),
        format!("/lib/modules/{release}/build/vmlinux"),
        format!("/usr/lib/modules/{release}/kernel/vmlinux"),
        format!("/usr/lib/debug/boot/vmlinux-{release}"),
        format!("/usr/lib/debug/boot/vmlinux-{release}.debug"),
        format!("/usr/lib/debug/lib/modules/{release}/vmlinux"),
    ]
}

/// Type information: of the running kernel, or of any other file in BTF format.
///
/// ```no_run
/// let btf = aya::Btf::from_sys_fs()?;
/// # Ok::<(), aya::BtfError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Btf {
    raw: RawBtf<'static>,
    /// Made when somebody needs more than a few of the types: that takes ten times as long.
    types: OnceLock<aya_obj::btf::Btf>,
}

impl Btf {
    /// The running kernel's types, from `/sys/kernel/btf/vmlinux` (since kernel 5.4, with
    /// `CONFIG_DEBUG_INFO_BTF`), else from the kernel's image where distributions put it:
    /// `/boot/vmlinux-RELEASE`, then below `/lib/modules`, `/usr/lib/modules` and
    /// `/usr/lib/debug`.
    ///
    /// # Errors
    ///
    /// [`BtfError::NotFound`] when no file is there; when one is there, what is wrong with it.
    pub fn from_sys_fs() -> Result<Self, BtfError> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self::from_first(SYS_FS, &images(release.trim()))
    }

    fn from_first(sys_fs: &str, images: &[String]) -> Result<Self, BtfError> {
        let candidates = [sys_fs]
            .into_iter()
            .chain(images.iter().map(String::as_str));
        for path in candidates.map(Path::new) {
            match Self::from_file(path) {
                Err(BtfError::FileError { error, .. })
                    if error.kind() == io::ErrorKind::NotFound => {}
                // An image without types: the next one may have them.
                Err(BtfError::NoTypes { .. }) => {}
                found => return found,
            }
        }
        Err(BtfError::NotFound)
    }

    /// Reads a file in BTF format, or an ELF file with a section `.BTF`.
    fn from_file(path: &Path) -> Result<Self, BtfError> {
        let data = fs::read(path).map_err(|error| BtfError::FileError {
            path: path.to_owned(),
            error,
        })?;
        let types = match section(&data) {
            Some(all) if all.len() == data.len() => data,
            Some(part) => part.to_owned(),
            None => {
                return Err(BtfError::NoTypes {
                    path: path.to_owned(),
                });
            }
        };
        Self::read(types).map_err(|error| match error {
            BtfError::Malformed { error, .. } => BtfError::Malformed {
                path: Some(path.to_owned()),
                error,
            },
            other => other,
        })
    }

    /// Reads a file in BTF format, such as those below `/sys/kernel/btf`, or the section `.BTF`
    /// of an ELF file. The data tells its byte order; `endianness` is not needed.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not BTF.
    pub fn parse_file<P: AsRef<Path>>(path: P, _endianness: Endianness) -> Result<Self, BtfError> {
        Self::from_file(path.as_ref())
    }

    /// Reads data in BTF format, which tells its byte order; `endianness` is not needed.
    ///
    /// # Errors
    ///
    /// When the data is not BTF.
    pub fn parse(data: &[u8], _endianness: Endianness) -> Result<Self, BtfError> {
        Self::read(data.to_owned())
    }

    fn read(data: Vec<u8>) -> Result<Self, BtfError> {
        let raw = RawBtf::parse(data).map_err(malformed)?;
        let types = OnceLock::new();
        Ok(Self { raw, types })
    }

    /// The types as bytes, to find a few of them.
    pub(crate) const fn raw(&self) -> &RawBtf<'static> {
        &self.raw
    }

    /// The types as the stages of the loader see them, all of them read when first asked for.
    ///
    /// # Errors
    ///
    /// When the data is not BTF.
    #[doc(hidden)]
    pub fn types(&self) -> Result<&aya_obj::btf::Btf, BtfError> {
        if let Some(types) = self.types.get() {
            return Ok(types);
        }
        let types = aya_obj::btf::Btf::parse(self.raw.data()).map_err(malformed)?;
        Ok(self.types.get_or_init(|| types))
    }
}

fn malformed(error: aya_obj::btf::BtfError) -> BtfError {
    BtfError::Malformed { path: None, error }
}

/// Why there is no type information.
#[derive(Debug)]
#[non_exhaustive]
pub enum BtfError {
    /// Neither sysfs nor any of the usual files has the running kernel's types.
    NotFound,
    /// A file cannot be read.
    FileError {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// An ELF file without a section `.BTF`.
    NoTypes {
        /// The file.
        path: PathBuf,
    },
    /// The data is not BTF.
    Malformed {
        /// The file the data came from, if any.
        path: Option<PathBuf>,
        /// What is wrong with it.
        error: aya_obj::btf::BtfError,
    },
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str(
                "kernel: no type information in /sys/kernel/btf/vmlinux or beside the kernel's \
                 image: use a kernel built with CONFIG_DEBUG_INFO_BTF, or give the types to the \
                 loader (`EbpfLoader::btf`)",
            ),
            Self::FileError { path, .. } => {
                write!(
                    f,
                    "{}: cannot be read: check path and rights",
                    path.display()
                )
            }
            Self::NoTypes { path } => write!(
                f,
                "{}: no section `.BTF`: build it with type information",
                path.display()
            ),
            Self::Malformed { path, .. } => {
                match path {
                    Some(path) => write!(f, "{}: ", path.display())?,
                    None => f.write_str("types: ")?,
                }
                f.write_str("not in BTF format: is it the right file?")
            }
        }
    }
}

impl Error for BtfError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotFound | Self::NoTypes { .. } => None,
            Self::FileError { error, .. } => Some(error),
            Self::Malformed { error, .. } => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_places_are_tried_in_order() -> Result<(), Box<dyn Error>> {
        let directory = std::env::temp_dir().join(format!("aya-btf-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let file = |name: &str| directory.join(name).display().to_string();
        // Header of an empty BTF: magic, version 1, flags, header length 24, one empty string.
        let mut empty = vec![0x9f, 0xeb, 1, 0, 24, 0, 0, 0];
        empty.extend([0; 12]);
        empty.extend([1, 0, 0, 0, 0]);
        fs::write(directory.join("image"), &empty)?;

        let images = [file("missing"), file("image")];
        assert!(Btf::from_first(&file("sysfs"), &images).is_ok());
        let none = Btf::from_first(&file("sysfs"), &images[..1]);
        assert!(matches!(none, Err(BtfError::NotFound)));

        fs::write(directory.join("sysfs"), b"nonsense")?;
        let broken = Btf::from_first(&file("sysfs"), &images);
        assert!(matches!(
            broken,
            Err(BtfError::Malformed { path: Some(_), .. })
        ));
        fs::remove_dir_all(&directory)?;
        Ok(())
    }
}
