//! Inlines what a subprogram of eBPF cannot be: it has five argument registers and one for the result.

use crate::llvm::{Session, Value};

/// The argument registers of eBPF.
pub(super) const ARGUMENTS: usize = 5;

pub(super) fn has_wide_result(function: Value) -> bool {
    function.content_type().returns().registers() > 1
}

pub(super) fn argument_registers(function: Value) -> usize {
    function
        .content_type()
        .parameters()
        .into_iter()
        .map(|each| each.registers())
        .sum()
}

/// Marks functions with a result wider than a register or with too many arguments for inlining. What
/// cannot be inlined all the same (it calls itself, or its address is taken) is found by the check
/// after optimisation.
pub(super) fn run(session: &Session) {
    for function in session.definitions() {
        if has_wide_result(function) || argument_registers(function) > ARGUMENTS {
            force_inline(session, function);
        }
    }
}

/// Inlines a function wherever it is called, whatever its author said.
pub(super) fn force_inline(session: &Session, function: Value) {
    for attribute in ["noinline", "optnone", "cold", "minsize", "optsize"] {
        function.remove_attribute(attribute);
    }
    function.add_attribute(session, "alwaysinline");
    for user in function.users() {
        if user.callee() == Some(function) {
            user.remove_call_attribute("noinline");
        }
    }
}
