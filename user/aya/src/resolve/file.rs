//! Files by the names that people call them: `libc`.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    elf, ld_cache,
    proc_maps::{self, ProcMapError, is_named},
};

/// The cache of those that the dynamic linker knows.
pub(crate) const CACHE: &str = ld_cache::PATH;

/// Where libraries are on systems without a cache of them.
const FOLDERS: [&str; 5] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"];

/// Why a file was not found.
#[derive(Debug)]
pub(crate) enum FileError {
    Missing,
    Map { pid: u32, error: ProcMapError },
    Cache(io::Error),
    InvalidCache,
}

/// The file that `target` means: a path is taken as it is, relative to the working directory; a name
/// without a slash is that of a library or executable, of a process if one is given.
pub(crate) fn find(target: &Path, pid: Option<u32>) -> Result<PathBuf, FileError> {
    if target.components().count() != 1 || target.is_absolute() {
        return Ok(target.to_owned());
    }
    let name = target.as_os_str();
    if let Some(pid) = pid
        && let Some(path) =
            proc_maps::find(pid, name).map_err(|error| FileError::Map { pid, error })?
    {
        return Ok(path);
    }
    let cached = match fs::read(ld_cache::PATH) {
        Ok(cache) => of_cache(&cache, name)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => of_folders(name),
        Err(error) => return Err(FileError::Cache(error)),
    };
    cached
        .or_else(|| executable(name))
        .ok_or(FileError::Missing)
}

fn of_cache(cache: &[u8], name: &OsStr) -> Result<Option<PathBuf>, FileError> {
    let libraries = ld_cache::libraries(cache).ok_or(FileError::InvalidCache)?;
    let mut named = libraries
        .into_iter()
        .filter(|(file, _)| is_named(file, name));
    // It lists libraries of all the machines that this one can play.
    let path = named.find(|(_, path)| elf::is_native(path));
    Ok(path.map(|(_, path)| path.to_owned()))
}

fn of_folders(name: &OsStr) -> Option<PathBuf> {
    let entries = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let mut files = entries.flatten().filter_map(Result::ok);
    let file = files.find(|file| is_named(&file.file_name(), name) && elf::is_native(&file.path()));
    file.map(|file| file.path())
}

fn executable(name: &OsStr) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let mut files = env::split_paths(&folders).map(|folder| folder.join(name));
    files.find(|path| path.is_absolute() && path.is_file() && elf::is_native(path))
}
