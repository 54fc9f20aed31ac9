//! Statics that hold addresses (`static NAMES: [&str; 2]`): the kernel fills none in, so they would be
//! zero. An address that is read from such a table becomes a choice by the place that is read
//! (`place == 0 ? a : place == 16 ? b : …`), and the table keeps what else it holds.
//!
//! After optimisation, which folds most tables away and also makes new ones, out of `match`.

use super::demangle;
use crate::error::{Diagnostic, DiagnosticKind};
use crate::llvm::{Builder, Kind, Opcode, Session, Type, TypeKind, Value};

/// As many addresses a table may choose from: each costs four instructions.
const MOST: usize = 64;
const WORD: u64 = 8;

/// What is known of an offset: it is `base` plus a multiple of `stride`.
#[derive(Clone, Copy, Default)]
struct Place {
    base: i64,
    stride: u64,
}

impl Place {
    fn may_be(self, offset: u64) -> bool {
        let distance = offset.cast_signed().wrapping_sub(self.base);
        match self.stride.cast_signed() {
            0 => distance == 0,
            stride => distance.rem_euclid(stride) == 0,
        }
    }

    /// Behind a `getelementptr`.
    fn after(mut self, session: &Session, step: Value) -> Self {
        let mut ty = step.source_element_type();
        for (position, index) in step.operands().into_iter().skip(1).enumerate() {
            let size = match (position, ty.kind()) {
                (0, _) => session.size_of(ty),
                (_, TypeKind::Array) => {
                    ty = ty.element();
                    session.size_of(ty)
                }
                // inside of a struct: anywhere
                _ => 1,
            };
            match index.int() {
                Some(index) if size != 1 || position == 0 => {
                    let distance = index.cast_signed().wrapping_mul(size.cast_signed());
                    self.base = self.base.wrapping_add(distance);
                }
                _ => self.stride = greatest_divisor(self.stride, size),
            }
        }
        self
    }
}

fn greatest_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A static with addresses: where, which, and what reads them.
#[derive(Default)]
struct Table {
    size: u64,
    addresses: Vec<(u64, Value)>,
    loads: Vec<(Value, Place)>,
    /// Uses that are no plain reading.
    others: Vec<Value>,
}

impl Table {
    fn read(session: &Session, global: Value) -> Option<Self> {
        let section = global.section();
        if global.is_declaration() || matches!(section.as_str(), ".maps" | ".aya.log") {
            return None;
        }
        let content = global.initializer()?;
        let mut table = Self {
            size: session.size_of(content.ty()),
            ..Self::default()
        };
        session.addresses(content, 0, &mut table.addresses);
        if table.addresses.is_empty() {
            return None;
        }
        table.follow(session, global, Place::default());
        if !global.is_constant() {
            let loads = std::mem::take(&mut table.loads);
            table.others.extend(loads.into_iter().map(|(load, _)| load));
        }
        let addresses = &table.addresses;
        let untold = table
            .loads
            .iter()
            .filter(|(load, place)| {
                let count = candidates(addresses, *place).count();
                let is_word = session.size_of(load.ty()) <= WORD;
                count > MOST || (count > 0 && !is_word)
            })
            .map(|(load, _)| *load);
        let untold: Vec<Value> = untold.collect();
        table.others.extend(untold);
        Some(table)
    }

    fn follow(&mut self, session: &Session, address: Value, place: Place) {
        for user in address.users() {
            match (user.kind(), user.opcode()) {
                // other statics are looked at for themselves
                (Kind::Aggregate | Kind::Variable, _) => {}
                (_, Opcode::GetElementPtr) => {
                    self.follow(session, user, place.after(session, user));
                }
                (_, Opcode::Load) => self.loads.push((user, place)),
                (Kind::Instruction, _) => self.others.push(user),
                // another constant expression
                _ => self.others.extend(user.users()),
            }
        }
    }

    /// Replaces one load by a choice among the addresses that it may read.
    fn choose(&self, session: &Session, table: Value, load: Value, place: Place) {
        let ty = load.ty();
        let is_word = ty.kind() == TypeKind::Pointer || ty.bits() == 64;
        let mut rest = candidates(&self.addresses, place);
        let (true, Some(&(_, first))) = (is_word, rest.next()) else {
            return;
        };
        let builder = session.before(load);
        let Some(address) = load.operands().first().copied() else {
            return;
        };
        let word = session.int_type(64);
        let offset = builder.difference(builder.number(address, word), builder.number(table, word));
        let only_addresses = place.stride.is_multiple_of(WORD)
            && (0..=self.size.saturating_sub(WORD))
                .filter(|&offset| place.may_be(offset))
                .all(|offset| self.addresses.iter().any(|each| each.0 == offset));
        let (mut result, rest): (Value, Vec<_>) = if only_addresses {
            (fit(&builder, first, ty), rest.collect())
        } else {
            let plain = builder.load(ty, address);
            (plain, candidates(&self.addresses, place).collect())
        };
        for &(at, value) in rest {
            let is_there = builder.equal(offset, word.constant(at));
            result = builder.select(is_there, fit(&builder, value, ty), result);
        }
        load.replace_uses(result);
        drop(builder);
        load.erase();
    }
}

fn candidates(
    addresses: &[(u64, Value)],
    place: Place,
) -> impl Iterator<Item = &(u64, Value)> + '_ {
    addresses.iter().filter(move |each| place.may_be(each.0))
}

/// An address as the load has it.
fn fit(builder: &Builder, address: Value, ty: Type) -> Value {
    if ty.kind() == TypeKind::Pointer {
        address
    } else {
        builder.number(address, ty)
    }
}

/// The user's name of a static; those without one are called `alloc_…` by rustc.
fn given_name(global: Value) -> String {
    let name = demangle(&global.name());
    // LLVM numbers the parts that it splits a static into
    let name = name.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit());
    let is_made = ["alloc_", "anon.", "switch.", ".L"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    if is_made {
        String::new()
    } else {
        name.to_owned()
    }
}

/// Replaces what can be; gives what cannot.
pub(super) fn run(session: &Session) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let globals = session.globals();
    for &global in &globals {
        let Some(table) = Table::read(session, global) else {
            continue;
        };
        for user in table.others {
            if user.kind() != Kind::Instruction {
                continue;
            }
            let new = Diagnostic {
                kind: DiagnosticKind::Addresses,
                function: demangle(&user.function().name()),
                location: user.location(),
                detail: given_name(global),
            };
            if !found.contains(&new) {
                found.push(new);
            }
        }
    }
    if !found.is_empty() {
        return found;
    }
    for global in globals {
        let Some(table) = Table::read(session, global).filter(|table| !table.loads.is_empty())
        else {
            continue;
        };
        let Some(bytes) = global.initializer().and_then(|value| session.bytes(value)) else {
            continue;
        };
        let content = session.byte_string(&bytes);
        let plain = session.add_global("", content.ty());
        plain.set_initializer(content);
        plain.set_alignment(8);
        plain.make_private_constant();
        global.replace_uses(plain);
        for &(load, place) in &table.loads {
            table.choose(session, plain, load, place);
        }
        let name = global.name();
        global.delete_global();
        plain.set_name(&name);
    }
    found
}
