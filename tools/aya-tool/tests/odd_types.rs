//! Types that today's compilers do not write, and types that contradict themselves: bindings that
//! compile where there is a meaning, else an error, and never a panic or an endless text.

mod common;

use std::fs;

use aya_obj::btf::{
    Array, Btf, BtfError, Enum, EnumValue, IntEncoding, Kind, Member, Name, Param, Struct, TypeId,
};
use aya_tool::{Error, from_btf};
use common::{MODULE, folder, rustc};

/// Makes types, all reachable from `struct root`, which comes first.
struct Types(Btf);

const ROOT: &[&str] = &["root"];

impl Types {
    fn new() -> Self {
        let mut types = Self(Btf::new());
        types.add("root", body(0, vec![]));
        types
    }

    fn add(&mut self, name: &str, kind: Kind) -> TypeId {
        let name = self.0.intern(name);
        self.0.add(name, kind)
    }

    fn int(&mut self, size: u32, bits: u8, offset: u8) -> TypeId {
        let encoding = IntEncoding::UNSIGNED;
        self.add(
            "int",
            Kind::Int {
                size,
                encoding,
                offset,
                bits,
            },
        )
    }

    fn pointer(&mut self, to: TypeId) -> TypeId {
        self.add("", Kind::Ptr(to))
    }

    fn member(&mut self, name: &str, ty: TypeId, bit_offset: u32) -> Member {
        Member {
            name: self.0.intern(name),
            ty,
            bit_offset,
            bits: 0,
        }
    }

    /// Gives the root pointers to these types as members, and generates.
    fn reach(&mut self, types: &[TypeId]) -> Result<String, Error> {
        let mut members = Vec::new();
        for (at, ty) in types.iter().enumerate() {
            let ty = self.pointer(*ty);
            members.push(self.member("to", ty, at as u32 * 64));
        }
        self.root(types.len() as u32 * 8, members)
    }

    fn root(&mut self, size: u32, members: Vec<Member>) -> Result<String, Error> {
        self.0.get_mut(TypeId(1)).unwrap().kind = body(size, members);
        from_btf(&self.0, ROOT)
    }
}

fn body(size: u32, members: Vec<Member>) -> Kind {
    Kind::Struct(Struct { size, members })
}

fn function(ret: TypeId, params: &[TypeId]) -> Kind {
    let param = |ty: &TypeId| Param {
        name: Name::NONE,
        ty: *ty,
    };
    Kind::FuncProto {
        ret,
        params: params.iter().map(param).collect(),
    }
}

fn compile(name: &str, text: &str) {
    let folder = folder(name);
    fs::write(folder.join("vmlinux.rs"), text).unwrap();
    fs::write(folder.join("main.rs"), format!("#![no_std]{MODULE}")).unwrap();
    rustc(
        &folder,
        &[
            "--edition=2021",
            "--crate-type=lib",
            "--emit=metadata",
            "-Cdebug-assertions=on",
        ],
    );
}

fn error(result: Result<String, Error>) -> BtfError {
    match result {
        Err(Error::Malformed { path: None, error }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_that_stand_for_several_types() {
    let mut types = Types::new();
    let int = types.int(4, 32, 0);
    let member = types.member("type", int, 0);
    let declared = types.add("x", Kind::Fwd { is_union: false });
    let first = types.add("x", body(4, vec![member]));
    let second = types.add("x", body(8, vec![member]));
    let union = types.add("y", Kind::Fwd { is_union: true });
    let alias = types.add("x", Kind::Typedef(first));
    let other = types.add("y", Kind::Typedef(int));
    let text = types
        .reach(&[declared, first, second, union, alias, other])
        .unwrap();
    for expected in [
        "pub to: *mut x,",
        "pub to___2: *mut x,",
        "pub to___3: *mut x___2,",
        "pub to___4: *mut y,",
        "pub to___5: *mut x,",
        "pub to___6: *mut y___2,",
        "pub struct x {\n    pub type_: u32,\n}",
        "pub struct x___2 {\n    pub type_: u32,\n    pub __bindgen_padding_1: [u8; 4],\n}",
        "pub struct y {\n    _unused: [u8; 0],\n}",
        "pub type y___2 = u32;",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(text.matches("pub struct x ").count(), 1);
    compile("several", &text);
    // The definition, not the declaration that comes first.
    assert!(from_btf(&types.0, &["x"]).unwrap().contains("type_: u32"));
}

#[test]
fn kinds_of_newer_and_older_kernels() {
    let mut types = Types::new();
    let int = types.int(4, 32, 0);
    let value = |types: &mut Types, name, value| EnumValue {
        name: types.0.intern(name),
        value,
    };
    let wide = Enum {
        signed: true,
        size: 8,
        values: vec![
            value(&mut types, "LEAST", i64::MIN),
            value(&mut types, "match", 1 << 40),
        ],
    };
    let unsigned = Enum {
        signed: false,
        size: 8,
        values: vec![value(&mut types, "MOST", -1), value(&mut types, "match", 0)],
    };
    let small = Enum {
        signed: false,
        size: 1,
        values: vec![value(&mut types, "BYTE", 255)],
    };
    let wide = types.add("wide", Kind::Enum64(wide));
    let unsigned = types.add("unsigned", Kind::Enum64(unsigned));
    let small = types.add("small", Kind::Enum(small));
    let tag = types.add(
        "percpu",
        Kind::TypeTag {
            ty: int,
            attribute: false,
        },
    );
    let tagged = types.add("", Kind::Volatile(tag));
    types.add(
        "tag",
        Kind::DeclTag {
            ty: TypeId(1),
            component: -1,
            attribute: false,
        },
    );
    let float = types.add("half", Kind::Float { size: 2 });
    let three = types.int(3, 24, 0);
    let text = types
        .reach(&[wide, unsigned, small, tagged, float, three])
        .unwrap();
    for expected in [
        "pub type wide = i64;",
        "pub const LEAST: wide = -9223372036854775808;",
        "pub const match_: wide = 1099511627776;",
        "pub type unsigned = u64;",
        "pub const MOST: unsigned = 18446744073709551615;",
        "pub const match____2: unsigned = 0;",
        "pub const BYTE: small = 255;",
        "pub to___4: *mut u32,",
        "pub to___5: *mut [u8; 2],",
        "pub to___6: *mut [u8; 3],",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    compile("kinds", &text);
}

#[test]
fn bit_fields_as_before_kernel_5_0() {
    let mut types = Types::new();
    let low = types.int(4, 3, 0);
    let high = types.int(4, 5, 3);
    let members = vec![types.member("low", low, 0), types.member("high", high, 0)];
    let text = types.root(4, members).unwrap();
    assert!(text.contains("self._bitfield_1.get(0, 3) as u32"), "{text}");
    assert!(text.contains("self._bitfield_1.get(3, 5) as u32"), "{text}");
    compile("old-bits", &text);
}

#[test]
fn what_rust_cannot_lay_out_is_bytes() {
    let mut types = Types::new();
    let int = types.int(4, 32, 0);
    let variable = types.add(
        "v",
        Kind::Var {
            ty: TypeId::VOID,
            linkage: aya_obj::btf::VarLinkage::STATIC,
        },
    );
    for (name, size, offsets) in [
        ("overlap", 8, &[0, 16][..]),
        ("beyond", 4, &[0, 32]),
        ("backwards", 8, &[32, 0]),
        ("between", 8, &[3]),
    ] {
        let members = offsets
            .iter()
            .map(|at| types.member("m", int, *at))
            .collect();
        let text = types.root(size, members).unwrap();
        assert!(
            text.contains(&format!("_opaque: [u8; {size}]")),
            "{name}: {text}"
        );
        compile(name, &text);
    }
    let member = types.member("m", variable, 0);
    assert!(
        types
            .root(4, vec![member])
            .unwrap()
            .contains("_opaque: [u8; 4]")
    );
}

#[test]
fn types_that_never_end_are_refused() {
    // By value in itself, also with others in between.
    let mut types = Types::new();
    let member = types.member("m", TypeId(1), 0);
    assert!(matches!(
        error(types.root(4, vec![member])),
        BtfError::Cycle { .. }
    ));

    let mut types = Types::new();
    let mut inner = types.int(4, 32, 0);
    for _ in 0..1000 {
        let member = types.member("m", inner, 0);
        inner = types.add("s", body(4, vec![member]));
    }
    assert!(matches!(
        error(types.reach(&[inner])),
        BtfError::Cycle { .. }
    ));

    let mut types = Types::new();
    let mut inner = types.int(4, 32, 0);
    for _ in 0..1000 {
        inner = types.pointer(inner);
    }
    assert!(matches!(
        error(types.reach(&[inner])),
        BtfError::Cycle { .. }
    ));

    // Qualifiers in a circle.
    let mut types = Types::new();
    let next = TypeId(types.0.types.len() as u32 + 1);
    types.add("", Kind::Const(next));
    assert!(matches!(
        error(types.reach(&[next])),
        BtfError::Cycle { .. }
    ));
    let mut types = Types::new();
    types.add("t", Kind::Typedef(next));
    assert!(matches!(
        error(types.reach(&[next])),
        BtfError::Cycle { .. }
    ));

    // A struct without a name that has a pointer to itself: C cannot write this.
    let mut types = Types::new();
    let next = TypeId(types.0.types.len() as u32 + 2);
    let pointer = types.pointer(next);
    let member = types.member("m", pointer, 0);
    types.add("", body(8, vec![member]));
    assert!(matches!(
        error(types.reach(&[next])),
        BtfError::TooLarge { .. }
    ));
}

#[test]
fn small_input_that_asks_for_a_large_text_is_refused() {
    // Each function takes two of the next: 2^60 in all.
    let mut types = Types::new();
    let mut last = types.add("", function(TypeId::VOID, &[]));
    for _ in 0..60 {
        last = types.pointer(last);
        last = types.add("", function(TypeId::VOID, &[last, last]));
    }
    assert!(matches!(
        error(types.reach(&[last])),
        BtfError::TooLarge { .. } | BtfError::Cycle { .. }
    ));

    // Structs without a name, each with two of the next.
    let mut types = Types::new();
    let mut last = types.int(4, 32, 0);
    for _ in 0..40 {
        let members = vec![types.member("a", last, 0), types.member("b", last, 0)];
        last = types.add("", Kind::Union(Struct { size: 4, members }));
    }
    assert!(matches!(
        error(types.reach(&[last])),
        BtfError::TooLarge { .. }
    ));

    let mut types = Types::new();
    let byte = types.int(1, 8, 0);
    let array = |elem| {
        Kind::Array(Array {
            elem,
            index: byte,
            len: u32::MAX,
        })
    };
    let row = types.add("", array(byte));
    let rows = types.add("", array(row));
    let member = types.member("m", rows, 0);
    assert!(matches!(
        error(types.root(4, vec![member])),
        BtfError::TooLarge { .. }
    ));
}
