//! Comparing types: what counts as the same, and how the first difference is named.

use aya_obj::btf::{
    Array, Btf, BtfError, DatasecVar, Enum, IntEncoding, Kind, Member, Name, Struct, TypeId,
    VarLinkage,
};

/// Types under construction, by short names.
#[derive(Default)]
struct Types(Btf);

impl Types {
    fn int(&mut self, name: &str, size: u32, encoding: IntEncoding) -> TypeId {
        let name = self.0.intern(name);
        let bits = (size * 8) as u8;
        self.0.add(
            name,
            Kind::Int {
                size,
                encoding,
                offset: 0,
                bits,
            },
        )
    }

    fn u32(&mut self) -> TypeId {
        self.int("u32", 4, IntEncoding::UNSIGNED)
    }

    fn u64(&mut self) -> TypeId {
        self.int("u64", 8, IntEncoding::UNSIGNED)
    }

    fn add(&mut self, kind: Kind) -> TypeId {
        self.0.add(Name::NONE, kind)
    }

    fn array(&mut self, elem: TypeId, len: u32) -> TypeId {
        self.add(Kind::Array(Array {
            elem,
            index: elem,
            len,
        }))
    }

    fn body(&mut self, size: u32, members: &[(&str, TypeId, u32)]) -> Struct {
        let members = members.iter().map(|(name, ty, byte)| Member {
            name: self.0.intern(name),
            ty: *ty,
            bit_offset: byte * 8,
            bits: 0,
        });
        let members = members.collect();
        Struct { size, members }
    }

    /// A struct: members by name, type and byte.
    fn record(&mut self, name: &str, size: u32, members: &[(&str, TypeId, u32)]) -> TypeId {
        let body = self.body(size, members);
        let name = self.0.intern(name);
        self.0.add(name, Kind::Struct(body))
    }
}

/// The difference between two types, as a message says it: member, other, own.
fn difference(
    own: impl FnOnce(&mut Types) -> TypeId,
    other: impl FnOnce(&mut Types) -> TypeId,
) -> Option<[String; 3]> {
    let (mut a, mut b) = (Types::default(), Types::default());
    // Numbers of the same types differ.
    b.add(Kind::Fwd { is_union: false });
    let (own, other) = (own(&mut a), other(&mut b));
    let found = a.0.difference(own, &b.0, other).unwrap()?;
    Some([found.member, found.other, found.own])
}

fn differ(found: Option<[String; 3]>, expected: [&str; 3]) {
    assert_eq!(
        found.as_ref().map(|it| it.each_ref().map(String::as_str)),
        Some(expected)
    );
}

#[test]
fn names_of_types_do_not_count() {
    let flow = |name: &'static str, number: &'static str, alias: bool| {
        move |types: &mut Types| {
            let int = types.int(number, 4, IntEncoding::UNSIGNED);
            let int = match alias {
                true => types.add(Kind::Typedef(int)),
                false => int,
            };
            let int = types.add(Kind::Volatile(int));
            types.record(name, 8, &[("source", int, 0), ("target", int, 4)])
        }
    };
    let found = difference(
        flow("Flow", "u32", false),
        flow("flow", "unsigned int", true),
    );
    assert_eq!(found, None);
}

#[test]
fn neither_do_padding_and_wrappers() {
    let rust = |types: &mut Types| {
        let (byte, long) = (types.int("u8", 1, IntEncoding::UNSIGNED), types.u64());
        let gap = types.array(byte, 7);
        let long = types.record("Bytes", 8, &[("__0", long, 0)]);
        types.record(
            "Event",
            16,
            &[("kind", byte, 0), ("_padding", gap, 1), ("bytes", long, 8)],
        )
    };
    let c = |types: &mut Types| {
        let (byte, long) = (types.int("char", 1, IntEncoding::SIGNED), types.u64());
        types.record("event", 16, &[("kind", byte, 0), ("bytes", long, 8)])
    };
    assert_eq!(difference(rust, c), None);
    assert_eq!(difference(c, rust), None);

    let plain = |types: &mut Types| types.u32();
    let wrapped = |types: &mut Types| {
        let int = types.u32();
        let inner = types.record("Port", 4, &[("__0", int, 0)]);
        types.record("Key", 4, &[("port", inner, 0)])
    };
    assert_eq!(difference(plain, wrapped), None);
    let enumeration = |types: &mut Types| {
        types.add(Kind::Enum(Enum {
            signed: false,
            size: 4,
            values: Vec::new(),
        }))
    };
    assert_eq!(difference(plain, enumeration), None);
}

#[test]
fn members_are_named_with_their_place() {
    let event = |name: &'static str, byte, signed: bool, len| {
        move |types: &mut Types| {
            let encoding = match signed {
                true => IntEncoding::SIGNED,
                false => IntEncoding::UNSIGNED,
            };
            let number = types.int(if signed { "i32" } else { "u32" }, 4, encoding);
            let numbers = types.array(number, len);
            let inner = types.record("Inner", 4 * len + 4, &[(name, numbers, byte)]);
            let all = types.array(inner, 2);
            types.record("Event", 128, &[("id", number, 0), ("inner", all, 8)])
        }
    };
    let own = || event("ports", 4, false, 3);
    assert_eq!(difference(own(), own()), None);
    differ(
        difference(own(), event("hosts", 4, false, 3)),
        [
            "inner[]",
            "`hosts: [u32; 3]` at byte 4",
            "`ports: [u32; 3]` at byte 4",
        ],
    );
    differ(
        difference(own(), event("ports", 0, false, 3)),
        [
            "inner[]",
            "`ports: [u32; 3]` at byte 0",
            "`ports: [u32; 3]` at byte 4",
        ],
    );
    differ(
        difference(own(), event("ports", 4, false, 2)),
        ["inner[].ports", "[u32; 2]", "[u32; 3]"],
    );
    differ(
        difference(own(), event("ports", 4, true, 3)),
        ["id", "i32", "u32"],
    );

    let short = |types: &mut Types| {
        let number = types.u32();
        types.record("Event", 128, &[("id", number, 0)])
    };
    let long = |types: &mut Types| {
        let number = types.u32();
        types.record("Event", 128, &[("id", number, 0), ("more", number, 4)])
    };
    differ(
        difference(short, long),
        ["", "`more: u32` at byte 4", "nothing"],
    );
}

#[test]
fn kinds_of_types_count() {
    let number = |types: &mut Types| types.u64();
    let pointer = |types: &mut Types| {
        let to = types.u32();
        types.add(Kind::Ptr(to))
    };
    let float = |types: &mut Types| types.add(Kind::Float { size: 8 });
    let pair = |types: &mut Types| {
        let number = types.u32();
        types.record("Pair", 8, &[("a", number, 0), ("b", number, 4)])
    };
    let either = |types: &mut Types| {
        let (a, b) = (types.u32(), types.u64());
        let body = types.body(8, &[("a", a, 0), ("b", b, 0)]);
        types.add(Kind::Union(body))
    };
    differ(difference(number, pointer), ["", "a pointer", "u64"]);
    differ(
        difference(number, pair),
        ["", "struct Pair of 8 bytes", "u64"],
    );
    differ(
        difference(pair, either),
        [
            "",
            "union without name of 8 bytes",
            "struct Pair of 8 bytes",
        ],
    );
    assert!(difference(number, float).is_some() && difference(float, pointer).is_some());
    for same in [
        difference(pointer, pointer),
        difference(float, float),
        difference(either, either),
    ] {
        assert_eq!(same, None);
    }
    let nothing = |_: &mut Types| TypeId::VOID;
    differ(difference(number, nothing), ["", "nothing", "u64"]);
    assert_eq!(difference(nothing, nothing), None);
}

#[test]
fn what_the_kernel_knows_by_name_keeps_it() {
    let holder = |name: &'static str| {
        move |types: &mut Types| {
            let number = types.u32();
            let inner = types.record(name, 4, &[("val", number, 0)]);
            types.record("Value", 8, &[("lock", inner, 0), ("count", number, 4)])
        }
    };
    let lock = || holder("bpf_spin_lock");
    assert_eq!(difference(lock(), lock()), None);
    differ(
        difference(lock(), holder("Wrapper")),
        ["lock", "u32", "struct bpf_spin_lock of 4 bytes"],
    );
    assert!(difference(lock(), holder("bpf_res_spin_lock")).is_some());
}

#[test]
fn sections_of_variables() {
    let section = |name: &'static str, offset| {
        move |types: &mut Types| {
            let number = types.u64();
            let name = types.0.intern(name);
            let ty = types.0.add(
                name,
                Kind::Var {
                    ty: number,
                    linkage: VarLinkage::GLOBAL,
                },
            );
            types.add(Kind::Datasec {
                size: 16,
                vars: vec![DatasecVar {
                    ty,
                    offset,
                    size: 8,
                }],
            })
        }
    };
    assert_eq!(difference(section("COUNT", 0), section("COUNT", 0)), None);
    differ(
        difference(section("COUNT", 0), section("COUNT", 8)),
        ["", "`COUNT: u64` at byte 8", "`COUNT: u64` at byte 0"],
    );
    assert!(difference(section("COUNT", 0), section("TOTAL", 0)).is_some());
}

#[test]
fn types_without_end_are_refused() {
    // Each holds the next one twice: a walk through all would take 2^63 steps.
    let doubling = |types: &mut Types| {
        let mut inner = types.u32();
        for _ in 0..60 {
            let pair = [("a", inner, 0), ("b", inner, 4)];
            inner = types.record("Pair", 8, &pair);
        }
        inner
    };
    assert_eq!(difference(doubling, doubling), None);

    let mut endless = Types::default();
    let itself = TypeId(1);
    let id = endless.record("Endless", 8, &[("a", itself, 0), ("b", itself, 4)]);
    assert_eq!(endless.0.difference(id, &endless.0, id), Ok(None));
    let mut other = Types::default();
    let second = TypeId(2);
    other.record("A", 8, &[("a", second, 0), ("b", second, 4)]);
    other.record("B", 8, &[("a", itself, 0), ("b", itself, 4)]);
    assert_eq!(endless.0.difference(id, &other.0, itself), Ok(None));

    let mut wrapped = Types::default();
    wrapped.add(Kind::Typedef(itself));
    let error = wrapped.0.difference(itself, &wrapped.0, itself);
    assert!(matches!(error, Err(BtfError::Cycle { .. })), "{error:?}");
    let missing = wrapped.0.difference(TypeId(9), &wrapped.0, TypeId(9));
    assert!(
        matches!(missing, Err(BtfError::BadReference { .. })),
        "{missing:?}"
    );
}
