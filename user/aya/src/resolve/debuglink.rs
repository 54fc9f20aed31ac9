//! Debug files: where distributions keep the symbols that they strip from executables and libraries.
//!
//! By build id: `/usr/lib/debug/.build-id/ab/cdef….debug`; by the name in the section
//! `.gnu_debuglink`: beside the file, in `.debug` there, or below `/usr/lib/debug`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use object::Object as _;

use super::elf::parse;

const ROOT: &str = "/usr/lib/debug";

/// The debug file that belongs to `file`, and what it holds.
pub(crate) fn find(path: &Path, file: &object::File<'_>) -> Option<(PathBuf, Vec<u8>)> {
    let build_id = file.build_id().ok().flatten();
    let link = file.gnu_debuglink().ok().flatten();
    let mut places: Vec<(PathBuf, Option<u32>)> = Vec::new();
    if let Some((first, rest)) = build_id.and_then(<[u8]>::split_first) {
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let name = format!("{ROOT}/.build-id/{first:02x}/{}.debug", hex(rest));
        places.push((name.into(), None));
    }
    // Links to a library do not stand where its debug file does.
    let path = fs::canonicalize(path).ok()?;
    if let (Some((name, checksum)), Some(folder)) = (link, path.parent())
        && let Ok(name) = std::str::from_utf8(name)
    {
        let below = Path::new(ROOT).join(folder.strip_prefix("/").unwrap_or(folder));
        let places_of_name = [
            folder.join(name),
            folder.join(".debug").join(name),
            below.join(name),
        ];
        places.extend(places_of_name.map(|place| (place, Some(checksum))));
    }
    places.into_iter().find_map(|(place, checksum)| {
        if place == path {
            return None;
        }
        let bytes = fs::read(&place).ok()?;
        let same = match (build_id, parse(&bytes).ok()?.build_id().ok().flatten()) {
            (Some(ours), Some(its)) => ours == its,
            _ => checksum == Some(crc32(&bytes)),
        };
        same.then_some((place, bytes))
    })
}

/// The checksum of debug links: CRC-32 as in zlib.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn sums_as_zlib_does() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
