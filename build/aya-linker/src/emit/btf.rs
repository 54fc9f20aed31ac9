//! Makes BTF what the kernel takes, and small.
//!
//! rustc's debug information is richer than BTF: names with `<`, `&` or `{`, members in any order, a
//! `char` that BTF has no kind for. The kernel refuses the whole table for one of them
//! (`kernel/bpf/btf.c`), and loaders go on without it.

use std::collections::{HashMap, HashSet};

use aya_obj::Endianness;
use aya_obj::btf::{
    Btf, BtfError, BtfExt, FuncLinkage, IntEncoding, Kind, LineInfo, Name, SectionRecords, Struct,
    TypeId,
};

use crate::lower::original;

/// The kernel's limit for names of the older versions, `KSYM_NAME_LEN`, with its zero.
const LONGEST: usize = 127;

/// What the rest of the object says about a section.
#[derive(Default)]
pub(super) struct Section {
    pub(super) size: u32,
    /// Functions by offset: is the symbol a local one?
    pub(super) functions: HashMap<u32, bool>,
}

/// Reads, repairs and writes both sections; the second is empty where there is no code. The bytes have
/// their relocations applied.
pub(super) fn repair(
    btf: &[u8],
    ext: &[u8],
    endian: Endianness,
    sections: &HashMap<String, Section>,
) -> Result<(Vec<u8>, Vec<u8>), BtfError> {
    let mut btf = Btf::parse(btf)?;
    let mut ext = if ext.is_empty() {
        BtfExt::default()
    } else {
        BtfExt::parse(ext, &btf)?
    };
    set_linkage(&mut btf, &ext, sections);
    let roots = fill_datasecs(&mut btf, sections);
    let fixed: HashSet<TypeId> = ext
        .core_relo
        .iter()
        .flat_map(|each| &each.records)
        .map(|each| each.ty)
        .collect();
    repair_types(&mut btf, &fixed);
    shorten_lines(&mut btf, &mut ext);
    btf.retain(roots, &mut ext);
    let about_code = if ext == BtfExt::default() {
        Vec::new()
    } else {
        ext.write(endian)?
    };
    Ok((btf.write(endian)?, about_code))
}

/// Functions are linked as their symbols are: the verifier looks at global ones on their own, without
/// knowing what their callers pass.
fn set_linkage(btf: &mut Btf, ext: &BtfExt, sections: &HashMap<String, Section>) {
    for part in &ext.func_info {
        let Some(section) = sections.get(btf.name(part.section)) else {
            continue;
        };
        for record in &part.records {
            let Some(&local) = section.functions.get(&record.offset) else {
                continue;
            };
            if let Some(Kind::Func { linkage, .. }) = btf.get_mut(record.ty).map(|ty| &mut ty.kind)
            {
                *linkage = if local {
                    FuncLinkage::STATIC
                } else {
                    FuncLinkage::GLOBAL
                };
            }
        }
    }
}

/// Sizes and order of sections of data; gives those that the object has. Only variables that user
/// space can name stay.
fn fill_datasecs(btf: &mut Btf, sections: &HashMap<String, Section>) -> Vec<TypeId> {
    let ids: Vec<TypeId> = btf.iter().map(|(id, _)| id).collect();
    let mut kept = Vec::new();
    for id in ids {
        let size = sections.get(btf.type_name(id)).map(|section| section.size);
        let is_extern = matches!(btf.type_name(id), ".ksyms" | ".kconfig");
        let Some(Kind::Datasec { size: total, vars }) = btf.get_mut(id).map(|ty| &mut ty.kind)
        else {
            continue;
        };
        if vars.is_empty() || (size.is_none() && !is_extern) {
            continue;
        }
        if let Some(size) = size {
            *total = size;
            vars.sort_by_key(|var| var.offset);
        }
        kept.push(id);
    }
    kept
}

fn repair_types(btf: &mut Btf, fixed: &HashSet<TypeId>) {
    let ids: Vec<TypeId> = btf.iter().map(|(id, _)| id).collect();
    let name = btf.intern("u32");
    let word = btf.add(
        name,
        Kind::Int {
            size: 4,
            encoding: IntEncoding::UNSIGNED,
            offset: 0,
            bits: 32,
        },
    );
    for id in ids {
        let Some(mut ty) = btf.get(id).cloned() else {
            continue;
        };
        if !matches!(ty.kind, Kind::Datasec { .. }) {
            ty.name = legal(btf, ty.name);
        }
        let needs_name = matches!(
            ty.kind,
            Kind::Int { .. }
                | Kind::Float { .. }
                | Kind::Typedef(_)
                | Kind::Var { .. }
                | Kind::Func { .. }
                | Kind::Fwd { .. }
        );
        if needs_name && ty.name.is_none() {
            ty.name = btf.intern("_");
        }
        match &mut ty.kind {
            // `()`
            Kind::Int { size: 0, .. } => ty.kind = Kind::Struct(Struct::default()),
            Kind::Struct(body) => {
                for member in &mut body.members {
                    member.name = legal(btf, member.name);
                    or_word(&mut member.ty, word);
                }
                // access strings count members
                if !fixed.contains(&id) {
                    body.members.sort_by_key(|member| member.bit_offset);
                }
            }
            Kind::Union(body) => {
                for member in &mut body.members {
                    member.name = legal(btf, member.name);
                    or_word(&mut member.ty, word);
                    member.bit_offset = 0;
                }
            }
            Kind::Enum(body) | Kind::Enum64(body) => {
                for value in &mut body.values {
                    value.name = legal(btf, value.name);
                }
            }
            Kind::Array(array) => or_word(&mut array.elem, word),
            Kind::Var { ty, .. } => or_word(ty, word),
            Kind::FuncProto { params, .. } => {
                for (index, param) in params.iter_mut().enumerate() {
                    or_word(&mut param.ty, word);
                    param.name = match legal(btf, param.name) {
                        Name::NONE => btf.intern(&format!("arg{index}")),
                        name => name,
                    };
                }
            }
            _ => {}
        }
        if let Some(place) = btf.get_mut(id) {
            *place = ty;
        }
    }
}

/// `char` has no kind in BTF and becomes `void`, which no variable can be.
fn or_word(ty: &mut TypeId, word: TypeId) {
    if *ty == TypeId::VOID {
        *ty = word;
    }
}

/// The name as an identifier of C.
fn legal(btf: &mut Btf, name: Name) -> Name {
    let given = btf.name(name);
    let text = original(given);
    let new = identifier(text).or_else(|| (text != given).then(|| text.to_owned()));
    match new {
        Some(new) => btf.intern(&new),
        None => name,
    }
}

/// `None` if it is one already.
fn identifier(text: &str) -> Option<String> {
    let good = |index: usize, byte: u8| {
        byte == b'_' || byte.is_ascii_alphabetic() || index > 0 && byte.is_ascii_digit()
    };
    if text.len() <= LONGEST
        && text
            .bytes()
            .enumerate()
            .all(|(index, byte)| good(index, byte))
    {
        return None;
    }
    let mut new = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            new.push(character);
        } else if !new.ends_with('_') {
            new.push('_');
        }
    }
    if new.starts_with(|first: char| first.is_ascii_digit()) {
        new.insert(0, '_');
    }
    new.truncate(LONGEST);
    let trimmed = new.trim_end_matches('_').len().max(1);
    new.truncate(trimmed);
    Some(new)
}

/// One record a line, and paths without what differs from machine to machine.
fn shorten_lines(btf: &mut Btf, ext: &mut BtfExt) {
    let starts: HashSet<(Name, u32)> = ext
        .func_info
        .iter()
        .flat_map(|part| {
            part.records
                .iter()
                .map(|record| (part.section, record.offset))
        })
        .collect();
    let mut paths: HashMap<Name, Name> = HashMap::new();
    for SectionRecords { section, records } in &mut ext.line_info {
        let mut last: Option<LineInfo> = None;
        records.retain_mut(|record| {
            record.file = *paths.entry(record.file).or_insert_with(|| {
                let path = short_path(btf.name(record.file)).to_owned();
                btf.intern(&path)
            });
            let same =
                last.is_some_and(|last| last.file == record.file && last.line == record.line);
            last = Some(*record);
            !same || starts.contains(&(*section, record.offset))
        });
    }
}

/// The path from the crate's directory on: `my-ebpf/src/main.rs`, `core/src/option.rs`.
fn short_path(path: &str) -> &str {
    if !path.starts_with('/') {
        return path;
    }
    let Some(source) = path.rfind("/src/") else {
        return path;
    };
    let start = path
        .get(..source)
        .and_then(|before| before.rfind('/'))
        .map_or(0, |slash| slash + 1);
    path.get(start..).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        assert_eq!(
            identifier("HashMap<u32, u64>").as_deref(),
            Some("HashMap_u32_u64")
        );
        assert_eq!(identifier("{impl#0}").as_deref(), Some("_impl_0"));
        assert_eq!(identifier("0").as_deref(), Some("_0"));
        assert_eq!(identifier("größe").as_deref(), Some("gr_e"));
        assert_eq!(identifier("xdp_md"), None);
        assert_eq!(
            identifier(&"x".repeat(300)).map(|name| name.len()),
            Some(LONGEST)
        );
    }

    #[test]
    fn paths_begin_at_the_crate() {
        assert_eq!(
            short_path("/home/me/fw/fw-ebpf/src/main.rs"),
            "fw-ebpf/src/main.rs"
        );
        assert_eq!(
            short_path("/rustc/59807616/library/core/src/option.rs"),
            "core/src/option.rs"
        );
        assert_eq!(short_path("src/main.rs"), "src/main.rs");
        assert_eq!(short_path("/x.rs"), "/x.rs");
    }

    #[test]
    fn a_table_from_rust_becomes_legal() {
        let mut btf = Btf::new();
        let odd = btf.intern("Key<&str>");
        let member = btf.intern("0");
        let void = aya_obj::btf::Member {
            name: member,
            ty: TypeId::VOID,
            bit_offset: 32,
            bits: 0,
        };
        let first = aya_obj::btf::Member {
            bit_offset: 0,
            ..void
        };
        let id = btf.add(
            odd,
            Kind::Struct(Struct {
                size: 8,
                members: vec![void, first],
            }),
        );
        let unit = btf.intern("()");
        let zero = btf.add(
            unit,
            Kind::Int {
                size: 0,
                encoding: IntEncoding::UNSIGNED,
                offset: 0,
                bits: 0,
            },
        );
        repair_types(&mut btf, &HashSet::new());
        assert_eq!(btf.type_name(id), "Key_str");
        assert!(matches!(
            btf.get(zero).map(|ty| &ty.kind),
            Some(Kind::Struct(_))
        ));
        let Some(Kind::Struct(body)) = btf.get(id).map(|ty| &ty.kind) else {
            panic!("no struct")
        };
        let offsets: Vec<_> = body
            .members
            .iter()
            .map(|member| member.bit_offset)
            .collect();
        assert_eq!(offsets, [0, 32]);
        assert!(body.members.iter().all(|member| member.ty != TypeId::VOID));
    }
}
