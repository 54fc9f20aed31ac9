//! Bindings against the C compiler: what clang says of sizes and offsets, and the bytes that it makes of
//! bit fields, must be what rustc makes of the bindings to the same types.
//!
//! Big-endian machines are played: the compiler's bytes for one of them are read by bindings that are
//! told to be there.

mod common;

use std::{fmt::Write as _, fs};

use object::{
    Endianness,
    read::{Object as _, ObjectSection as _, elf::ElfFile64},
};

use common::{MODULE, clang, folder, printed, rustc, skip};

const TYPES: &str = include_str!("c/types.h");

/// Structs and unions (`struct` or `union` is C's affair alone) with fields whose offset C can tell;
/// what comes after `=` is the field's path in Rust where that differs.
const FIELDS: &[(&str, &[&str])] = &[
    ("struct bits", &["c", "j"]),
    ("struct packed_bits", &["d"]),
    ("struct whole_bits", &[]),
    ("union bit_union", &["all"]),
    ("struct tight", &["a", "b", "c"]),
    ("struct half_tight", &["a", "b"]),
    ("struct odd_holder", &["a", "b", "c", "d"]),
    ("struct spread", &["a", "b", "c"]),
    ("struct spread_holder", &["a", "b", "c"]),
    (
        "struct unnamed",
        &[
            "kind",
            "y=__bindgen_anon_1.__bindgen_anon_1.y",
            "both=__bindgen_anon_1.both",
            "color.b=__bindgen_anon_1.color.b",
            "named",
            "last=__bindgen_anon_2.last",
        ],
    ),
    (
        "union mixed",
        &["bytes", "number", "high=__bindgen_anon_1.high"],
    ),
    ("union tight_union", &["a", "b", "c"]),
    ("struct flexible", &["count", "items"]),
    ("struct flexible_within", &["a", "none", "c", "d"]),
    ("struct empty", &[]),
    ("struct holds_empty", &["a", "b", "c"]),
    (
        "struct pointers",
        &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"],
    ),
    (
        "struct numbers",
        &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
    ),
    (
        "struct names",
        &[
            "type=type_",
            "match=match_",
            "self=self_",
            "crate=crate_",
            "async=async_",
            "dyn=dyn_",
            "gen=gen_",
            "where=where_",
            "u64=u64_",
            "a___2",
            "counter",
            "other",
            "many",
            "few",
            "tagged",
            "own",
        ],
    ),
];

/// Bit fields and values that they are given one after the other; negative ones in fields with a sign.
const BITS: &[(&str, &[(&str, &str)])] = &[
    (
        "struct bits",
        &[
            ("a", "5"),
            ("b", "-3"),
            ("d", "0x9234567891"),
            ("e", "1"),
            ("f", "BLUE"),
            ("g", "DOWN"),
            ("h", "-4"),
            ("i", "0x4123456789abcdef"),
            ("k", "0x55"),
            ("b", "15"),
            ("e", "0"),
            ("f", "RED"),
        ],
    ),
    (
        "struct packed_bits",
        &[
            ("b", "0x2aaaaaaa"),
            ("a", "7"),
            ("c", "0x1deadbeef"),
            ("b", "1"),
        ],
    ),
    (
        "struct whole_bits",
        &[
            ("a", "-2147483648"),
            ("b", "0xfedcba9876543210"),
            ("c", "0x7ff"),
        ],
    ),
    ("union bit_union", &[("a", "31"), ("b", "2"), ("b", "-1")]),
];

/// The same questions for both compilers: lines of `print` calls.
struct Facts {
    c: String,
    rust: String,
}

fn facts() -> Facts {
    let (mut c, mut rust) = (String::new(), String::new());
    for (tagged, fields) in FIELDS {
        let name = tagged.split_once(' ').unwrap().1;
        let _ = writeln!(c, "printf(\"{name} %zu\\n\", sizeof({tagged}));");
        let _ = writeln!(rust, "println!(\"{name} {{}}\", size_of::<{name}>());");
        for field in *fields {
            let (field, path) = field.split_once('=').unwrap_or((field, field));
            let print = format!("\"{name}.{field}");
            let _ = writeln!(
                c,
                "printf({print} %zu\\n\", __builtin_offsetof({tagged}, {field}));"
            );
            let _ = writeln!(
                rust,
                "println!({print} {{}}\", offset_of!({name}, {path}));"
            );
        }
    }
    for (tagged, steps) in BITS {
        let name = tagged.split_once(' ').unwrap().1;
        let _ = writeln!(c, "{{ {tagged} x; memset(&x, 0, sizeof(x));");
        let _ = writeln!(rust, "{{ let mut x: {name} = unsafe {{ zeroed() }};");
        for (field, value) in *steps {
            let print = format!("\"{name}.{field} = {value}:");
            let _ = writeln!(
                c,
                "x.{field} = {value}; printf({print} %lld \", (long long)x.{field}); bytes(&x, sizeof(x));"
            );
            let value = match (*field, *value) {
                ("e", value) => (value == "1").to_string(),
                // The type of these fields has more bits than the number, or another sign.
                _ => format!("{value} as i128 as _"),
            };
            let _ = writeln!(
                rust,
                "x.set_{field}({value}); print!({print} {{}} \", x.{field}() as i64); bytes(&x);"
            );
        }
        c += "}\n";
        rust += "}\n";
    }
    Facts { c, rust }
}

const C_MAIN: &str = "
#include <stdio.h>
#include <string.h>
static void bytes(const void *at, size_t count) {
    for (size_t i = 0; i < count; i++) printf(\"%02x\", ((const unsigned char *)at)[i]);
    printf(\"\\n\");
}
int main(void) {
";

const RUST_MAIN: &str = "
use std::mem::{offset_of, size_of, zeroed};
use vmlinux::*;
fn bytes<T>(value: &T) {
    let bytes = unsafe { std::slice::from_raw_parts(&raw const *value as *const u8, size_of::<T>()) };
    println!(\"{}\", bytes.iter().map(|byte| format!(\"{byte:02x}\")).collect::<String>());
}
fn main() {
";

/// Uses that need not run, but must have these types.
const RUST_TYPES: &str = "
pub fn function_pointers(pointers: &mut pointers) {
    unsafe extern \"C\" fn plain(_: *mut unnamed) {}
    unsafe extern \"C\" fn number(_: u32) -> i32 { 1 }
    let called: callback = pointers.g;
    let _: Option<unsafe extern \"C\" fn(*mut declared, *const std::ffi::c_char, ...) -> i32> = called;
    pointers.h = Some(plain);
    pointers.i = [Some(number), None];
    let _: *const i32 = pointers.b;
    let _: *mut [i32; 3] = pointers.f;
    let _: *mut pointers = pointers.e;
}
pub fn constants(names: &names) -> few {
    let _: [color; 3] = [RED, GREEN, BLUE];
    let _: [i32; 2] = [DOWN, UP];
    let _: u64 = WIDE;
    let _: names__bindgen_ty_1 = [FIRST, SECOND][0];
    let _: [counter; 4] = names.many;
    let _: i32 = names.other.counter + names.counter.counter + names.tagged.a;
    TWO
}
pub unsafe fn behind(flexible: *const flexible) -> u32 {
    let items = unsafe { (*flexible).items.as_slice(usize::from((*flexible).count)) };
    items.iter().sum()
}
pub fn whole() -> bits {
    let mut bits: bits = unsafe { zeroed() };
    bits._bitfield_1 = bits::new_bitfield_1(5, -3);
    bits._bitfield_3 = bits::new_bitfield_3(0x55);
    assert_eq!((bits.a(), bits.b(), bits.k()), (5, -3, 0x55));
    bits
}
";

#[test]
fn layouts_are_those_of_the_c_compiler() {
    let test = "layouts_are_those_of_the_c_compiler";
    let folder = folder("layout");
    let facts = facts();
    fs::write(folder.join("types.h"), TYPES).unwrap();
    let objects = "#include \"types.h\"\n#define OBJECT(kind, name) kind name used_##name;\nEACH_TYPE(OBJECT)\n";
    fs::write(folder.join("types.c"), objects).unwrap();
    let main = format!("#include \"types.h\"\n{C_MAIN}{}}}\n", facts.c);
    fs::write(folder.join("facts.c"), main).unwrap();
    let quiet = "-Wno-everything";
    let object = [
        "-target", "bpf", "-g", "-O1", quiet, "-c", "types.c", "-o", "types.o",
    ];
    if clang(&folder, &object).is_none() {
        skip(test, "no clang");
        return;
    }
    clang(&folder, &[quiet, "facts.c", "-o", "facts"]).unwrap();

    let names: Vec<&str> = FIELDS
        .iter()
        .map(|(tagged, _)| tagged.split_once(' ').unwrap().1)
        .collect();
    let text = aya_tool::generate(folder.join("types.o"), &names).unwrap();
    assert!(!text.contains("_opaque"), "{text}");
    fs::write(folder.join("vmlinux.rs"), text).unwrap();
    let main = format!(
        "{MODULE}{RUST_TYPES}{RUST_MAIN}whole();\n{}}}\n",
        facts.rust
    );
    fs::write(folder.join("main.rs"), main).unwrap();
    for edition in ["--edition=2021", "--edition=2024"] {
        // The main program's own casts may be to the same type.
        rustc(
            &folder,
            &[edition, "-Cdebug-assertions=on", "-Adead_code", "-oours"],
        );
        let ours = printed(&folder, "ours");
        let theirs = printed(&folder, "facts");
        assert!(ours.lines().count() > 80, "{ours}");
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            assert_eq!(ours, theirs, "{edition}");
        }
        assert_eq!(ours.lines().count(), theirs.lines().count());
    }
}

/// Values of all bit fields of `struct bits`, and of `struct packed_bits`, as C and Rust write them.
const BIG: &[(&str, &[(&str, &str)])] = &[
    (
        "bits",
        &[
            ("a", "5"),
            ("b", "-3"),
            ("d", "0x9234567891"),
            ("f", "8"),
            ("g", "-1"),
            ("h", "-4"),
            ("i", "0x4123456789abcdef"),
            ("k", "0x55"),
        ],
    ),
    (
        "packed_bits",
        &[("a", "6"), ("b", "0x2aaaaaab"), ("c", "0x1deadbeef")],
    ),
];

#[test]
fn bit_fields_of_big_endian_machines() {
    let test = "bit_fields_of_big_endian_machines";
    for (name, values) in BIG {
        let folder = folder(&format!("big-endian-{name}"));
        fs::write(folder.join("types.h"), TYPES).unwrap();
        let pairs = |form: &dyn Fn(&str, &str) -> String| -> String {
            values
                .iter()
                .map(|(field, value)| form(field, value))
                .collect()
        };
        let initial = pairs(&|field, value| format!(".{field} = {value}, "));
        let source = format!("#include \"types.h\"\nstruct {name} object = {{ {initial} }};\n");
        fs::write(folder.join("types.c"), source).unwrap();
        let object = ["-target", "bpfeb", "-g", "-c", "types.c", "-o", "types.o"];
        if clang(&folder, &object).is_none() {
            skip(test, "no clang");
            return;
        }
        let object = fs::read(folder.join("types.o")).unwrap();
        let file = ElfFile64::<Endianness>::parse(&object[..]).unwrap();
        let data = file.section_by_name(".data").unwrap();
        fs::write(folder.join("data"), data.data().unwrap()).unwrap();
        let text = aya_tool::generate(folder.join("types.o"), &[name]).unwrap();
        assert_eq!(text.matches("cfg!(target_endian = \"big\")").count(), 2);
        let text = text.replace("cfg!(target_endian = \"big\")", "true");
        fs::write(folder.join("vmlinux.rs"), text).unwrap();
        let reads = pairs(&|field, value| {
            format!("assert_eq!(object.{field}() as i64, {value}, \"{field}\");\n")
        });
        let writes = pairs(&|field, value| format!("again.set_{field}({value}i64 as _);\n"));
        let main = format!(
            "{MODULE}\
             use vmlinux::{name};\n\
             const SIZE: usize = size_of::<{name}>();\n\
             fn main() {{\n\
             let data: [u8; SIZE] = *include_bytes!(\"data\");\n\
             let object: {name} = unsafe {{ std::mem::transmute(data) }};\n\
             {reads}\
             let mut again: {name} = unsafe {{ std::mem::zeroed() }};\n\
             {writes}\
             let again: [u8; SIZE] = unsafe {{ std::mem::transmute(again) }};\n\
             assert_eq!(again, data);\n}}\n"
        );
        fs::write(folder.join("main.rs"), main).unwrap();
        rustc(&folder, &["--edition=2024", "-oours"]);
        printed(&folder, "ours");
    }
}
