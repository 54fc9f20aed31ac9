//! Maps: a static of `aya_map_def<K, V, C>` in `maps` → a BTF definition in `.maps`, as libbpf and the
//! kernel's documentation describe it (a struct whose members are pointers: to the key's and value's
//! type, and to arrays whose lengths are the numbers).
//!
//! What a map holds from the start follows as addresses of other maps or of programs, behind a last
//! member `values`: an array without a length, of pointers to the inner maps' definition or to functions.

use super::internalise::is_program;
use super::{Failure, demangle, stage};
use crate::error::{Diagnostic, DiagnosticKind};
use crate::llvm::{DebugBuilder, Kind, Linkage, Meta, Session, Value};

const OLD: &str = "maps";
const NEW: &str = ".maps";
/// How deep wrapper types may be.
const DEPTH: usize = 8;

/// Where `aya_map_def` has its content: the address and number of the initial values.
const CONTENT: u64 = 40;
/// Where the content has the definition of the inner maps.
const INNER: usize = CONTENT as usize + 16;

/// The kernel's numbers of the types that can hold something from the start.
const PROG_ARRAY: u32 = 3;
const OF_MAPS: [u32; 2] = [12, 13];

/// The numbers at the beginning of `aya_map_def`.
struct Numbers {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    numa_node: u32,
    pinning: u32,
    extra: u64,
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
            numa_node: word(5)?,
            pinning: word(6)?,
            // the seventh aligns
            extra: u64::from(word(8)?) | u64::from(word(9)?) << 32,
        })
    }
}

/// Rewrites all maps; fails for those that cannot be read or filled.
pub(super) fn run(session: &Session) -> Result<(), Failure> {
    let debug = DebugBuilder::new(session);
    let (mut maps, mut found) = (Vec::new(), Vec::new());
    for global in session.globals() {
        if global.is_declaration() {
            continue;
        }
        match global.section().as_str() {
            OLD => {
                let map = Map::read(session, global).ok_or_else(|| {
                    let name = global.name();
                    stage("converting maps")(format!(
                        "map {name}: its initialiser is no constant definition"
                    ))
                })?;
                found.extend(map.strangers(session));
                maps.push(map);
            }
            NEW => unwrap(session, &debug, global),
            _ => {}
        }
    }
    // libbpf creates maps in the section's order and fills each at once, so those that hold others
    // come behind these
    maps.sort_by_key(|map| map.inner.is_some());
    for map in maps {
        map.convert(session, &debug);
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Failure::Program(found))
    }
}

/// A map's static, read.
struct Map {
    global: Value,
    numbers: Numbers,
    definition: Option<Meta>,
    /// The inner maps' definition: its numbers and type.
    inner: Option<(Numbers, Option<Meta>)>,
}

impl Map {
    fn read(session: &Session, global: Value) -> Option<Self> {
        let initializer = global.initializer()?;
        let bytes = session.bytes(initializer)?;
        let numbers = Numbers::read(&bytes)?;
        let definition = global
            .debug_type(session)
            .and_then(|ty| definition_in(session, ty));
        let inner = if OF_MAPS.contains(&numbers.kind) {
            let ty = definition
                .and_then(|ty| member(session, ty, "content"))
                .and_then(|ty| member(session, ty, "inner"))
                .and_then(|ty| definition_in(session, ty));
            Some((Numbers::read(bytes.get(INNER..)?)?, ty))
        } else {
            None
        };
        initial_values(session, initializer)?;
        Some(Self {
            global,
            numbers,
            definition,
            inner,
        })
    }

    /// What it holds from the start, by index. Maps among it change their place when they are
    /// converted.
    fn values(&self, session: &Session) -> Vec<Option<Value>> {
        let initializer = self.global.initializer();
        initializer
            .and_then(|initializer| initial_values(session, initializer))
            .unwrap_or_default()
    }

    /// The initial values that no loader could put into the map.
    fn strangers(&self, session: &Session) -> impl Iterator<Item = Diagnostic> + '_ {
        let is_known = |value: &Value| match value.kind() {
            _ if value.is_declaration() => false,
            Kind::Function => is_program(*value),
            Kind::Variable => matches!(value.section().as_str(), OLD | NEW),
            _ => false,
        };
        let values = self.values(session).into_iter().flatten();
        values
            .filter(move |value| !is_known(value))
            .map(|value| Diagnostic {
                kind: DiagnosticKind::InitialValue,
                function: self.global.name(),
                location: None,
                detail: demangle(&value.name()),
            })
    }

    fn convert(self, session: &Session, debug: &DebugBuilder<'_>) {
        let mut members = members(session, debug, &self.numbers, self.definition);
        let null = session.pointer_type().null();
        let mut slots = vec![null; members.len()];
        let values = self.values(session);
        slots.extend(values.iter().map(|value| value.unwrap_or(null)));
        let element = match self.inner {
            Some((numbers, ty)) => {
                Some(debug.structure(&self::members(session, debug, &numbers, ty)))
            }
            None if self.numbers.kind == PROG_ARRAY && !values.is_empty() => {
                Some(debug.function(debug.int()))
            }
            None => None,
        };
        if let Some(element) = element {
            members.push(("values", debug.array(debug.pointer(element), 0)));
        }

        let global = self.global;
        let name = global.name();
        let content = session.address_list(&slots);
        let map = session.add_global("", content.ty());
        map.set_initializer(content);
        map.set_section(NEW);
        map.set_alignment(8);
        debug.describe(map, &name, debug.structure(&members), global);
        global.replace_uses(map);
        global.delete_global();
        map.set_name(&name);
        map.set_linkage(Linkage::External);
    }
}

/// What the content of a definition points to; `None` where that is no constant list.
fn initial_values(session: &Session, definition: Value) -> Option<Vec<Option<Value>>> {
    const SLOT: u64 = 8;
    let mut addresses = Vec::new();
    session.addresses(definition, 0, &mut addresses);
    let Some(&(_, list)) = addresses.iter().find(|each| each.0 == CONTENT) else {
        return Some(Vec::new());
    };
    if list.kind() != Kind::Variable {
        return None;
    }
    let list = list.initializer()?;
    let mut values = vec![None; usize::try_from(session.size_of(list.ty()) / SLOT).ok()?];
    let mut addresses = Vec::new();
    session.addresses(list, 0, &mut addresses);
    for (offset, value) in addresses {
        *values.get_mut(usize::try_from(offset / SLOT).ok()?)? = Some(value);
    }
    Some(values)
}

/// What a definition says without its content.
fn members(
    session: &Session,
    debug: &DebugBuilder<'_>,
    numbers: &Numbers,
    definition: Option<Meta>,
) -> Vec<(&'static str, Meta)> {
    let carried = |name: &str, size: u32| {
        let array = member(session, definition?, name)?;
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
    let types = names.map(|(typed, _, size)| carried(typed, size));
    // the kernel takes no key's type without the value's
    let untyped = numbers.value_size != 0 && types[1].is_none();
    for ((typed, sized, size), ty) in names.into_iter().zip(types) {
        match ty {
            _ if size == 0 => {}
            Some(ty) if !untyped => members.push((typed, debug.pointer(ty))),
            _ => members.push((sized, number(size))),
        }
    }
    let rest = [
        ("max_entries", numbers.max_entries),
        ("map_flags", numbers.flags),
        ("numa_node", numbers.numa_node),
        ("pinning", numbers.pinning),
    ];
    members.extend(
        rest.into_iter()
            .filter(|(_, value)| *value != 0)
            .map(|(name, value)| (name, number(value))),
    );
    match (numbers.extra, u32::try_from(numbers.extra)) {
        (0, _) => {}
        (_, Ok(extra)) => members.push(("map_extra", number(extra))),
        // no array is as long
        (extra, Err(_)) => members.push(("map_extra", debug.enumeration("map_extra", extra))),
    }
    members
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

/// The type of the definition in a wrapper type.
fn definition_in(session: &Session, ty: Meta) -> Option<Meta> {
    find(session, ty, DEPTH, &|ty| {
        ty.type_name().split('<').next() == Some("aya_map_def")
    })
}

/// The type of a struct's member.
fn member(session: &Session, ty: Meta, name: &str) -> Option<Meta> {
    ty.members(session)
        .into_iter()
        .find(|each| each.type_name() == name)?
        .base(session)
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
