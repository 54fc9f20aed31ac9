//! Stage 2: files → bitcode. Bitcode, `ar` archives of it, and ELF files with a `.llvmbc` section.

use std::path::{Path, PathBuf};

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, SectionKind};

use crate::Error;

/// One module of bitcode.
pub(crate) struct Bitcode {
    /// The file it comes from.
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

const MAGIC: &[u8] = b"BC\xc0\xde";

/// Reads all modules of the files, in order.
///
/// # Errors
/// [`Error::Read`]; [`Error::BadInput`] when a file holds no bitcode or there is none at all.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Bitcode>, Error> {
    let mut modules = Vec::new();
    for path in paths {
        let bytes = std::fs::read(path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        collect(path, &bytes, &mut modules)?;
    }
    if modules.is_empty() {
        let path = paths.first().cloned().unwrap_or_default();
        return Err(Error::BadInput {
            path,
            reason: "no bitcode to link".to_owned(),
        });
    }
    Ok(modules)
}

fn collect(path: &Path, bytes: &[u8], modules: &mut Vec<Bitcode>) -> Result<(), Error> {
    let bad = |reason: String| Error::BadInput {
        path: path.to_owned(),
        reason,
    };
    if bytes.starts_with(MAGIC) {
        modules.push(Bitcode {
            path: path.to_owned(),
            bytes: bytes.to_vec(),
        });
    } else if bytes.starts_with(b"!<arch>\n") {
        let archive = ArchiveFile::parse(bytes).map_err(|error| bad(error.to_string()))?;
        for member in archive.members() {
            let member = member.map_err(|error| bad(error.to_string()))?;
            // rlibs carry metadata besides the code
            if member.name().ends_with(b".rmeta") {
                continue;
            }
            let content = member.data(bytes).map_err(|error| bad(error.to_string()))?;
            collect(path, content, modules)?;
        }
    } else {
        let file = object::File::parse(bytes)
            .map_err(|_| bad("neither bitcode, archive nor object".to_owned()))?;
        let Some(section) = file.section_by_name(".llvmbc") else {
            // rustc adds an object that only names symbols
            let has_code = file
                .sections()
                .any(|section| section.kind() == SectionKind::Text && section.size() > 0);
            return if has_code {
                Err(bad("no bitcode in it".to_owned()))
            } else {
                Ok(())
            };
        };
        let content = section.data().map_err(|error| bad(error.to_string()))?;
        modules.push(Bitcode {
            path: path.to_owned(),
            bytes: content.to_vec(),
        });
    }
    Ok(())
}

impl Bitcode {
    /// The compiler's own word on its version, as `LLVM22.1.2-rust-1.95.0-stable`: the string record
    /// of the identification block that comes first in every bitcode file.
    pub(crate) fn producer(&self) -> Option<String> {
        const IDENTIFICATION_BLOCK: u64 = 13;
        const STRING: u64 = 1;
        const DEFINE_ABBREV: u64 = 2;
        const UNABBREVIATED: u64 = 3;
        let mut bits = Bits {
            bytes: self.bytes.get(MAGIC.len()..)?,
            at: 0,
        };
        if bits.fixed(2)? != 1 || bits.variable(8)? != IDENTIFICATION_BLOCK {
            return None;
        }
        let width = bits.variable(4)?;
        bits.align();
        bits.fixed(32)?;
        // the block holds one abbreviation at most, for the string: a literal code, an array of
        // elements of a fixed width or of six-bit characters
        let mut element = None;
        loop {
            match bits.fixed(width)? {
                DEFINE_ABBREV => {
                    let count = bits.variable(5)?;
                    for _ in 0..count {
                        if bits.fixed(1)? == 1 {
                            bits.variable(8)?;
                            continue;
                        }
                        match bits.fixed(3)? {
                            1 => element = Some(bits.variable(5)?),
                            2 => {
                                bits.variable(5)?;
                            }
                            4 => element = Some(0),
                            _ => {}
                        }
                    }
                }
                UNABBREVIATED => {
                    let code = bits.variable(6)?;
                    let count = bits.variable(6)?;
                    let text: Option<Vec<u8>> = (0..count)
                        .map(|_| u8::try_from(bits.variable(6)?).ok())
                        .collect();
                    if code == STRING {
                        return String::from_utf8(text?).ok();
                    }
                }
                4 => {
                    let count = bits.variable(6)?;
                    let text: Option<Vec<u8>> = (0..count)
                        .map(|_| match element? {
                            0 => six_bit(bits.fixed(6)?),
                            width => u8::try_from(bits.fixed(width)?).ok(),
                        })
                        .collect();
                    return String::from_utf8(text?).ok();
                }
                _ => return None,
            }
        }
    }
}

/// The characters that bitcode packs into six bits.
fn six_bit(value: u64) -> Option<u8> {
    let index = usize::try_from(value).ok()?;
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"
        .get(index)
        .copied()
}

/// A stream of bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn fixed(&mut self, width: u64) -> Option<u64> {
        let mut value = 0;
        for index in 0..width.min(64) {
            let byte = self.bytes.get(self.at / 8)?;
            value |= u64::from(byte >> (self.at % 8) & 1) << index;
            self.at += 1;
        }
        Some(value)
    }

    /// Groups of `width` bits whose highest says that another group follows.
    fn variable(&mut self, width: u64) -> Option<u64> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let group = self.fixed(width)?;
            let more = 1 << (width - 1);
            value |= (group & (more - 1)).checked_shl(shift)?;
            if group & more == 0 {
                return Some(value);
            }
            shift += u32::try_from(width).ok()? - 1;
        }
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(32);
    }
}
