//! The stages in order.

use std::path::{Path, PathBuf};

use crate::error::{Diagnostic, DiagnosticKind, Location};
use crate::llvm::{self, Session, isolate};
use crate::lower::{self, Failure, Lowered};
use crate::{Compiler, Error, Options, input, versions};

/// What linking gave besides the object.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// What the user should know.
    pub warnings: Vec<Diagnostic>,
}

/// Links bitcode into an eBPF object.
///
/// # Errors
/// See [`Error`]: each names the object or the function and says what to do.
pub fn link(inputs: &[PathBuf], output: &Path, options: &Options) -> Result<Report, Error> {
    let modules = input::read(inputs)?;
    let library = match &options.llvm {
        Some(path) => path.clone(),
        None => Compiler::ask(&options.rustc)?.llvm()?,
    };
    let answer =
        isolate::run(|| in_child(&modules, &library, options).encode()).map_err(last_words)?;
    match Answer::decode(&answer).ok_or_else(|| Error::Crash("garbled answer".to_owned()))? {
        Answer::Unusable(reason) => Err(Error::LlvmUnusable {
            path: library,
            reason,
        }),
        Answer::Unsupported(major) => Err(Error::LlvmUnsupported {
            path: library,
            major,
        }),
        Answer::Mismatch {
            input,
            producer,
            major,
        } => Err(Error::VersionMismatch {
            input: input.into(),
            producer,
            llvm: library,
            major,
        }),
        Answer::Failed { stage, message } => Err(Error::Llvm { stage, message }),
        Answer::Refused(diagnostics) => Err(Error::Program(diagnostics)),
        Answer::Object {
            object,
            log,
            warnings,
        } => {
            let object = crate::emit::finish(&object, &log)?;
            std::fs::write(output, object).map_err(|source| Error::Write {
                path: output.to_owned(),
                source,
            })?;
            Ok(Report { warnings })
        }
    }
}

/// What the child process tells its parent.
enum Answer {
    Unusable(String),
    Unsupported(u32),
    Mismatch {
        input: String,
        producer: String,
        major: u32,
    },
    Failed {
        stage: String,
        message: String,
    },
    Refused(Vec<Diagnostic>),
    Object {
        object: Vec<u8>,
        log: Vec<u8>,
        warnings: Vec<Diagnostic>,
    },
}

fn in_child(modules: &[input::Bitcode], library: &Path, options: &Options) -> Answer {
    let major = match llvm::open(library, |major| versions::find(major).is_some()) {
        Ok(major) => major,
        Err(reason) => return Answer::Unusable(reason),
    };
    let Some(version) = versions::find(major) else {
        return Answer::Unsupported(major);
    };
    isolate::catch_fatal_errors();
    for module in modules {
        if let Some(producer) = module.producer()
            && let Some(wrote) = producer.strip_prefix("LLVM")
            && wrote.split('.').next() != Some(major.to_string().as_str())
        {
            return Answer::Mismatch {
                input: module.path.display().to_string(),
                producer,
                major,
            };
        }
    }
    match compile(modules, version, options) {
        Ok((object, lowered)) => Answer::Object {
            object,
            log: lowered.log,
            warnings: lowered.warnings,
        },
        Err(Failure::Llvm(stage, message)) => Answer::Failed {
            stage: stage.to_owned(),
            message,
        },
        Err(Failure::Program(diagnostics)) => Answer::Refused(diagnostics),
    }
}

fn compile(
    modules: &[input::Bitcode],
    version: &versions::Version,
    options: &Options,
) -> Result<(Vec<u8>, Lowered), Failure> {
    let read = lower::stage("reading the bitcode");
    let mut session: Option<Session> = None;
    for module in modules {
        let name = module.path.to_string_lossy();
        match &session {
            None => session = Some(Session::new(&name, &module.bytes).map_err(&read)?),
            Some(session) => session.merge(&name, &module.bytes).map_err(&read)?,
        }
    }
    let session = session.ok_or_else(|| read("no module".to_owned()))?;
    let compiled_for = session.triple();
    let foreign = !compiled_for.starts_with("bpf");
    let triple = if compiled_for.starts_with("bpfeb") {
        "bpfeb"
    } else {
        "bpfel"
    };
    let (cpu, arguments) = match options.cpu.as_deref() {
        Some(cpu) => (cpu, [].as_slice()),
        None => ("v4", version.baseline),
    };
    session
        .create_machine(triple, cpu, "", arguments)
        .map_err(lower::stage("choosing the CPU"))?;
    let lowered = lower::lower(&session, triple, foreign, options)?;
    if let Some(path) = &options.emit_ir {
        session
            .print(path)
            .map_err(lower::stage("writing the IR"))?;
    }
    session
        .verify()
        .map_err(lower::stage("checking the module"))?;
    let object = session.emit().map_err(lower::stage("generating code"))?;
    let reports = session.take_reports();
    if reports.is_empty() {
        return Ok((object, lowered));
    }
    Err(Failure::Program(findings(&reports)))
}

/// LLVM's errors, one a function and kind of trouble: it repeats itself for each instruction.
fn findings(reports: &[String]) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for new in reports.iter().map(|report| backend(report)) {
        let same = |old: &&mut Diagnostic| old.function == new.function && old.detail == new.detail;
        match found.iter_mut().find(same) {
            None => found.push(new),
            // line 0 is code that the compiler made
            Some(old) if old.location.as_ref().is_none_or(|place| place.line == 0) => *old = new,
            Some(_) => {}
        }
    }
    found
}

/// LLVM's words: `<file>:<line>:<column>: in function <name> <type>: <what>`.
fn backend(report: &str) -> Diagnostic {
    let (place, rest) = report.split_once(": in function ").unwrap_or(("", report));
    let function = rest.split([' ', ':']).next().unwrap_or_default();
    let is_stack = rest.contains("BPF stack limit");
    let detail = rest.rsplit_once(": ").map_or(rest, |(_, detail)| detail);
    Diagnostic {
        kind: if is_stack {
            DiagnosticKind::Stack
        } else {
            DiagnosticKind::Backend
        },
        function: lower::demangle(function),
        location: place_of(place),
        detail: if is_stack {
            String::new()
        } else {
            detail.trim().to_owned()
        },
    }
}

/// `<file>:<line>:<column>`.
fn place_of(text: &str) -> Option<Location> {
    let mut parts = text.rsplitn(3, ':');
    let (_, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Location {
        file: file.to_owned(),
        line: line.parse().ok()?,
    })
}

/// LLVM's last words. Where it could not translate an operation they are
/// `Cannot select: …, <place> @[ <place of the caller> @[ … ] ]`, further lines, and
/// `In function: <name>`.
fn last_words(text: String) -> Error {
    let function = text
        .lines()
        .find_map(|line| line.strip_prefix("In function: "));
    let (Some(function), Some(operation)) = (function, text.strip_prefix("Cannot select: ")) else {
        return Error::Crash(text);
    };
    let operation = operation.lines().next().unwrap_or_default();
    let places = operation.rsplit_once(", ").map_or("", |(_, places)| places);
    let places: Vec<Location> = places
        .split(['@', '[', ']', ' '])
        .filter_map(place_of)
        .collect();
    let user = places
        .iter()
        .find(|place| !place.is_library())
        .or(places.first());
    Error::Program(vec![Diagnostic {
        kind: DiagnosticKind::Backend,
        function: lower::demangle(function.trim()),
        location: user.cloned(),
        detail: operation
            .split_once(" = ")
            .map_or(operation, |(_, what)| what)
            .to_owned(),
    }])
}

impl Answer {
    fn encode(&self) -> Vec<u8> {
        let mut fields: Vec<Vec<u8>> = Vec::new();
        match self {
            Self::Unusable(reason) => {
                fields.extend([b"unusable".to_vec(), reason.clone().into_bytes()])
            }
            Self::Unsupported(major) => {
                fields.extend([b"unsupported".to_vec(), major.to_string().into_bytes()])
            }
            Self::Mismatch {
                input,
                producer,
                major,
            } => fields.extend([
                b"mismatch".to_vec(),
                input.clone().into_bytes(),
                producer.clone().into_bytes(),
                major.to_string().into_bytes(),
            ]),
            Self::Failed { stage, message } => {
                fields.extend([
                    b"failed".to_vec(),
                    stage.clone().into_bytes(),
                    message.clone().into_bytes(),
                ]);
            }
            Self::Refused(diagnostics) => {
                fields.push(b"refused".to_vec());
                encode_diagnostics(diagnostics, &mut fields);
            }
            Self::Object {
                object,
                log,
                warnings,
            } => {
                fields.extend([b"object".to_vec(), object.clone(), log.clone()]);
                encode_diagnostics(warnings, &mut fields);
            }
        }
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend(field.len().to_le_bytes());
            bytes.extend(field);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut fields = std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk()?;
            let (field, tail) = tail.split_at_checked(usize::from_le_bytes(*length))?;
            rest = tail;
            Some(field)
        });
        let kind = fields.next()?;
        let mut text = || Some(String::from_utf8_lossy(fields.next()?).into_owned());
        Some(match kind {
            b"unusable" => Self::Unusable(text()?),
            b"unsupported" => Self::Unsupported(text()?.parse().ok()?),
            b"mismatch" => Self::Mismatch {
                input: text()?,
                producer: text()?,
                major: text()?.parse().ok()?,
            },
            b"failed" => Self::Failed {
                stage: text()?,
                message: text()?,
            },
            b"refused" => Self::Refused(decode_diagnostics(&mut fields)?),
            b"object" => {
                let (object, log) = (fields.next()?.to_vec(), fields.next()?.to_vec());
                Self::Object {
                    object,
                    log,
                    warnings: decode_diagnostics(&mut fields)?,
                }
            }
            _ => return None,
        })
    }
}

fn encode_diagnostics(diagnostics: &[Diagnostic], fields: &mut Vec<Vec<u8>>) {
    for diagnostic in diagnostics {
        let (file, line) = match &diagnostic.location {
            Some(location) => (location.file.clone(), location.line),
            None => (String::new(), 0),
        };
        fields.extend([
            vec![diagnostic.kind as u8],
            diagnostic.function.clone().into_bytes(),
            file.into_bytes(),
            line.to_string().into_bytes(),
            diagnostic.detail.clone().into_bytes(),
        ]);
    }
}

fn decode_diagnostics<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    while let Some(kind) = fields.next() {
        let kind = DiagnosticKind::from_raw(*kind.first()?)?;
        let mut text = || Some(String::from_utf8_lossy(fields.next()?).into_owned());
        let (function, file, line, detail) = (text()?, text()?, text()?.parse().ok()?, text()?);
        let location = (!file.is_empty()).then_some(Location { file, line });
        diagnostics.push(Diagnostic {
            kind,
            function,
            location,
            detail,
        });
    }
    Some(diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_name_the_users_line() {
        let text = "Cannot select: 0x1: i32,ch = AtomicLoadUMax<(load)> 0x2, Constant:i32<7>, \
            library/core/src/sync/atomic.rs:4192:23 @[ main.rs:10:19 ]\n  0x2: more\nIn function: program";
        let Error::Program(found) = last_words(text.to_owned()) else {
            panic!("a finding")
        };
        let shown = found.first().map(ToString::to_string).unwrap_or_default();
        assert!(shown.starts_with("program: main.rs:10: "), "{shown}");
        assert!(matches!(last_words("bad".to_owned()), Error::Crash(_)));
    }

    #[test]
    fn repeated_reports_are_one() {
        let report = |line: u32| {
            format!(
                "a.rs:{line}:1: in function f i64 (ptr): Looks like the BPF stack limit is exceeded."
            )
        };
        let found = findings(&[report(0), report(7), report(7)]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found
                .first()
                .and_then(|each| each.location.as_ref())
                .map(|place| place.line),
            Some(7)
        );
        assert_eq!(
            found.first().map(|each| each.kind),
            Some(DiagnosticKind::Stack)
        );
    }
}
