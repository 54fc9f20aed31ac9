//! `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp`, `strlen`: LLVM expands what is short in place; the
//! rest calls functions of ours, which are written in LLVM's text (`runtime/memory.ll`).
//!
//! After optimisation, so that no pass takes the loops in them for calls of themselves.

use super::{adopt, redirect};
use crate::llvm::{Kind, Opcode, Session, Value};

/// As many instructions LLVM's eBPF code generator puts in place of a call.
const MOST_STORES: u64 = 128;

/// Bytes that one instruction moves at most.
const WORD: u64 = 8;

/// Ours return nothing: a function must not return the address of its caller's stack.
const RETURN_THEIR_FIRST: &[&str] = &["memcpy", "memmove", "memset"];

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
            if RETURN_THEIR_FIRST.contains(symbol) {
                for call in calls(function) {
                    if let Some(to) = call.arguments().first() {
                        call.replace_uses(*to);
                    }
                }
            }
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
        for call in calls(intrinsic) {
            replace(session, call, ours);
        }
    }
    Ok(())
}

/// The calls of a function, as opposed to other uses.
fn calls(function: Value) -> impl Iterator<Item = Value> {
    let users = function.users().into_iter();
    users.filter(move |user| user.callee() == Some(function))
}

/// The alignment of what a call writes. The code generator places variables on the stack as suits it.
fn alignment_of_target(call: Value, to: Value) -> u64 {
    if to.kind() == Kind::Instruction && to.opcode() == Opcode::Alloca {
        WORD
    } else {
        call.argument_alignment(0)
    }
}

/// Replaces one call of an intrinsic `(to, from or byte, length, volatile)`, unless LLVM expands it.
fn replace(session: &Session, call: Value, ours: &str) {
    let arguments = call.arguments();
    let &[to, second, length, _] = arguments.as_slice() else {
        return;
    };
    let is_fill = ours == "__aya_memset";
    let mut aligned = alignment_of_target(call, to).min(WORD);
    if !is_fill {
        aligned = aligned.min(call.argument_alignment(1));
    }
    if length
        .int()
        .is_some_and(|length| length / aligned <= MOST_STORES)
    {
        return;
    }
    // What is promised, not what the code generator may choose.
    let promised = match is_fill {
        true => call.argument_alignment(0),
        false => call.argument_alignment(0).min(call.argument_alignment(1)),
    };
    let words = promised >= WORD && length.int().is_some_and(|length| length % WORD == 0);
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
