//! Decides what stays visible: programs and the statics that the loader knows by name.

use crate::Options;
use crate::llvm::{Kind, Linkage, Session, Value};

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
        let keep = global.is_external() && !is_mangled(&name) && (exported(&name) || for_loader);
        if !keep {
            global.set_linkage(Linkage::Internal);
        }
    }
}

/// A name that the compiler made, as opposed to one that the user gave with `no_mangle`.
fn is_mangled(name: &str) -> bool {
    name.starts_with("_ZN") || name.starts_with("_R")
}

/// After optimisation: all constants share one section, which is one map for the loader; LLVM would
/// sort them by size and kind. The toolkit's own statics (`AYA_…`) go when nothing uses them.
pub(super) fn gather_statics(session: &Session) {
    for global in session.globals() {
        if global.is_declaration() {
            continue;
        }
        if global.name().starts_with("AYA_") && global.users().is_empty() {
            global.set_linkage(Linkage::Internal);
        }
        let plain = global
            .initializer()
            .is_some_and(|value| !holds_addresses(value));
        if global.is_constant() && global.section().is_empty() && plain {
            global.set_section(".rodata");
            global.make_address_significant();
        }
    }
}

/// Does a constant hold an address, which the loader would have to fill in?
fn holds_addresses(value: Value) -> bool {
    match value.kind() {
        Kind::Function | Kind::Variable => true,
        Kind::Aggregate | Kind::ConstantExpr => value.operands().into_iter().any(holds_addresses),
        _ => false,
    }
}
