//! `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp`, `strlen`: LLVM expands what is short in place; the
//! rest calls functions of ours, which are written in LLVM's text (`runtime/memory.ll`).
//!
//! After optimisation, so that no pass takes the loops in them for calls of themselves.

use super::{adopt, redirect};
use crate::llvm::{Session, Value};

/// As many instructions LLVM's eBPF code generator puts in place of a call.
const MOST_STORES: u64 = 128;

/// What the compiler calls, and what it gets.
const SYMBOLS: &[(&str, &str)] = &[
    ("memcpy", "__aya_memcpy"),
    ("memmove", "__aya_memmove"),
    ("memset", "__aya_memset"),
    ("memcmp", "__aya_memcmp"),
    ("bcmp", "__aya_memcmp"),
    ("strlen", "__aya_strlen"),
];

/// Intrinsics by the beginning of their names, and what takes their place.
const INTRINSICS: &[(&str, &str)] = &[
    ("llvm.memcpy.", "__aya_memcpy"),
    ("llvm.memmove.", "__aya_memmove"),
    ("llvm.memset.", "__aya_memset"),
];

/// Before optimisation: compiler-builtins' definitions give way to ours.
pub(super) fn forget_definitions(session: &Session) {
    for (symbol, _) in SYMBOLS {
        let Some(old) = session.function(symbol).filter(|old| !old.is_declaration()) else {
            continue;
        };
        old.set_name("");
        let new = session.add_function(symbol, old.content_type());
        old.replace_uses(new);
        old.delete_function();
    }
}

pub(super) fn run(session: &Session) -> Result<(), String> {
    adopt(session, "memory", include_str!("runtime/memory.ll"))?;
    for (symbol, ours) in SYMBOLS {
        if let Some(function) = session.function(symbol) {
            redirect(session, function, ours);
        }
    }
    for intrinsic in session.functions() {
        let name = intrinsic.name();
        let Some((_, ours)) = INTRINSICS
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
        else {
            continue;
        };
        for call in intrinsic.users() {
            if call.callee() == Some(intrinsic) {
                replace(session, call, ours);
            }
        }
    }
    Ok(())
}

/// Replaces one call of an intrinsic `(to, from or byte, length, volatile)`, unless LLVM expands it.
fn replace(session: &Session, call: Value, ours: &str) {
    let arguments = call.arguments();
    let &[to, second, length, _] = arguments.as_slice() else {
        return;
    };
    let is_fill = ours == "__aya_memset";
    let mut alignment = call.argument_alignment(0);
    if !is_fill {
        alignment = alignment.min(call.argument_alignment(1));
    }
    let words = alignment >= 8 && length.int().is_some_and(|length| length % 8 == 0);
    if length
        .int()
        .is_some_and(|length| length / alignment.min(8) <= MOST_STORES)
    {
        return;
    }
    let Some(function) = session.function(&format!("{ours}{}", if words { "8" } else { "" }))
    else {
        return;
    };
    let builder = session.before(call);
    let second = if is_fill {
        builder.int_cast(second, session.int_type(32), false)
    } else {
        second
    };
    let length = builder.int_cast(length, session.int_type(64), false);
    builder.call(function, &[to, second, length]);
    drop(builder);
    call.erase();
}
