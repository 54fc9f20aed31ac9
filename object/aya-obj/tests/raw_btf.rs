//! Types left as bytes: the same answers as from types that were read, and hostile bytes.

use std::io::Write as _;

use aya_obj::{
    Endianness,
    btf::{Btf, BtfError, FuncLinkage, IntEncoding, Kind, Member, RawBtf, Struct, TypeId},
};

fn int() -> Kind {
    Kind::Int {
        size: 4,
        encoding: IntEncoding::SIGNED,
        offset: 0,
        bits: 32,
    }
}

/// Functions and names among types with records of many sizes.
fn types() -> Btf {
    let mut btf = Btf::new();
    let mut add = |name: &str, kind| {
        let name = btf.intern(name);
        btf.add(name, kind)
    };
    let int = add("int", int());
    let ret = TypeId::VOID;
    let proto = add(
        "",
        Kind::FuncProto {
            ret,
            params: Vec::new(),
        },
    );
    let linkage = FuncLinkage::STATIC;
    add("first", Kind::Func { proto, linkage });
    add("first", Kind::Typedef(int));
    add("", Kind::Ptr(int));
    add("last_of_all", Kind::Func { proto, linkage });
    let name = btf.intern("member");
    let member = Member {
        name,
        ty: int,
        bit_offset: 0,
        bits: 0,
    };
    let body = Struct {
        size: 4,
        members: vec![member; 3],
    };
    let name = btf.intern("first");
    btf.add(name, Kind::Struct(body));
    let last = btf.intern("last");
    btf.add(last, Kind::Func { proto, linkage });
    btf
}

#[test]
fn finds_names_by_their_kind() {
    for endian in [Endianness::Little, Endianness::Big] {
        let raw = RawBtf::parse(types().write(endian).unwrap()).unwrap();
        assert_eq!(raw.find("first", RawBtf::FUNC), Some(TypeId(3)));
        assert_eq!(raw.find("first", RawBtf::TYPEDEF), Some(TypeId(4)));
        // Not what merely begins so.
        assert_eq!(raw.find("last", RawBtf::FUNC), Some(TypeId(8)));
        for absent in ["las", "member", "int", "last_of_all_", "last\0of"] {
            assert_eq!(raw.find(absent, RawBtf::FUNC), None, "{absent}");
        }
        let names: Vec<_> = raw.names(RawBtf::FUNC).collect();
        assert_eq!(names, ["first", "last_of_all", "last"]);
    }
}

/// Moves what refers to types and strings of its own behind those of the kernel.
fn split(base: &Btf, function: &str) -> Vec<u8> {
    let mut module = Btf::new();
    let name = module.intern(function);
    let linkage = FuncLinkage::STATIC;
    let proto = TypeId::VOID;
    module.add(name, Kind::Func { proto, linkage });
    let mut bytes = module.write(Endianness::Little).unwrap();
    // Its one record begins behind the header, with the place of the name.
    let place = base.strings().len() as u32 + 1;
    bytes[24..28].copy_from_slice(&place.to_le_bytes());
    bytes
}

#[test]
fn types_of_modules_go_on_where_the_kernels_end() {
    let base = types();
    let kernel = RawBtf::parse(base.write(Endianness::Little).unwrap()).unwrap();
    let module = RawBtf::parse_split(split(&base, "of_module"), &kernel).unwrap();
    let id = TypeId(base.types.len() as u32 + 1);
    assert_eq!(module.find("of_module", RawBtf::FUNC), Some(id));
    assert_eq!(module.find("first", RawBtf::FUNC), None);
    // A name that the kernel has, too, stands among the kernel's.
    let mut bytes = split(&base, "of_module");
    let first = base.types[2].name.0;
    bytes[24..28].copy_from_slice(&first.to_le_bytes());
    let module = RawBtf::parse_split(bytes, &kernel).unwrap();
    assert_eq!(module.find("first", RawBtf::FUNC), Some(id));
    assert_eq!(module.names(RawBtf::FUNC).collect::<Vec<_>>(), ["first"]);
}

#[test]
fn damaged_bytes_never_panic() {
    let bytes = types().write(Endianness::Little).unwrap();
    for len in 0..bytes.len() {
        assert!(
            RawBtf::parse(bytes[..len].to_vec()).is_err(),
            "cut at {len}"
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(raw) = RawBtf::parse(damaged) {
            raw.find("first", RawBtf::FUNC);
            raw.names(RawBtf::FUNC).count();
        }
    }
    assert_eq!(
        RawBtf::parse(b"nonsense".to_vec()).unwrap_err(),
        BtfError::NotBtf { section: ".BTF" }
    );
}

#[test]
fn answers_as_the_kernels_own_types_do() {
    let path = "/sys/kernel/btf/vmlinux";
    let Ok(bytes) = std::fs::read(path) else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: answers_as_the_kernels_own_types_do: no {path}"
        );
        return;
    };
    let btf = Btf::parse(&bytes).unwrap();
    let raw = RawBtf::parse(bytes).unwrap();
    let is_function = |kind: &Kind| matches!(kind, Kind::Func { .. });
    for name in ["vfs_read", "schedule", "no_such_function"] {
        assert_eq!(
            raw.find(name, RawBtf::FUNC),
            btf.find(name, is_function),
            "{name}"
        );
    }
    let functions = btf.types.iter().filter(|ty| is_function(&ty.kind)).count();
    assert_eq!(raw.names(RawBtf::FUNC).count(), functions);
}
