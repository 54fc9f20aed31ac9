//! Maps: a static of `aya_map_def<K, V>` in `maps` → a BTF definition in `.maps`, as libbpf and the
//! kernel's documentation describe it (a struct whose members are pointers: to the key's and value's
//! type, and to arrays whose lengths are the numbers).

use crate::llvm::{DebugBuilder, Linkage, Meta, Session, Value};

const OLD: &str = "maps";
const NEW: &str = ".maps";
/// How deep wrapper types may be.
const DEPTH: usize = 8;

/// The numbers at the beginning of `aya_map_def`.
struct Numbers {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    pinning: u32,
}

impl Numbers {
    fn read(bytes: &[u8]) -> Option<Self> {
        let word = |index: usize| {
            let bytes = bytes.get(index * 4..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        Some(Self {
            kind: word(0)?,
            key_size: word(1)?,
            value_size: word(2)?,
            max_entries: word(3)?,
            flags: word(4)?,
            pinning: word(6)?,
        })
    }
}

/// Rewrites all maps; the result names those that could not be read.
pub(super) fn run(session: &Session) -> Result<(), String> {
    let globals = session.globals();
    let debug = DebugBuilder::new(session);
    for global in globals {
        if global.is_declaration() {
            continue;
        }
        match global.section().as_str() {
            OLD => convert(session, &debug, global).ok_or_else(|| {
                format!(
                    "map {}: its initialiser is no constant definition",
                    global.name()
                )
            })?,
            NEW => unwrap(session, &debug, global),
            _ => {}
        }
    }
    Ok(())
}

fn convert(session: &Session, debug: &DebugBuilder<'_>, global: Value) -> Option<()> {
    let numbers = Numbers::read(&session.bytes(global.initializer()?)?)?;
    let definition = global.debug_type(session).and_then(|ty| {
        find(session, ty, DEPTH, &|ty| {
            ty.type_name().split('<').next() == Some("aya_map_def")
        })
    });
    let carried = |member: &str, size: u32| {
        let types = definition?.members(session);
        let array = types
            .into_iter()
            .find(|each| each.type_name() == member)?
            .base(session)?;
        let ty = array.base(session)?.base(session)?;
        (ty.size() == u64::from(size)).then_some(ty)
    };
    let int = debug.int();
    let number = |value: u32| debug.pointer(debug.array(int, value));
    let mut members = vec![("type", number(numbers.kind))];
    let names = [
        ("key", "key_size", numbers.key_size),
        ("value", "value_size", numbers.value_size),
    ];
    for (typed, sized, size) in names {
        match carried(typed, size) {
            _ if size == 0 => {}
            Some(ty) => members.push((typed, debug.pointer(ty))),
            None => members.push((sized, number(size))),
        }
    }
    let rest = [
        ("max_entries", numbers.max_entries),
        ("map_flags", numbers.flags),
        ("pinning", numbers.pinning),
    ];
    members.extend(
        rest.into_iter()
            .filter(|(_, value)| *value != 0)
            .map(|(name, value)| (name, number(value))),
    );

    let name = global.name();
    let ty = session.array_type(session.int_type(64), members.len() as u64);
    let map = session.add_global("", ty);
    map.set_initializer(ty.null());
    map.set_section(NEW);
    map.set_alignment(8);
    debug.describe(map, &name, debug.pointers(&members), global);
    global.replace_uses(map);
    global.delete_global();
    map.set_name(&name);
    map.set_linkage(Linkage::External);
    Some(())
}

/// A definition that the user wrote in BTF's own form: points the variable at the struct with the
/// definition, inside of wrapper types.
fn unwrap(session: &Session, debug: &DebugBuilder<'_>, global: Value) {
    global.set_linkage(Linkage::External);
    let is_definition = |ty: Meta| {
        ty.members(session)
            .iter()
            .any(|member| member.type_name() == "type")
    };
    let Some(outer) = global.debug_type(session) else {
        return;
    };
    if let Some(inner) = find(session, outer, DEPTH, &is_definition)
        && inner != outer
    {
        debug.describe(global, &global.name(), inner, global);
    }
}

/// The first type that `accept` takes: the type itself, or one inside of its members.
fn find(session: &Session, ty: Meta, depth: usize, accept: &dyn Fn(Meta) -> bool) -> Option<Meta> {
    if accept(ty) {
        return Some(ty);
    }
    let depth = depth.checked_sub(1)?;
    ty.members(session)
        .into_iter()
        .find_map(|member| find(session, member.base(session)?, depth, accept))
}
