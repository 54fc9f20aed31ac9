//! The libraries that the dynamic linker knows: `/etc/ld.so.cache`.
//!
//! The file of glibc since 2.2: a header of 48 bytes that begins with a magic word and the number of
//! entries, then entries of 24 bytes (flags, offset of the name, offset of the path, …), then the text.
//! Older caches have this one behind an older one, at the next multiple of 8.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// Of an entry of the older cache, behind its header of 16 bytes.
const OLD_ENTRY: usize = 12;

/// The cache's file.
pub(crate) const PATH: &str = "/etc/ld.so.cache";

/// File name and path of each library, in the order in which the dynamic linker searches; none when
/// this is no cache.
pub(crate) fn libraries(cache: &[u8]) -> Option<Vec<(&OsStr, &Path)>> {
    let cache = match cache.strip_prefix(OLD_MAGIC) {
        Some(_) => cache.get(new_cache(cache)?..)?,
        None => cache,
    };
    cache.starts_with(MAGIC).then_some(())?;
    let count = number(cache, MAGIC.len())?;
    let entries = cache.get(HEADER..)?.chunks_exact(ENTRY);
    // No more than there is room for, whatever the header says.
    let entries = entries.take(count);
    Some(
        entries
            .filter_map(|entry| {
                let name = text(cache, number(entry, 4)?)?;
                Some((OsStr::from_bytes(name), text(cache, number(entry, 8)?)?))
            })
            .map(|(name, path)| (name, Path::new(OsStr::from_bytes(path))))
            .collect(),
    )
}

/// Where the newer cache begins behind an older one.
fn new_cache(cache: &[u8]) -> Option<usize> {
    let count = number(cache, OLD_MAGIC.len())?;
    let end = count.checked_mul(OLD_ENTRY)?.checked_add(16)?;
    end.checked_next_multiple_of(8)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_ne_bytes(*word)).ok()
}

/// The text up to its zero byte.
fn text(cache: &[u8], at: usize) -> Option<&[u8]> {
    cache.get(at..)?.split(|byte| *byte == 0).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARIES: [(&str, &str); 2] = [
        ("libc.so.6", "/lib/libc.so.6"),
        ("libm.so.6", "/lib/libm.so.6"),
    ];

    fn cache() -> Vec<u8> {
        let mut cache = MAGIC.to_vec();
        cache.extend((LIBRARIES.len() as u32).to_ne_bytes());
        cache.resize(HEADER, 0);
        let mut at = (HEADER + LIBRARIES.len() * ENTRY) as u32;
        let mut texts = Vec::new();
        for (name, path) in LIBRARIES {
            cache.extend(0x303_u32.to_ne_bytes());
            for text in [name, path] {
                cache.extend(at.to_ne_bytes());
                at += text.len() as u32 + 1;
                texts.extend(text.bytes().chain([0]));
            }
            cache.extend([0; ENTRY - 12]);
        }
        cache.extend(texts);
        cache
    }

    fn expected() -> Option<Vec<(&'static OsStr, &'static Path)>> {
        let pair = |(name, path)| (OsStr::new(name), Path::new(path));
        Some(LIBRARIES.map(pair).to_vec())
    }

    #[test]
    fn reads_both_forms() {
        let new = cache();
        assert_eq!(libraries(&new), expected());
        let mut old = [OLD_MAGIC, &1_u32.to_ne_bytes(), &[0; OLD_ENTRY]].concat();
        old.resize(32, 0);
        // Offsets count from the newer cache's beginning.
        old.extend(&new);
        assert_eq!(libraries(&old), expected());
    }

    #[test]
    fn takes_any_bytes() {
        let whole = cache();
        assert_eq!(libraries(b""), None);
        assert_eq!(libraries(b"something else"), None);
        for end in 0..whole.len() {
            let _any = libraries(&whole[..end]);
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] = 0xff;
            let _any = libraries(&broken);
        }
    }
}
