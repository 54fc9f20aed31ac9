//! Stage 1: the command line, as rustc's `bpf` linker flavour writes it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Error, Options, Panics};

/// A link as the command line asks for it.
#[derive(Debug)]
pub struct Command {
    /// Files with bitcode.
    pub inputs: Vec<PathBuf>,
    /// The object to write.
    pub output: PathBuf,
    /// How.
    pub options: Options,
}

/// How the command line goes.
pub const USAGE: &str = "\
usage: aya-linker [OPTIONS] -o OUTPUT INPUT...

Links bitcode (LLVM bitcode, archives, ELF objects with .llvmbc) into an eBPF object.

  -o, --output FILE        the object to write
      --export-symbols FILE  statics that stay visible, one name a line
      --cpu CPU            v1, v2, v3, v4; default: runs on every kernel from 5.10
      --arch ARCH          the kernel's architecture (x86_64, aarch64, ...); default: this machine's
      --panics leave|list|refuse
                           what to do with panics that can be reached
      --llvm FILE          the LLVM library, instead of the one of $RUSTC
      --emit-ir FILE       write the final module as text
      @FILE                read arguments from the file, one a line
      -h, --help           this text
      -V, --version        the version

What rustc says besides (-L DIR, -O3, --debug, ...) has no effect.";

/// Reads a command line, without the program's name.
///
/// # Errors
/// [`Error::Usage`]; [`Error::Read`] for the files that the command line names.
///
/// ```
/// let command = aya_linker::cli::parse(["-o", "out.o", "--cpu", "v3", "in.bc"].map(Into::into))?;
/// assert_eq!(command.options.cpu.as_deref(), Some("v3"));
/// assert_eq!(command.inputs.len(), 1);
/// # Ok::<(), aya_linker::Error>(())
/// ```
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let mut words = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(file) => words.extend(lines(file.into())?.into_iter().map(OsString::from)),
            None => words.push(argument),
        }
    }
    let mut words = words.into_iter();
    let (mut inputs, mut output, mut options) = (Vec::new(), None, Options::default());
    while let Some(word) = words.next() {
        let flag = word.to_str().unwrap_or_default().to_owned();
        let mut value = || {
            words
                .next()
                .ok_or_else(|| Error::Usage(format!("{flag} needs a value; see --help")))
        };
        match flag.as_str() {
            "-o" | "--output" => output = Some(PathBuf::from(value()?)),
            "--export-symbols" => options.exports = Some(lines(value()?.into())?),
            "--cpu" => {
                let cpu = value()?.to_string_lossy().into_owned();
                // what rustc says when nobody chose one
                options.cpu = (!cpu.is_empty() && cpu != "generic").then_some(cpu);
            }
            "--arch" => options.arch = value()?.to_string_lossy().into_owned(),
            "--panics" => {
                options.panics = match value()?.to_str() {
                    Some("leave") => Panics::Leave,
                    Some("list") => Panics::List,
                    Some("refuse") => Panics::Refuse,
                    _ => {
                        return Err(Error::Usage(
                            "--panics takes leave, list or refuse".to_owned(),
                        ));
                    }
                }
            }
            "--llvm" => options.llvm = Some(value()?.into()),
            "--emit-ir" => options.emit_ir = Some(value()?.into()),
            "-L" | "-m" | "-z" | "--target" => {
                value()?;
            }
            other if other.starts_with('-') => {}
            _ => inputs.push(PathBuf::from(word)),
        }
    }
    let output = output.ok_or_else(|| Error::Usage("no output; add -o FILE".to_owned()))?;
    if inputs.is_empty() {
        return Err(Error::Usage(
            "no input; name a file with bitcode".to_owned(),
        ));
    }
    Ok(Command {
        inputs,
        output,
        options,
    })
}

/// The lines of a file, without the quotes that response files have around them.
fn lines(path: PathBuf) -> Result<Vec<String>, Error> {
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
    let lines = text
        .lines()
        .map(|line| line.trim().trim_matches('"').to_owned());
    Ok(lines.filter(|line| !line.is_empty()).collect())
}
