//! The files that a process has mapped: `/proc/PID/maps`.

use std::{
    error::Error,
    ffi::{OsStr, OsString},
    fmt, fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

/// Why a process's map could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcMapError {
    /// It could not be read.
    ReadFile(io::Error),
    /// A line of it has not the form that the kernel documents.
    ParseLine {
        /// The line.
        line: OsString,
    },
}

impl fmt::Display for ProcMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadFile(_) => f.write_str(
                "its map of memory could not be read: check that it is alive, and your rights",
            ),
            Self::ParseLine { line } => write!(
                f,
                "its map of memory has a line of unknown form, {line:?}: give the library's path"
            ),
        }
    }
}

impl Error for ProcMapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ReadFile(error) => Some(error),
            Self::ParseLine { .. } => None,
        }
    }
}

/// The file that a process has mapped as the library or executable `name`, as this process sees it.
pub(crate) fn find(pid: u32, name: &OsStr) -> Result<Option<PathBuf>, ProcMapError> {
    let read = |path: &str| fs::read(path).map_err(ProcMapError::ReadFile);
    let text = read(&format!("/proc/{pid}/maps"))?;
    let found = find_in(&text, name)?;
    Ok(found.map(|path| seen_from_here(pid, path)))
}

/// The files that a process has mapped, as this process sees them, each once.
#[cfg(feature = "symbols")]
pub(crate) fn files(pid: u32) -> Result<std::collections::BTreeSet<PathBuf>, ProcMapError> {
    let text = fs::read(format!("/proc/{pid}/maps")).map_err(ProcMapError::ReadFile)?;
    let paths = text.split(|byte| *byte == b'\n').filter_map(mapped_file);
    let paths = paths.map(|path| Path::new(OsStr::from_bytes(path)));
    let paths: std::collections::BTreeSet<_> = paths.filter(|path| path.is_absolute()).collect();
    Ok(paths
        .into_iter()
        .map(|path| seen_from_here(pid, path))
        .collect())
}

fn find_in<'a>(text: &'a [u8], name: &OsStr) -> Result<Option<&'a Path>, ProcMapError> {
    for line in text.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        let path = mapped_file(line).ok_or_else(|| ProcMapError::ParseLine {
            line: OsStr::from_bytes(line).to_owned(),
        })?;
        let path = Path::new(OsStr::from_bytes(path));
        if path.is_absolute() && path.file_name().is_some_and(|file| is_named(file, name)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The end of a line `START-END PERMISSIONS OFFSET DEVICE INODE  PATH`, which is empty for memory
/// without a file.
fn mapped_file(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..5 {
        let end = rest.iter().position(|byte| *byte == b' ');
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() {
            return None;
        }
        rest = behind.trim_ascii_start();
    }
    Some(rest)
}

/// The path by which this process reaches a file of another, which may live in a container.
fn seen_from_here(pid: u32, path: &Path) -> PathBuf {
    let root = |process: &str| {
        let root = fs::metadata(format!("/proc/{process}/root/")).ok()?;
        Some((root.dev(), root.ino()))
    };
    let process = pid.to_string();
    if root(&process) == root("self") {
        return path.to_owned();
    }
    let root = PathBuf::from(format!("/proc/{process}/root"));
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Whether a file is the library or executable that somebody calls `name`: `libc` is `libc.so.6` and
/// `libc-2.31.so`, but not `libcrypt.so.1`.
pub(crate) fn is_named(file: &OsStr, name: &OsStr) -> bool {
    let Some(rest) = file.as_bytes().strip_prefix(name.as_bytes()) else {
        return false;
    };
    if name.as_bytes().is_empty() {
        return false;
    }
    match rest {
        [] => true,
        [b'-', b'0'..=b'9', version @ ..] => version.windows(3).any(|part| part == b".so"),
        // A version behind a full name: `libc.so` is `libc.so.6`.
        [b'.', b'0'..=b'9', ..] => name.as_bytes().windows(3).any(|part| part == b".so"),
        _ => rest == b".so" || rest.starts_with(b".so."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
7f57c0000000-7f57c0021000 rw-p 00000000 00:00 0 \n\
7f57c4000000-7f57c4100000 r-xp 00000000 08:01 131 /usr/lib/libcrypt.so.1\n\
7f57c5000000-7f57c5100000 r-xp 00002000 08:01 132                        /usr/lib/my libs/libc.so.6\n\
7ffd5a000000-7ffd5a021000 rw-p 00000000 00:00 0                          [stack]\n";

    #[test]
    fn finds_files() {
        let find = |name: &str| find_in(TEXT, OsStr::new(name)).expect("well formed");
        assert_eq!(find("libc"), Some(Path::new("/usr/lib/my libs/libc.so.6")));
        assert_eq!(
            find("libcrypt.so"),
            Some(Path::new("/usr/lib/libcrypt.so.1"))
        );
        assert_eq!(find("[stack]"), None);
        assert_eq!(find("lib"), None);
        let error = find_in(b"7f57c0000000 rw-p\n", OsStr::new("libc"));
        assert!(matches!(error, Err(ProcMapError::ParseLine { .. })));
    }

    #[test]
    fn knows_libraries_by_their_names() {
        let named = |file: &str, name: &str| is_named(OsStr::new(file), OsStr::new(name));
        for (file, name) in [
            ("libc.so.6", "libc"),
            ("libc.so.6", "libc.so"),
            ("libc.so.6", "libc.so.6"),
            ("libc.so", "libc"),
            ("libc-2.31.so", "libc"),
            ("bash", "bash"),
        ] {
            assert!(named(file, name), "{file} is {name}");
        }
        for (file, name) in [
            ("libcrypt.so.1", "libc"),
            ("libc.so.6", "libc.so.7"),
            ("libc.so.6", ""),
            ("libc-client.so.2", "libc"),
            ("bash.1", "bash"),
        ] {
            assert!(!named(file, name), "{file} is not {name}");
        }
    }

    #[test]
    fn sees_own_files() {
        let exe = std::env::current_exe().expect("proc is mounted");
        let name = exe.file_name().expect("a file");
        let found = find(std::process::id(), name).expect("proc is mounted");
        assert_eq!(found.as_deref(), Some(exe.as_path()));
    }
}
