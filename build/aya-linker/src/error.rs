//! What can go wrong, and where in the source.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why an object could not be linked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The command line makes no sense.
    Usage(String),
    /// No LLVM library was found in any of these places.
    LlvmNotFound {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// The library cannot be used.
    LlvmUnusable {
        /// The library.
        path: PathBuf,
        /// What the dynamic loader says.
        reason: String,
    },
    /// A version of LLVM that the linker does not know.
    LlvmUnsupported {
        /// The library.
        path: PathBuf,
        /// Its major version.
        major: u32,
    },
    /// The bitcode is of another LLVM than the library.
    VersionMismatch {
        /// The input.
        input: PathBuf,
        /// Who wrote the bitcode.
        producer: String,
        /// The library.
        llvm: PathBuf,
        /// Its major version.
        major: u32,
    },
    /// An input cannot be read.
    Read {
        /// The input.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An input is not what the linker takes.
    BadInput {
        /// The input.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The output cannot be written.
    Write {
        /// The output.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program does what eBPF cannot do.
    Program(Vec<Diagnostic>),
    /// LLVM failed.
    Llvm {
        /// The stage of the linker.
        stage: String,
        /// What LLVM says.
        message: String,
    },
    /// The generated object cannot be brought into its final form.
    Object(String),
    /// The child process that runs LLVM ended without an answer.
    Crash(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => write!(f, "command line: {reason}"),
            Self::LlvmNotFound { searched } => {
                write!(f, "LLVM: no libLLVM in")?;
                for place in searched {
                    write!(f, " {}", place.display())?;
                }
                write!(
                    f,
                    "; install a toolchain that has it: `rustup toolchain install stable`"
                )
            }
            Self::LlvmUnusable { path, reason } => write!(
                f,
                "{}: cannot be used as LLVM: {reason}; reinstall the toolchain: `rustup toolchain uninstall stable && rustup toolchain install stable`",
                path.display()
            ),
            Self::LlvmUnsupported { path, major } => write!(
                f,
                "{}: LLVM {major} is not supported (supported: {}); use a toolchain that has one of them: `rustup update stable`, or set AYA_TOOLCHAIN",
                path.display(),
                crate::versions::supported()
            ),
            Self::VersionMismatch {
                input,
                producer,
                llvm,
                major,
            } => write!(
                f,
                "{}: bitcode of {producer}, but {} is LLVM {major}; link with the toolchain that compiled it: set RUSTC or AYA_TOOLCHAIN to it, or clean and build again",
                input.display(),
                llvm.display()
            ),
            Self::Read { path, .. } => write!(
                f,
                "{}: cannot be read; check that it was built",
                path.display()
            ),
            Self::BadInput { path, reason } => {
                write!(
                    f,
                    "{}: {reason}; compile with `--emit=llvm-bc` or for a bpf target",
                    path.display()
                )
            }
            Self::Write { path, .. } => write!(
                f,
                "{}: cannot be written; check the directory",
                path.display()
            ),
            Self::Program(diagnostics) => {
                for (index, diagnostic) in diagnostics.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{diagnostic}")?;
                }
                Ok(())
            }
            Self::Llvm { stage, message } => write!(
                f,
                "LLVM: {stage} failed: {message}; if the program looks right, report it with the source"
            ),
            Self::Object(reason) => write!(f, "object: {reason}; report it with the source"),
            Self::Crash(reason) => write!(
                f,
                "LLVM: {reason}; take parts of the program away until it links, and report the part that does not"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl Location {
    /// In the standard library, which the user does not look at?
    pub(crate) fn is_library(&self) -> bool {
        self.file.starts_with("/rustc/") || self.file.contains("library/core/src")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a program does that eBPF cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum DiagnosticKind {
    /// More than five arguments to a function that cannot be inlined.
    TooManyArguments,
    /// Floating point.
    FloatingPoint,
    /// A call through a pointer: `dyn`, or a function pointer.
    IndirectCall,
    /// `core::fmt`.
    Formatting,
    /// A function that is defined nowhere.
    Unresolved,
    /// A result wider than a register from a function that cannot be inlined.
    WideReturn,
    /// A function that calls itself.
    Recursion,
    /// A panic that can be reached.
    Panic,
    /// More than the 512 bytes of eBPF's stack.
    Stack,
    /// What LLVM's code generator refuses.
    Backend,
    /// A static that holds addresses, read in another way than by index.
    Addresses,
    /// What a map is to hold from the start and cannot.
    InitialValue,
}

impl DiagnosticKind {
    const ALL: [Self; 12] = [
        Self::TooManyArguments,
        Self::FloatingPoint,
        Self::IndirectCall,
        Self::Formatting,
        Self::Unresolved,
        Self::WideReturn,
        Self::Recursion,
        Self::Panic,
        Self::Stack,
        Self::Backend,
        Self::Addresses,
        Self::InitialValue,
    ];

    /// What happened and what to do about it.
    fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::TooManyArguments => (
                "a call with more than five arguments to a function that cannot be inlined",
                "pass a reference to a struct",
            ),
            Self::FloatingPoint => (
                "floating point",
                "count in integers, for instance in thousandths",
            ),
            Self::IndirectCall => (
                "a call through a pointer (`dyn` or a function pointer)",
                "use generics, or match on an enum",
            ),
            Self::Formatting => (
                "formatting with core::fmt",
                "use aya-log's macros, which format in user space",
            ),
            Self::Unresolved => (
                "a call of a function that is defined nowhere",
                "define it, or add the crate that does; the standard library has no place in eBPF",
            ),
            Self::WideReturn => (
                "a result wider than 8 bytes from a function that cannot be inlined",
                "return it through a `&mut` argument",
            ),
            Self::Recursion => (
                "a function that calls itself",
                "turn the recursion into a loop of a bounded number of turns",
            ),
            Self::Panic => (
                "a panic that can be reached",
                "handle the case, or allow panics",
            ),
            Self::Stack => (
                "more than 512 bytes on the stack",
                "keep large values in a per-CPU array map",
            ),
            Self::Addresses => (
                "a static that holds addresses, which the kernel does not fill in",
                "read it by an index alone, or let it hold the values: `[[u8; 8]; 2]` instead of `[&str; 2]`",
            ),
            Self::InitialValue => (
                "an initial value of the map that is neither a map nor a program of this object",
                "name a static with `#[map]`, or a function with a program's attribute by the program's name",
            ),
            Self::Backend => (
                "LLVM cannot translate this to eBPF",
                "write it in another way",
            ),
        }
    }

    pub(crate) fn from_raw(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == raw)
    }
}

/// One finding about the program, with the place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What it is.
    pub kind: DiagnosticKind,
    /// The function it is in, as the user wrote it.
    pub function: String,
    /// The place, if the debug information has it.
    pub location: Option<Location>,
    /// What exactly: the function called, the type, LLVM's words; may be empty.
    pub detail: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, cure) = self.kind.explain();
        write!(f, "{}: ", self.function)?;
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{what}")?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        write!(f, "; {cure}")
    }
}
