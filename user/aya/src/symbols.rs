//! The functions that call stacks consist of, with source lines: of the kernel, of processes, of files.
//!
//! With the cargo feature `symbols`. Programs record stacks in a
//! [`StackTraceMap`](crate::maps::StackTraceMap); [`Symbols`] finds out what was running:
//!
//! ```no_run
//! # fn example(map: aya::maps::Map, pid: u32, user: u32, kernel: u32) -> Result<(), Box<dyn std::error::Error>> {
//! use aya::{maps::StackTraceMap, symbols::Symbols};
//!
//! let stacks = StackTraceMap::try_from(map)?;
//! let mut symbols = Symbols::new();
//! for frame in symbols.kernel(&stacks.get(&kernel, 0)?)? {
//!     println!("{frame}");
//! }
//! for frame in symbols.process(pid, &stacks.get(&user, 0)?)? {
//!     println!("{frame}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | what is found | where |
//! | --- | --- |
//! | functions of the kernel, its modules and eBPF programs | the kernel's image with debug information where there is one, else `/proc/kallsyms` (`CAP_SYSLOG`) |
//! | functions of files | their symbols; `/usr/lib/debug` and the file that `.gnu_debuglink` names |
//! | source lines, and functions that the compiler put into others | debug information (DWARF) in the same places |
//! | functions of just-in-time compilers | `/tmp/perf-PID.map` |
//!
//! What has been read of a file is kept as long as the [`Symbols`].

use std::{
    collections::HashMap,
    error::Error,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use blazesym::{
    Pid,
    helper::read_elf_build_id,
    symbolize::{
        CodeInfo, Input, Sym, Symbolized, Symbolizer,
        source::{Elf, Kernel, Process, Source},
    },
};

use crate::{
    maps::stack_trace::{FilePlace, StackFrame, StackTrace},
    resolve::proc_maps,
};

/// The bytes by which the kernel tells files apart.
type BuildId = [u8; 20];

/// Finds functions, and keeps what it has read for that.
#[derive(Debug, Default)]
pub struct Symbols {
    symbolizer: Symbolizer,
    files: HashMap<BuildId, PathBuf>,
}

impl Symbols {
    /// Nothing has been read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The functions of a stack of the kernel.
    ///
    /// # Errors
    ///
    /// [`SymbolsError`] when the kernel's symbols cannot be read.
    pub fn kernel(&self, stack: &StackTrace) -> Result<Vec<Frame>, SymbolsError> {
        let source = Source::Kernel(Kernel::default());
        self.frames(stack, Some((&source, "the kernel")))
    }

    /// The functions of a stack of the process `pid`, which has to be there still. Build ids are looked
    /// for among the files that it has mapped, too.
    ///
    /// # Errors
    ///
    /// [`SymbolsError`] when the process is gone, or this one may not look into it
    /// (`CAP_SYS_PTRACE`, `CAP_SYS_ADMIN`).
    pub fn process(&mut self, pid: u32, stack: &StackTrace) -> Result<Vec<Frame>, SymbolsError> {
        let unknown = |frame: &StackFrame| {
            let place = frame.file.as_ref();
            place.is_some_and(|place| !self.files.contains_key(&place.build_id))
        };
        if stack.frames().iter().any(unknown) {
            self.add_process(pid)?;
        }
        let source = Source::Process(Process::new(Pid::from(pid)));
        self.frames(stack, Some((&source, &format!("process {pid}"))))
    }

    /// The functions of a stack of build ids, whose process may be gone. Files are those that were
    /// [added](Self::add_file); frames of others have no function, nor have frames that are addresses.
    ///
    /// # Errors
    ///
    /// [`SymbolsError`] when a file cannot be read.
    pub fn files(&self, stack: &StackTrace) -> Result<Vec<Frame>, SymbolsError> {
        self.frames(stack, None)
    }

    /// Adds the file `path` to those that build ids are looked for among. A file without build id is left
    /// out, as the kernel cannot tell it from others either.
    ///
    /// # Errors
    ///
    /// [`SymbolsError`] when the file cannot be read, or is none that can be executed.
    pub fn add_file<P: AsRef<Path>>(&mut self, path: P) -> Result<(), SymbolsError> {
        let path = path.as_ref();
        let found = read_elf_build_id(path);
        let found = found.map_err(|error| SymbolsError::new(&path.to_string_lossy(), error))?;
        if let Some(found) = found {
            let mut build_id = BuildId::default();
            for (place, byte) in build_id.iter_mut().zip(found.iter()) {
                *place = *byte;
            }
            self.files.insert(build_id, path.to_owned());
        }
        Ok(())
    }

    /// Adds the files that the process `pid` has mapped now. Those that are gone, or no executables, are
    /// left out.
    ///
    /// # Errors
    ///
    /// [`SymbolsError`] when the process is gone, or this one may not look into it.
    pub fn add_process(&mut self, pid: u32) -> Result<(), SymbolsError> {
        let files = proc_maps::files(pid);
        for file in files.map_err(|error| SymbolsError::new(&format!("process {pid}"), error))? {
            if let Err(error) = self.add_file(file) {
                log::debug!("{error}");
            }
        }
        Ok(())
    }

    /// Looks for places in files by their build ids, for addresses in `source`, which has a name.
    fn frames(
        &self,
        stack: &StackTrace,
        source: Option<(&Source<'_>, &str)>,
    ) -> Result<Vec<Frame>, SymbolsError> {
        // A return address is behind the call, which may be the last instruction of its function.
        let back = |depth| u64::from(depth > 0);
        let frames = || stack.frames().iter().enumerate();
        let addresses = frames().filter(|(_, frame)| frame.file.is_none());
        let addresses = addresses.map(|(depth, frame)| frame.ip.saturating_sub(back(depth)));
        let addresses: Vec<u64> = addresses.collect();
        let found = match source {
            Some((source, name)) if !addresses.is_empty() => {
                let found = self
                    .symbolizer
                    .symbolize(source, Input::AbsAddr(&addresses));
                found.map_err(|error| SymbolsError::new(name, error))?
            }
            _ => Vec::new(),
        };
        let mut found = found.into_iter();
        let named = frames().map(|(depth, frame)| {
            let found = match frame.file {
                Some(place) => self.in_file(place, back(depth))?,
                None => found.next(),
            };
            let found = found.and_then(Symbolized::into_sym);
            Ok(Frame::new(*frame, back(depth), found))
        });
        named.collect()
    }

    fn in_file(&self, place: FilePlace, back: u64) -> Result<Option<Symbolized<'_>>, SymbolsError> {
        let Some(path) = self.files.get(&place.build_id) else {
            return Ok(None);
        };
        let source = Source::Elf(Elf::new(path));
        let offset = place.offset.saturating_sub(back);
        let found = self
            .symbolizer
            .symbolize(&source, Input::FileOffset(&[offset]));
        let found = found.map_err(|error| SymbolsError::new(&path.to_string_lossy(), error))?;
        Ok(found.into_iter().next())
    }
}

/// A frame of a stack, and what was found of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The frame.
    pub frame: StackFrame,
    /// The file that is executed, or `[vdso]`, `[bpf]` and the like.
    pub module: Option<OsString>,
    /// How far the place is from the beginning of the last of the functions, in bytes.
    pub offset: u64,
    /// The functions at this place, the innermost first: each was put into the next one by the compiler
    /// (inlined), the last one is that of the symbol. None where nothing is known.
    pub functions: Vec<Function>,
}

/// A function, and the place in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, as its author wrote it.
    pub name: String,
    /// The source file.
    pub file: Option<PathBuf>,
    /// The line of the instruction in it, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u16>,
}

impl Frame {
    fn new(frame: StackFrame, back: u64, found: Option<Sym<'_>>) -> Self {
        let Some(found) = found else {
            return Self {
                frame,
                module: None,
                offset: 0,
                functions: Vec::new(),
            };
        };
        let offset = u64::try_from(found.offset).unwrap_or(u64::MAX);
        let symbol = Function::new(&found.name, found.code_info.as_deref());
        let inlined = found.inlined.iter().rev();
        let inlined = inlined.map(|it| Function::new(&it.name, it.code_info.as_ref()));
        Self {
            frame,
            module: found.module.map(|module| module.into_owned()),
            offset: offset.saturating_add(back),
            functions: inlined.chain([symbol]).collect(),
        }
    }
}

impl Function {
    fn new(name: &str, place: Option<&CodeInfo<'_>>) -> Self {
        Self {
            name: name.to_owned(),
            file: place.map(|place| place.to_path().into_owned()),
            line: place.and_then(|place| place.line),
            column: place.and_then(|place| place.column),
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(file) = &self.file {
            write!(f, " at {}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
        }
        Ok(())
    }
}

/// One line for each function, the innermost first, such as `read_packet at src/packet.rs:12` and
/// `main+0x2c at src/main.rs:7`.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((symbol, inlined)) = self.functions.split_last() else {
            return match self.frame.file {
                Some(place) => write!(f, "{:#x} of an unknown file", place.offset),
                None => write!(f, "{:#x}", self.frame.ip),
            };
        };
        for function in inlined {
            writeln!(f, "{function}")?;
        }
        let Function { name, .. } = symbol;
        let place = symbol.to_string();
        let place = place.strip_prefix(name.as_str()).unwrap_or_default();
        write!(f, "{name}+{:#x}{place}", self.offset)
    }
}

/// Why the functions of a stack could not be found out.
#[derive(Debug)]
pub struct SymbolsError {
    whose: String,
    error: Box<dyn Error + Send + Sync>,
}

impl SymbolsError {
    fn new(whose: &str, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            whose: whose.to_owned(),
            error: error.into(),
        }
    }
}

impl fmt::Display for SymbolsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: its symbols cannot be read: check that it is there, and the rights on it",
            self.whose
        )
    }
}

impl Error for SymbolsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
