//! Finds what eBPF cannot do, after everything that could be optimised away is gone.

use std::collections::HashSet;

use super::wide::{ARGUMENTS, argument_registers, has_wide_result};
use super::{Failure, demangle, panics};
use crate::error::{Diagnostic, DiagnosticKind, Location};
use crate::llvm::{Kind, Session, TypeKind, Value};

/// What the loader replaces: a tracepoint's field, read by its name.
const FIELD: &str = "__aya_field:";

/// Formatting: core's, by the path of the function.
fn is_formatting(path: &str) -> bool {
    path.contains("core::fmt::") || path.contains("alloc::fmt::")
}

fn is_library(path: &str) -> bool {
    let path = path.trim_start_matches('<');
    path.starts_with("core::") || path.starts_with("alloc::")
}

/// `addresses` are findings about statics; those of tables for `dyn` only follow from others.
pub(super) fn run(session: &Session, addresses: Vec<Diagnostic>) -> Result<(), Failure> {
    let mut found = Vec::new();
    for function in session.definitions() {
        let name = demangle(&function.name());
        let about = |kind, detail: String| Diagnostic {
            kind,
            function: name.clone(),
            location: function.definition(),
            detail,
        };
        if argument_registers(function) > ARGUMENTS {
            found.push(about(
                DiagnosticKind::TooManyArguments,
                format!("{} registers", argument_registers(function)),
            ));
        }
        if has_wide_result(function) {
            found.push(about(DiagnosticKind::WideReturn, String::new()));
        }
        for instruction in function.instructions() {
            let judged = judge(instruction).or_else(|| {
                let callee = instruction.callee()?;
                reaches(callee, function).then(|| (DiagnosticKind::Recursion, String::new()))
            });
            let Some((kind, detail)) = judged else {
                continue;
            };
            found.push(Diagnostic {
                kind,
                function: name.clone(),
                location: instruction.location(),
                detail,
            });
        }
    }
    if found.is_empty() {
        found = addresses;
    }
    // inside of the library, the user's call that led there is what counts
    let formats = found
        .iter()
        .any(|each| each.kind == DiagnosticKind::Formatting);
    let in_library = |each: &Diagnostic| {
        is_library(&each.function) || each.location.as_ref().is_some_and(Location::is_library)
    };
    found.retain(|each| !(formats && in_library(each)));
    let mut told: Vec<Diagnostic> = Vec::new();
    for each in found {
        let same = |other: &Diagnostic| {
            other.kind == each.kind
                && other.location == each.location
                && other.function == each.function
        };
        if !told.iter().any(same) {
            told.push(each);
        }
    }
    if told.is_empty() {
        Ok(())
    } else {
        Err(Failure::Program(told))
    }
}

/// Does a function call the other one, directly or through others?
fn reaches(from: Value, to: Value) -> bool {
    let mut seen = HashSet::new();
    let mut pending = vec![from];
    while let Some(function) = pending.pop() {
        if function == to {
            return true;
        }
        if function.kind() == Kind::Function && seen.insert(function) {
            pending.extend(
                function
                    .instructions()
                    .into_iter()
                    .filter_map(Value::callee),
            );
        }
    }
    false
}

fn judge(instruction: Value) -> Option<(DiagnosticKind, String)> {
    let is_float = |value: Value| value.ty().kind() == TypeKind::Float;
    if is_float(instruction) || instruction.operands().into_iter().any(is_float) {
        return Some((DiagnosticKind::FloatingPoint, String::new()));
    }
    let callee = instruction.callee()?;
    match callee.kind() {
        Kind::Function => {
            let path = demangle(&callee.name());
            if is_formatting(&path) {
                return Some((DiagnosticKind::Formatting, path));
            }
            let by_loader = callee.section() == ".ksyms" || callee.name().starts_with(FIELD);
            let resolved = !callee.is_declaration() || callee.is_intrinsic() || by_loader;
            (!resolved).then_some((DiagnosticKind::Unresolved, path))
        }
        Kind::InlineAsm => None,
        _ if panics::helper(callee).is_some() => {
            let count = instruction.arguments().len();
            (count > ARGUMENTS).then(|| {
                (
                    DiagnosticKind::TooManyArguments,
                    format!("{count} to a helper"),
                )
            })
        }
        _ => Some((DiagnosticKind::IndirectCall, String::new())),
    }
}
