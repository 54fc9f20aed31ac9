//! Panics leave the program.
//!
//! Before optimisation, every call from ordinary code into core's panic machinery (whatever ends in
//! the `#[panic_handler]`) becomes a call of a marker with the panic's `Location`, and what reaches a
//! marker is inlined into its program. The message and its formatting have no user left and disappear.
//! After optimisation each marker that survived becomes: log the place, return the safe value of the
//! program's type.

use std::collections::{HashMap, HashSet};

use aya_uapi::programs::match_section;

use super::internalise::is_program;
use super::log::Log;
use super::wide::force_inline;
use super::{Failure, Lowered, demangle};
use crate::error::{Diagnostic, DiagnosticKind, Location};
use crate::llvm::{Builder, Kind, Linkage, Opcode, Session, Type, TypeKind, Value};
use crate::{Options, Panics};

/// Stands for leaving the program; takes the address of the `Location`, or null.
const MARKER: &str = "__ebpf_panic";
/// What eBPF code calls to leave without a panic.
const ABORT: &str = "__ebpf_abort";
/// Logs a panic, where logging is linked in.
const LOGGER: &str = "__aya_log_panic";

/// Callbacks that end their loop when they return 1; all others return 0.
const STOPPABLE: &[u64] = &[
    164, // bpf_for_each_map_elem
    181, // bpf_loop
    209, // bpf_user_ringbuf_drain
];

fn is_handler(name: &str) -> bool {
    name.ends_with("rust_begin_unwind")
}

/// Is it core's own, as opposed to a function of the user's that never returns?
fn is_core(name: &str) -> bool {
    let path = demangle(name);
    let path = path.trim_start_matches('<');
    path.starts_with("core::") || path.starts_with("alloc::")
}

/// The machinery: the handler, what core keeps for panics, and those of core's functions that never
/// return and end there.
fn machinery(session: &Session) -> HashSet<Value> {
    let begins = |function: &Value| {
        let name = function.name();
        // the handler's body may have been inlined already, and core's functions left out
        is_handler(&name)
            || demangle(&name).starts_with("core::panicking::")
                && (function.is_declaration() || function.has_attribute("noreturn"))
    };
    let mut found: HashSet<Value> = session.functions().into_iter().filter(begins).collect();
    let mut pending: Vec<Value> = found.iter().copied().collect();
    while let Some(function) = pending.pop() {
        for caller in callers(function) {
            if caller.has_attribute("noreturn") && is_core(&caller.name()) && found.insert(caller) {
                pending.push(caller);
            }
        }
    }
    found
}

fn calls(function: Value) -> impl Iterator<Item = Value> {
    function
        .users()
        .into_iter()
        .filter(move |user| user.callee() == Some(function))
}

fn callers(function: Value) -> Vec<Value> {
    calls(function).map(Value::function).collect()
}

/// Before optimisation.
pub(super) fn mark(session: &Session) {
    let machinery = machinery(session);
    let traps = ["llvm.trap", "llvm.debugtrap", ABORT];
    let exits = machinery
        .iter()
        .copied()
        .chain(traps.iter().filter_map(|name| session.function(name)));
    let sites: Vec<Value> = exits
        .flat_map(|exit| calls(exit).collect::<Vec<_>>())
        .filter(|call| !machinery.contains(&call.function()))
        .collect();
    if sites.is_empty() {
        return;
    }
    let marker = session.add_function(
        MARKER,
        session.function_type(session.void_type(), &[session.pointer_type()]),
    );
    for attribute in ["noreturn", "nounwind", "cold"] {
        marker.add_attribute(session, attribute);
    }
    for site in sites {
        // `#[track_caller]` passes the location as the last argument
        let last = site
            .arguments()
            .last()
            .copied()
            .filter(|last| last.ty().kind() == TypeKind::Pointer);
        let place = last.unwrap_or_else(|| session.pointer_type().null());
        let call = session.before(site).call(marker, &[place]);
        // each place keeps a call of its own, so that its location stays a constant
        call.add_call_attribute(session, "nomerge");
        if site.ty().kind() != TypeKind::Void {
            site.replace_uses(site.ty().null());
        }
        site.erase();
    }
    let mut seen = HashSet::new();
    let mut pending = vec![marker];
    while let Some(function) = pending.pop() {
        for caller in callers(function) {
            // the logger stays a function of its own: it is called for every panic
            if !is_program(caller) && caller.name() != LOGGER && seen.insert(caller) {
                force_inline(session, caller);
                pending.push(caller);
            }
        }
    }
    if let Some(logger) = session.function(LOGGER) {
        // nothing calls it yet
        logger.set_linkage(Linkage::External);
    }
}

/// After optimisation.
pub(super) fn leave(
    session: &Session,
    options: &Options,
    log: &mut Log,
    lowered: &mut Lowered,
) -> Result<(), Failure> {
    let sites: Vec<Value> = session
        .function(MARKER)
        .map_or_else(Vec::new, |marker| calls(marker).collect());
    let logger = session
        .function(LOGGER)
        .filter(|logger| !logger.is_declaration());
    let mut ids: HashMap<(String, u32), u64> = HashMap::new();
    let (mut found, mut recursive) = (Vec::new(), Vec::new());
    for site in sites {
        let function = site.function();
        let place = site
            .arguments()
            .first()
            .and_then(|place| location(session, *place));
        let diagnostic = |kind| Diagnostic {
            kind,
            function: demangle(&function.name()),
            location: place.clone().or_else(|| site.location()),
            detail: String::new(),
        };
        let Some(value) = safe_value(function) else {
            recursive.push(diagnostic(DiagnosticKind::Recursion));
            continue;
        };
        if place.is_some() {
            found.push(diagnostic(DiagnosticKind::Panic));
        }
        let builder = session.instead_of_rest(site);
        if let (Some(logger), Some(place)) = (logger.filter(|logger| *logger != function), place) {
            let key = (place.file.clone(), place.line);
            let id = *ids.entry(key).or_insert_with(|| log.add_panic(&place));
            builder.call(logger, &[session.int_type(64).constant(id)]);
        }
        build_return(&builder, function.content_type().returns(), value);
    }
    if let Some(logger) = logger {
        logger.set_linkage(Linkage::Internal);
    }
    if !recursive.is_empty() {
        return Err(Failure::Program(recursive));
    }
    end_blocks(session);
    found.sort_by_key(|each| each.to_string());
    found.dedup();
    match options.panics {
        Panics::Leave => Ok(()),
        Panics::List => {
            lowered.warnings.extend(found);
            Ok(())
        }
        Panics::Refuse if found.is_empty() => Ok(()),
        Panics::Refuse => Err(Failure::Program(found)),
    }
}

/// Where code ends behind a call that does not return, the verifier still wants an exit.
fn end_blocks(session: &Session) {
    for function in session.definitions() {
        for block in function.blocks() {
            let Some(last) = block.last() else { continue };
            // an `unreachable` of its own is a promise about the branch to it, and stays
            if last.opcode() == Opcode::Unreachable && block.instructions().len() > 1 {
                let value = safe_value(function).unwrap_or(0);
                build_return(
                    &session.instead_of_rest(last),
                    function.content_type().returns(),
                    value,
                );
            }
        }
    }
}

fn build_return(builder: &Builder, ty: Type, value: i64) {
    match ty.kind() {
        TypeKind::Void => builder.return_void(),
        TypeKind::Integer if ty.bits() < 64 => {
            builder.return_value(ty.constant(value.cast_unsigned() & ((1 << ty.bits()) - 1)));
        }
        TypeKind::Integer => builder.return_value(ty.constant(value.cast_unsigned())),
        _ => builder.return_value(ty.null()),
    }
}

/// What a function returns when it gives up: programs by the table, callbacks so that their loop ends.
/// `None` for a function that returns to its caller.
fn safe_value(function: Value) -> Option<i64> {
    if is_program(function) {
        return Some(match_section(&function.section()).map_or(0, |found| found.safe()));
    }
    if function.name() == LOGGER {
        return Some(0);
    }
    let passed_to: Vec<Value> = function
        .users()
        .into_iter()
        .filter(|user| user.callee() != Some(function))
        .collect();
    if passed_to.is_empty() {
        return None;
    }
    let stoppable = passed_to.iter().any(|user| {
        user.callee()
            .and_then(helper)
            .is_some_and(|number| STOPPABLE.contains(&number))
    });
    Some(stoppable.into())
}

/// The number of the kernel's helper that a callee is: an address that is a small constant.
pub(super) fn helper(callee: Value) -> Option<u64> {
    let operand = (callee.kind() == Kind::ConstantExpr && callee.opcode() == Opcode::IntToPtr)
        .then(|| callee.operands().first().copied())?;
    operand?.int()
}

/// Reads a constant `core::panic::Location`: address and length of the file's name, line, column.
fn location(session: &Session, place: Value) -> Option<Location> {
    if place.kind() != Kind::Variable {
        return None;
    }
    let value = place.initializer()?;
    let bytes = session.bytes(value)?;
    let number = |range: std::ops::Range<usize>| {
        let mut number = [0; 8];
        let part = bytes.get(range)?;
        number.get_mut(..part.len())?.copy_from_slice(part);
        Some(u64::from_le_bytes(number))
    };
    let length = usize::try_from(number(8..16)?).ok()?;
    let line = u32::try_from(number(16..20)?).ok()?;
    let name = value
        .operands()
        .first()
        .copied()
        .filter(|name| name.kind() == Kind::Variable)?;
    let name = session.bytes(name.initializer()?)?;
    let file = String::from_utf8_lossy(name.get(..length)?)
        .trim_end_matches('\0')
        .to_owned();
    Some(Location { file, line })
}
