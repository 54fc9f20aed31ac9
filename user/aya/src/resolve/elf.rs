//! Symbols of executables and libraries: where in the file a function begins.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use object::{Object as _, ObjectSegment as _, ObjectSymbol as _, SymbolKind};

use super::{debuglink, similar};

/// A function of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    /// Of its first byte in the file.
    pub(crate) offset: u64,
    /// In bytes; 0 where the file does not tell.
    pub(crate) size: u64,
}

/// Why a function's place in a file is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SymbolError {
    /// There is no such symbol.
    Missing {
        file: PathBuf,
        similar: Vec<String>,
        /// Whether there are no symbols at all.
        stripped: bool,
    },
    /// There are several, at different places.
    Several { file: PathBuf },
    /// It is not in the part of the file that is mapped.
    NotInFile { file: PathBuf },
    /// The offset is behind the function's end.
    Outside { offset: u64, size: u64 },
}

impl fmt::Display for SymbolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                file,
                stripped: true,
                ..
            } => write!(
                f,
                "{} has no symbols: install its debug symbols, or give an absolute offset",
                file.display()
            ),
            Self::Missing { file, similar, .. } => write!(
                f,
                "{} has no such symbol: `nm` and `nm -D` list those it has{}",
                file.display(),
                similar::did_you_mean(similar)
            ),
            Self::Several { file } => write!(
                f,
                "{} has several of that name: give an absolute offset",
                file.display()
            ),
            Self::NotInFile { file } => {
                write!(f, "{} has no code there: choose a function", file.display())
            }
            Self::Outside { offset, size } => {
                write!(f, "offset {offset} is outside of it: it has {size} bytes")
            }
        }
    }
}

impl Error for SymbolError {}

/// Looks all `names` up with one reading of the file, and one of its debug file if some are not in it.
///
/// # Errors
///
/// When the file cannot be read or is no ELF file. What is wrong with a single name is its value.
pub(crate) fn functions<'n>(
    path: &Path,
    names: impl Iterator<Item = &'n str>,
) -> io::Result<BTreeMap<&'n str, Result<Function, SymbolError>>> {
    let bytes = fs::read(path)?;
    let file = parse(&bytes)?;
    let mut wanted: BTreeMap<&str, Candidates> = names.map(|name| (name, <_>::default())).collect();
    let mut table = Names::default();
    collect(&file, &mut wanted, &mut table);
    if wanted.values().any(Candidates::is_empty)
        && let Some((_, bytes)) = debuglink::find(path, &file)
    {
        collect(&parse(&bytes)?, &mut wanted, &mut table);
    }
    let place = |name: &str, found: Candidates| {
        let owned = || path.to_owned();
        let (address, size) = match found.only() {
            Some(Some(found)) => found,
            Some(None) => return Err(SymbolError::Several { file: owned() }),
            None => {
                return Err(SymbolError::Missing {
                    file: owned(),
                    similar: similar::similar(name, table.0.iter().map(String::as_str)),
                    stripped: table.0.is_empty(),
                });
            }
        };
        let offset = offset(&file, address).ok_or_else(|| SymbolError::NotInFile { file: owned() });
        offset.map(|offset| Function { offset, size })
    };
    Ok(wanted
        .into_iter()
        .map(|(name, found)| (name, place(name, found)))
        .collect())
}

pub(super) fn parse(bytes: &[u8]) -> io::Result<object::File<'_>> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    object::File::parse(bytes).map_err(invalid)
}

/// Whether a file holds code of the machine that this process runs on.
pub(super) fn is_native(path: &Path) -> bool {
    // Magic, class and byte order; then padding and the type; then the machine.
    let begin = |path: &Path| {
        let mut begin = [0; 20];
        fs::File::open(path)?.read_exact(&mut begin)?;
        Ok::<_, io::Error>(begin)
    };
    match (begin(path), begin(Path::new("/proc/self/exe"))) {
        (Ok(its), Ok(ours)) => {
            its.first_chunk::<6>() == ours.first_chunk()
                && its.last_chunk::<2>() == ours.last_chunk()
        }
        _ => false,
    }
}

/// Where the file holds what is mapped at an address.
fn offset(file: &object::File<'_>, address: u64) -> Option<u64> {
    file.segments().find_map(|segment| {
        let behind = address.checked_sub(segment.address())?;
        let (offset, size) = segment.file_range();
        (behind < size).then(|| offset.checked_add(behind))?
    })
}

/// The names of all functions, for messages.
#[derive(Default)]
struct Names(Vec<String>);

/// What a name stands for: addresses and sizes, by how far the name is seen.
#[derive(Default)]
struct Candidates {
    global: BTreeMap<u64, u64>,
    local: BTreeMap<u64, u64>,
}

impl Candidates {
    fn is_empty(&self) -> bool {
        self.global.is_empty() && self.local.is_empty()
    }

    /// The one; the inner option is none when there are several, the outer when there is none.
    fn only(&self) -> Option<Option<(u64, u64)>> {
        let all = if self.global.is_empty() {
            &self.local
        } else {
            &self.global
        };
        let (address, size) = all.first_key_value()?;
        Some((all.len() == 1).then_some((*address, *size)))
    }
}

/// Goes through the symbols of a file once.
fn collect(file: &object::File<'_>, wanted: &mut BTreeMap<&str, Candidates>, table: &mut Names) {
    // Names are copied only when one is missing, which is known at the end.
    let mut seen = Vec::new();
    for symbol in file.dynamic_symbols().chain(file.symbols()) {
        let is_code = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
        if !is_code || !symbol.is_definition() {
            continue;
        }
        let Ok(name) = symbol.name() else { continue };
        // `name@@VERSION`
        let name = name.split('@').next().unwrap_or(name);
        match wanted.get_mut(name) {
            Some(found) => {
                let scope = if symbol.is_global() {
                    &mut found.global
                } else {
                    &mut found.local
                };
                scope.insert(symbol.address(), symbol.size());
            }
            None => seen.push(name),
        }
    }
    if wanted.values().any(Candidates::is_empty) {
        table.0.extend(seen.into_iter().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use object::{
        Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolScope,
        write::{Object, StandardSection, Symbol, SymbolSection},
    };

    use super::*;

    /// What a relocatable object lacks is told by its symbols' values all the same.
    fn symbols(names: &[(&str, u64, SymbolScope, SymbolKind)]) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.section_id(StandardSection::Text);
        object.append_section_data(text, &[0x90; 64], 16);
        for &(name, value, scope, kind) in names {
            object.add_symbol(Symbol {
                name: name.into(),
                value,
                size: 8,
                kind,
                scope,
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        object.write().expect("it is small")
    }

    fn addresses(bytes: &[u8], names: &[&'static str]) -> Vec<Option<Option<(u64, u64)>>> {
        let mut wanted: BTreeMap<&str, Candidates> =
            names.iter().map(|name| (*name, <_>::default())).collect();
        let mut table = Names::default();
        collect(&parse(bytes).expect("well formed"), &mut wanted, &mut table);
        names.iter().map(|name| wanted[name].only()).collect()
    }

    #[test]
    fn prefers_what_is_seen_from_outside() {
        use SymbolScope::{Compilation, Dynamic};
        let bytes = symbols(&[
            ("twice", 8, Compilation, SymbolKind::Text),
            ("twice", 16, Compilation, SymbolKind::Text),
            ("both", 24, Compilation, SymbolKind::Text),
            ("both", 32, Dynamic, SymbolKind::Text),
            ("versioned@@V_1", 40, Dynamic, SymbolKind::Text),
            ("data", 48, Dynamic, SymbolKind::Data),
        ]);
        let found = addresses(&bytes, &["both", "data", "none", "twice", "versioned"]);
        let expected = [
            Some(Some((32, 8))),
            None,
            None,
            Some(None),
            Some(Some((40, 8))),
        ];
        assert_eq!(found, expected);
    }

    /// Two thousand of fifty thousand, by one reading: one for each would take minutes.
    #[test]
    fn many_symbols_are_read_once() {
        let names: Vec<String> = (0..50_000)
            .map(|number| format!("symbol_{number}"))
            .collect();
        let rows: Vec<_> = names
            .iter()
            .zip(0..)
            .map(|(name, value)| (name.as_str(), value, SymbolScope::Dynamic, SymbolKind::Text))
            .collect();
        let bytes = symbols(&rows);
        let asked = names.iter().step_by(25);
        let mut wanted: BTreeMap<&str, Candidates> = asked
            .clone()
            .map(|name| (name.as_str(), <_>::default()))
            .collect();
        let begun = std::time::Instant::now();
        let file = parse(&bytes).expect("well formed");
        collect(&file, &mut wanted, &mut Names::default());
        let took = begun.elapsed();
        for (name, value) in asked.zip((0..).step_by(25)) {
            assert_eq!(
                wanted[name.as_str()].only(),
                Some(Some((value, 8))),
                "{name}"
            );
        }
        assert!(took.as_secs() < 20, "{took:?}");
    }

    #[test]
    fn takes_any_bytes() {
        let whole = symbols(&[("f", 8, SymbolScope::Dynamic, SymbolKind::Text)]);
        for end in 0..whole.len() {
            if let Ok(file) = parse(&whole[..end]) {
                collect(&file, &mut <_>::default(), &mut Names::default());
                let _any = offset(&file, 8);
            }
        }
    }

    #[test]
    fn own_functions_are_in_this_file() {
        let exe = std::env::current_exe().expect("proc is mounted");
        let functions = functions(&exe, ["main", "no_such_function"].into_iter());
        let functions = functions.expect("it is an ELF file");
        assert!(matches!(
            functions["main"],
            Ok(Function { offset: 1.., .. })
        ));
        let missing = functions["no_such_function"]
            .as_ref()
            .expect_err("there is none");
        assert!(matches!(
            missing,
            SymbolError::Missing {
                stripped: false,
                ..
            }
        ));
        assert!(is_native(&exe) && !is_native(Path::new("/proc/self/status")));
    }
}
