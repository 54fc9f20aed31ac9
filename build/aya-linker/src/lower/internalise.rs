//! Decides what stays visible: programs and the statics that the loader knows by name.

use crate::Options;
use crate::llvm::{Linkage, Session, Value};

/// Is it a program: a function with a section of its own?
pub(crate) fn is_program(function: Value) -> bool {
    let section = function.section();
    !section.is_empty() && section != ".text" && !section.starts_with(".text.")
}

/// Local linkage for everything else. All functions that are no programs go to `.text`: LLVM would
/// put those that are `cold` into a section that loaders do not look for.
pub(super) fn run(session: &Session, options: &Options) {
    let exported = |name: &String| {
        options
            .exports
            .as_ref()
            .is_none_or(|exports| exports.contains(name))
    };
    for function in session.definitions() {
        if !is_program(function) {
            function.set_linkage(Linkage::Internal);
            function.set_section(".text");
        }
    }
    for global in session.globals() {
        // linkage says what is needed
        if matches!(global.name().as_str(), "llvm.used" | "llvm.compiler.used") {
            global.delete_global();
        }
    }
    for global in session.globals() {
        let name = global.name();
        if global.is_declaration() || name.starts_with("llvm.") {
            continue;
        }
        let section = global.section();
        let for_loader = matches!(section.as_str(), "license" | "version" | "maps" | ".maps");
        let keep = global.is_external() && (exported(&name) || for_loader);
        if !keep {
            global.set_linkage(Linkage::Internal);
        }
    }
}

/// After optimisation: all constants share one section, which is one map for the loader. LLVM would
/// sort them by size and kind.
pub(super) fn gather_constants(session: &Session) {
    for global in session.globals() {
        if !global.is_declaration() && global.is_constant() && global.section().is_empty() {
            global.set_section(".rodata");
        }
    }
}
