//! Type information: read, changed, written back; hostile bytes.

use std::io::Write as _;

use aya_obj::{
    Endianness,
    btf::{
        Array, Btf, BtfError, BtfExt, BtfFeatures, CoreRelo, DatasecVar, Enum, EnumValue, FuncInfo,
        FuncLinkage, IntEncoding, Kind, LineInfo, Member, Name, Param, SectionRecords, Struct,
        TypeId, VarLinkage,
    },
};

fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIP: {test}: {reason}");
}

/// One type of every kind, and records of every kind about them.
fn everything() -> (Btf, BtfExt) {
    let mut btf = Btf::new();
    let mut add = |name: &str, kind: Kind| {
        let name = btf.intern(name);
        btf.add(name, kind)
    };
    let int = add(
        "int",
        Kind::Int {
            size: 4,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: 32,
        },
    );
    let pointer = add("", Kind::Ptr(int));
    add(
        "",
        Kind::Array(Array {
            elem: pointer,
            index: int,
            len: 7,
        }),
    );
    let alias = add("number", Kind::Typedef(int));
    add("", Kind::Volatile(alias));
    add("", Kind::Const(alias));
    add("", Kind::Restrict(pointer));
    add("later", Kind::Fwd { is_union: true });
    add("real", Kind::Float { size: 8 });
    add(
        "",
        Kind::TypeTag {
            ty: int,
            attribute: false,
        },
    );
    let proto = add(
        "",
        Kind::FuncProto {
            ret: int,
            params: vec![Param {
                name: Name::NONE,
                ty: pointer,
            }],
        },
    );
    let func = add(
        "main",
        Kind::Func {
            proto,
            linkage: FuncLinkage::GLOBAL,
        },
    );
    let var = add(
        "counter",
        Kind::Var {
            ty: int,
            linkage: VarLinkage::STATIC,
        },
    );
    add(
        ".bss",
        Kind::Datasec {
            size: 4,
            vars: vec![DatasecVar {
                ty: var,
                offset: 0,
                size: 4,
            }],
        },
    );
    let a = btf.intern("a");
    let b = btf.intern("b");
    let member = |name, bit_offset, bits| Member {
        name,
        ty: int,
        bit_offset,
        bits,
    };
    btf.add(
        a,
        Kind::Struct(Struct {
            size: 8,
            members: vec![member(a, 0, 0), member(b, 32, 5)],
        }),
    );
    let union = btf.add(
        b,
        Kind::Union(Struct {
            size: 4,
            members: vec![member(a, 0, 0), member(b, 0, 0)],
        }),
    );
    let body = |size, value| Enum {
        signed: true,
        size,
        values: vec![EnumValue { name: b, value }],
    };
    btf.add(a, Kind::Enum(body(4, -3)));
    btf.add(a, Kind::Enum64(body(8, i64::MIN + 5)));
    btf.add(
        a,
        Kind::DeclTag {
            ty: union,
            component: -1,
            attribute: false,
        },
    );
    let section = btf.intern("xdp");
    let access = btf.intern("0:1");
    let ext = BtfExt {
        func_info: vec![SectionRecords {
            section,
            records: vec![FuncInfo {
                offset: 0,
                ty: func,
            }],
        }],
        line_info: vec![SectionRecords {
            section,
            records: vec![LineInfo {
                offset: 8,
                file: a,
                text: b,
                line: 70_000,
                column: 12,
            }],
        }],
        core_relo: vec![SectionRecords {
            section,
            records: vec![CoreRelo {
                offset: 16,
                ty: union,
                access,
                kind: 2,
            }],
        }],
    };
    (btf, ext)
}

#[test]
fn every_kind_survives_both_byte_orders() {
    let (btf, ext) = everything();
    for endian in [Endianness::Little, Endianness::Big] {
        let bytes = btf.write(endian).unwrap();
        let ext_bytes = ext.write(endian).unwrap();
        let again = Btf::parse(&bytes).unwrap();
        assert_eq!(again, btf);
        let ext_again = BtfExt::parse(&ext_bytes, &again).unwrap();
        assert_eq!(ext_again, ext);
    }
}

#[test]
fn interning_finds_what_was_parsed() {
    let (btf, _) = everything();
    let mut again = Btf::parse(&btf.write(Endianness::Little).unwrap()).unwrap();
    let len = again.strings().len();
    let name = again.intern("counter");
    assert_eq!(again.strings().len(), len);
    assert_eq!(again.name(name), "counter");
    assert_eq!(again.intern("new\0hidden"), Name(len as u32));
    assert_eq!(again.name(Name(len as u32)), "new");
}

#[test]
fn what_is_not_reachable_goes() {
    let (mut btf, mut ext) = everything();
    ext.core_relo.clear();
    let main = btf.find("main", |_| true).unwrap();
    let map = btf.retain([], &mut ext);
    assert!(map[main.0 as usize].is_some());
    // int, pointer, prototype, function: the rest had no user.
    assert_eq!(btf.types.len(), 4);
    assert_eq!(btf.type_name(ext.func_info[0].records[0].ty), "main");
    assert_eq!(btf.name(ext.line_info[0].records[0].text), "b");
    assert!(!btf.strings().contains("counter"));
    Btf::parse(&btf.write(Endianness::Little).unwrap()).unwrap();
}

#[test]
fn a_tag_stays_with_its_type() {
    let (mut btf, _) = everything();
    let union = btf
        .find("b", |kind| matches!(kind, Kind::Union(_)))
        .unwrap();
    btf.retain([union], &mut BtfExt::default());
    assert!(
        btf.types
            .iter()
            .any(|ty| matches!(ty.kind, Kind::DeclTag { .. }))
    );
}

#[test]
fn sizes_multiply_and_stop_at_limits() {
    let (mut btf, _) = everything();
    let array = btf.find("", |kind| matches!(kind, Kind::Array(_))).unwrap();
    assert_eq!(btf.size_of(array), Ok(Some(56)));
    let outer = btf.add(
        Name::NONE,
        Kind::Array(Array {
            elem: array,
            index: TypeId(1),
            len: 3,
        }),
    );
    assert_eq!(btf.size_of(outer), Ok(Some(168)));
    let mut huge = outer;
    for _ in 0..8 {
        huge = btf.add(
            Name::NONE,
            Kind::Array(Array {
                elem: huge,
                index: TypeId(1),
                len: u32::MAX,
            }),
        );
    }
    assert!(matches!(btf.size_of(huge), Err(BtfError::TooLarge { .. })));
}

#[test]
fn cycles_are_errors() {
    let mut btf = Btf::new();
    let id = btf.add(Name::NONE, Kind::Typedef(TypeId(1)));
    assert_eq!(btf.size_of(id), Err(BtfError::Cycle { id }));
    let id = btf.add(
        Name::NONE,
        Kind::Array(Array {
            elem: TypeId(2),
            index: TypeId(1),
            len: 1,
        }),
    );
    assert_eq!(btf.size_of(id), Err(BtfError::Cycle { id }));
}

#[test]
fn damaged_bytes_never_panic() {
    let (btf, ext) = everything();
    let bytes = btf.write(Endianness::Little).unwrap();
    let ext_bytes = ext.write(Endianness::Little).unwrap();
    for len in 0..bytes.len() {
        assert!(Btf::parse(&bytes[..len]).is_err(), "cut at {len}");
    }
    for len in 0..ext_bytes.len() {
        assert!(
            BtfExt::parse(&ext_bytes[..len], &btf).is_err(),
            "cut at {len}"
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(btf) = Btf::parse(&damaged) {
            for (id, _) in btf.iter() {
                let _ = btf.size_of(id);
            }
            let _ = btf.write(Endianness::Big);
            let _ = BtfExt::parse(&ext_bytes, &btf);
        }
    }
    for bit in 0..ext_bytes.len() * 8 {
        let mut damaged = ext_bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let _ = BtfExt::parse(&damaged, &btf);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(
        Btf::parse(b"nonsense").unwrap_err(),
        BtfError::NotBtf { section: ".BTF" }
    );
    let (btf, _) = everything();
    let mut bytes = btf.write(Endianness::Little).unwrap();
    bytes[2] = 9;
    assert!(matches!(
        Btf::parse(&bytes),
        Err(BtfError::Version { version: 9, .. })
    ));
    let mut dangling = Btf::new();
    dangling.add(Name::NONE, Kind::Ptr(TypeId(4)));
    assert_eq!(
        Btf::parse(&dangling.write(Endianness::Little).unwrap()),
        Err(BtfError::BadReference {
            id: TypeId(1),
            to: TypeId(4)
        })
    );
}

#[test]
fn the_kernels_own_types_survive_unchanged() {
    let path = "/sys/kernel/btf/vmlinux";
    let Ok(bytes) = std::fs::read(path) else {
        return skip(
            "the_kernels_own_types_survive_unchanged",
            &format!("no {path}"),
        );
    };
    let btf = Btf::parse(&bytes).unwrap();
    assert!(
        btf.find("task_struct", |kind| matches!(kind, Kind::Struct(_)))
            .is_some()
    );
    // Every byte comes back, apart from what the kernel's build put between or around the parts.
    assert_eq!(btf.write(NATIVE).unwrap(), bytes);
}

const NATIVE: Endianness = match cfg!(target_endian = "little") {
    true => Endianness::Little,
    false => Endianness::Big,
};

#[test]
fn old_kernels_get_only_what_they_know() {
    let (btf, ext) = everything();
    let mut old = btf.clone();
    old.sanitize(&BtfFeatures::NONE);
    assert!(old.types.iter().all(|ty| !matches!(
        ty.kind,
        Kind::Func { .. }
            | Kind::FuncProto { .. }
            | Kind::Var { .. }
            | Kind::Datasec { .. }
            | Kind::Float { .. }
            | Kind::DeclTag { .. }
            | Kind::TypeTag { .. }
            | Kind::Enum64(_)
            | Kind::Enum(Enum { signed: true, .. })
    )));
    // Numbers and sizes stay: maps refer to them. Only variables shrink to a placeholder.
    for (id, ty) in btf.iter() {
        if btf.size_of(id).unwrap().is_some() && !matches!(ty.kind, Kind::Var { .. }) {
            assert_eq!(old.size_of(id), btf.size_of(id), "{id}");
        }
    }
    // So do names: records of lines refer to them.
    let text = ext.line_info[0].records[0].text;
    assert_eq!(old.name(text), btf.name(text));
    let again = Btf::parse(&old.write(Endianness::Little).unwrap()).unwrap();
    assert_eq!(again, old);
}

#[test]
fn one_missing_feature_changes_its_kind_only() {
    let (btf, _) = everything();
    let changed = |features| {
        let mut old = btf.clone();
        old.sanitize(&features);
        btf.iter()
            .zip(&old.types)
            .filter(|((_, before), after)| before.kind != after.kind)
            .map(|((id, _), _)| id)
            .collect::<Vec<_>>()
    };
    let id = |accept: fn(&Kind) -> bool| {
        let found = btf.iter().find(|(_, ty)| accept(&ty.kind));
        found.unwrap().0
    };
    let all = BtfFeatures::ALL;
    let proto = id(|kind| matches!(kind, Kind::FuncProto { .. }));
    // The unnamed parameter gets a name.
    assert_eq!(changed(all), [proto]);
    let float = BtfFeatures {
        float: false,
        ..all
    };
    assert_eq!(
        changed(float),
        [id(|kind| matches!(kind, Kind::Float { .. })), proto]
    );
    let global_func = BtfFeatures {
        global_func: false,
        ..all
    };
    assert_eq!(
        changed(global_func),
        [proto, id(|kind| matches!(kind, Kind::Func { .. }))]
    );
    let decl_tag = BtfFeatures {
        decl_tag: false,
        ..all
    };
    assert_eq!(
        changed(decl_tag),
        [proto, id(|kind| matches!(kind, Kind::DeclTag { .. }))]
    );
}

#[test]
fn names_that_are_no_identifiers_are_replaced() {
    let mut btf = Btf::new();
    let generic = btf.intern("Vec<u8, 7>");
    let id = btf.add(generic, Kind::Struct(Struct::default()));
    let long = btf.intern(&"x".repeat(300));
    let long = btf.add(long, Kind::Struct(Struct::default()));
    btf.sanitize(&BtfFeatures::ALL);
    assert_eq!(btf.type_name(id), "Vec_u8__7_");
    assert_eq!(btf.type_name(long).len(), 127);
}

#[test]
fn functions_without_types_are_forgiven() {
    let mut btf = Btf::new();
    let name = btf.intern("declared");
    let linkage = FuncLinkage::GLOBAL;
    let proto = TypeId(21_964);
    let id = btf.add(name, Kind::Func { proto, linkage });
    let mut btf = Btf::parse(&btf.write(Endianness::Little).unwrap()).unwrap();
    let proto = TypeId::VOID;
    assert_eq!(btf.get(id).unwrap().kind, Kind::Func { proto, linkage });
    // The kernel would refuse such a function.
    btf.sanitize(&BtfFeatures::ALL);
    assert!(matches!(btf.get(id).unwrap().kind, Kind::Int { .. }));
}

#[test]
fn a_module_continues_the_kernel() {
    let (base, _) = everything();
    let mut both = base.clone();
    let name = both.intern("only_in_the_module");
    let known = both.name(base.types[0].name).to_owned();
    both.add(name, Kind::Typedef(TypeId(1)));
    for endian in [Endianness::Little, Endianness::Big] {
        let whole = base.write(endian).unwrap();
        let split = split(&whole, &both.write(endian).unwrap(), endian);
        assert!(Btf::parse(&split).is_err());
        let read = Btf::parse_split(&split, Btf::parse(&whole).unwrap()).unwrap();
        assert_eq!(read, both);
        assert_eq!(read.type_name(TypeId(1)), known);
        for end in 0..split.len() {
            assert!(Btf::parse_split(&split[..end], base.clone()).is_err());
        }
    }
}

/// The section of a module: what `both` has after what `base` has.
fn split(base: &[u8], both: &[u8], endian: Endianness) -> Vec<u8> {
    const HEADER: usize = 24;
    let number = |data: &[u8], at: usize| {
        let bytes = data[at..at + 4].try_into().unwrap();
        let number = match endian {
            Endianness::Little => u32::from_le_bytes(bytes),
            Endianness::Big => u32::from_be_bytes(bytes),
        };
        number as usize
    };
    // The lengths of types and strings, and where the strings begin.
    let lengths = |data: &[u8]| (number(data, 12), number(data, 20), number(data, 16));
    let ((types, strings, _), (all_types, all_strings, at)) = (lengths(base), lengths(both));
    let mut made = both[..8].to_vec();
    let (new_types, new_strings) = (all_types - types, all_strings - strings);
    for value in [0, new_types, new_types, new_strings] {
        let value = value as u32;
        made.extend(match endian {
            Endianness::Little => value.to_le_bytes(),
            Endianness::Big => value.to_be_bytes(),
        });
    }
    made.extend(&both[HEADER + types..HEADER + all_types]);
    made.extend(&both[HEADER + at + strings..HEADER + at + all_strings]);
    made
}
