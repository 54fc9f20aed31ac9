//! Names as the user wrote them, and names as LLVM can bear them.

use std::collections::HashSet;

use crate::llvm::{Session, Value};

/// What [`keep_apart`] adds to a name; [`original`] takes it off.
const APART: &str = "..symbol";

/// Before code generation: LLVM's assembler gives each section a symbol, and refuses another one of
/// that name (`fn xdp` in section `xdp`). `emit` restores the names.
pub(super) fn keep_apart(session: &Session) {
    let all: Vec<Value> = [session.functions(), session.globals()].concat();
    let sections: HashSet<String> = all.iter().map(|each| each.section()).collect();
    for each in all {
        let name = each.name();
        if !name.is_empty() && sections.contains(&name) {
            each.set_name(&format!("{name}{APART}"));
        }
    }
}

/// The name that [`keep_apart`] was given.
pub(crate) fn original(name: &str) -> &str {
    name.strip_suffix(APART).unwrap_or(name)
}

/// The readable form of a mangled name: path segments, without hash and generic arguments.
pub(crate) fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(original(name)))
}
