//! Objects that are broken, foreign or hostile: a typed error that says what to do, never a panic.

#[path = "common/build.rs"]
mod build;
mod common;

use aya_obj::{
    Config, Endianness, Error, LinkedObject, ObjectSpec,
    btf::{Btf, DatasecVar, Kind, Name, Struct, TypeId, VarLinkage},
};
use aya_uapi::{Insn, MapType};
use build::*;

/// Everything that follows parsing.
fn work(bytes: &[u8]) -> Result<LinkedObject, Error> {
    let object = ObjectSpec::parse(bytes)?
        .configure(&Config::default())?
        .link()?;
    for program in &object.programs {
        let insns = program.instructions(|_| Ok::<_, Error>(3))?;
        assert_eq!(insns.len(), program.insns.len());
        let _ = (program.func_info(), program.line_info());
    }
    Ok(object)
}

#[test]
fn an_object_made_by_hand_works() {
    let object = work(&hand_made()).unwrap();
    let program = &object.programs[0];
    assert_eq!(object.kernel_version, Some(0x050a00));
    assert_eq!(program.functions.len(), 2);
    assert_eq!(program.insns[7].insn.imm, 1);
    assert_eq!(program.func_info().len(), 2);
    // A line at the first instruction of each function is a must.
    let lines: Vec<_> = program.line_info().iter().map(|line| line.insn).collect();
    assert_eq!(lines, [0, 2, 9]);
    let new = object.maps.iter().find(|map| map.name == "NEW").unwrap();
    assert_eq!((new.map_type, new.max_entries), (MapType::RINGBUF, 4096));
    assert_eq!(object.kept[".aya.log"], b"message");
    assert!(object.warnings[0].to_string().contains("`surprise`"));
}

#[test]
fn empty_and_truncated_objects_are_refused() {
    let bytes = hand_made();
    let error = work(&[]).unwrap_err();
    assert!(matches!(error, Error::Elf { .. }));
    assert!(
        error.to_string().contains("pass the eBPF object"),
        "{error}"
    );
    for len in 0..bytes.len() {
        assert!(work(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn flipped_bits_never_panic() {
    let mut objects = vec![hand_made()];
    objects.extend(common::compile(
        "flipped_bits_never_panic",
        common::FIREWALL,
    ));
    for mut bytes in objects {
        // Every bit of small objects, a spread of those of large ones.
        let step = (bytes.len() * 8 / 6_000).max(1);
        for bit in (0..bytes.len() * 8).step_by(step) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Err(error) = work(&bytes) {
                assert!(!error.to_string().is_empty());
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_program_of_the_host_is_refused() {
    let mut bytes = hand_made();
    bytes[18] = 62;
    let error = work(&bytes).unwrap_err();
    assert_eq!(error, Error::Machine { machine: 62 });
    assert!(
        error.to_string().contains("built for x86-64, not for eBPF"),
        "{error}"
    );
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(matches!(work(&own).unwrap_err(), Error::Machine { .. }));
}

#[test]
fn an_executable_is_refused() {
    let mut bytes = hand_made();
    bytes[16] = 2;
    assert_eq!(
        work(&bytes).unwrap_err(),
        Error::NotRelocatable { file_type: 2 }
    );
}

#[test]
fn unknown_sections_and_map_types_are_no_errors() {
    let mut elf = Elf::new();
    let strange = elf.section("martian/x", PROGBITS, CODE, code(&[Insn::EXIT]));
    elf.symbol("lost", GLOBAL_FUNC, strange, 0, 8);
    let numbers: [u32; 5] = [9999, 4, 4, 1, 0];
    let map = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let maps = elf.section("maps", PROGBITS, ALLOC, map);
    elf.symbol("NOVEL", GLOBAL_OBJECT, maps, 0, 20);
    let object = work(&elf.write()).unwrap();
    let warning = object.warnings[0].to_string();
    assert!(
        warning.contains("`martian/x`") && warning.contains("ignored"),
        "{warning}"
    );
    // The kernel, or the library that asks it, is to judge the type: it may be a newer one.
    assert_eq!(object.maps[0].map_type, MapType(9999));
}

#[test]
fn sections_that_claim_more_than_the_file_has_are_refused() {
    let mut elf = Elf::new();
    for _ in 0..3 {
        elf.section(".rodata", PROGBITS, ALLOC, vec![1; 4096]);
    }
    let mut bytes = elf.write();
    // Let all of them begin at the first one's place and reach to the end of the file.
    let headers = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let len = bytes.len() as u64 - 64;
    for section in 1..4 {
        let header = headers + 64 * section;
        bytes[header + 24..header + 32].copy_from_slice(&64u64.to_le_bytes());
        bytes[header + 32..header + 40].copy_from_slice(&len.to_le_bytes());
    }
    assert_eq!(work(&bytes).unwrap_err(), Error::Overlap);
}

#[test]
fn a_huge_bss_costs_nothing() {
    let mut elf = Elf::new();
    let bss = elf.section(".bss", NOBITS, ALLOC, Vec::new());
    elf.resize(bss, 1 << 40);
    let error = work(&elf.write()).unwrap_err();
    assert!(
        error.to_string().contains("`.bss`: more than 128 MiB"),
        "{error}"
    );
}

#[test]
fn shared_functions_do_not_multiply_without_bounds() {
    // Each of many small programs calls one large function.
    let mut elf = Elf::new();
    let mut body = vec![Insn::mov64_imm(0, 0); 100_000];
    body.push(Insn::EXIT);
    let text = elf.section(".text", PROGBITS, CODE, code(&body));
    let callee = elf.symbol("big", LOCAL_FUNC, text, 0, 8 * body.len() as u64);
    let pair = [Insn::new(Insn::CALL, 0, 1, 0, -1), Insn::EXIT];
    let xdp = elf.section("xdp", PROGBITS, CODE, code(&pair.repeat(5000)));
    let mut relocations = Vec::new();
    for index in 0..5000 {
        elf.symbol(&format!("p{index}"), GLOBAL_FUNC, xdp, index * 16, 16);
        relocations.push((index * 16, callee, 10));
    }
    elf.relocations(xdp, &relocations);
    assert!(matches!(work(&elf.write()), Err(Error::TooLarge { .. })));
}

#[test]
fn calls_into_nowhere_are_refused() {
    let with = |insns: &[Insn], relocation: Option<(u64, u32, u32)>| {
        let mut elf = Elf::new();
        let xdp = elf.section("xdp", PROGBITS, CODE, code(insns));
        elf.symbol("main", GLOBAL_FUNC, xdp, 0, 8 * insns.len() as u64);
        elf.relocations(xdp, relocation.as_slice());
        work(&elf.write()).unwrap_err()
    };
    let call = |imm| Insn::new(Insn::CALL, 0, 1, 0, imm);
    let text = with(&[call(77), Insn::EXIT], None).to_string();
    assert!(
        text.contains("xdp+0x0") && text.contains("no function begins"),
        "{text}"
    );
    let text = with(&[call(3), Insn::EXIT], Some((0, 1, 10))).to_string();
    assert!(text.contains("no function begins"), "{text}");
    let text = with(&[Insn::mov64_imm(0, 0), Insn::EXIT], Some((0, 1, 1))).to_string();
    assert!(text.contains("neither a 64-bit load nor a call"), "{text}");
    let [first, _] = Insn::ld_imm64(1, 0, 0);
    let text = with(&[first], Some((0, 1, 1))).to_string();
    assert!(text.contains("second half"), "{text}");
    let text = with(&[call(0), Insn::EXIT], Some((0, 99, 10))).to_string();
    assert!(text.contains("does not exist"), "{text}");
}

#[test]
fn broken_maps_name_themselves() {
    let with = |numbers: &[u32]| {
        let mut elf = Elf::new();
        let data = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let maps = elf.section("maps", PROGBITS, ALLOC, data);
        elf.symbol("M", GLOBAL_OBJECT, maps, 0, 4 * numbers.len() as u64);
        work(&elf.write()).unwrap_err().to_string()
    };
    assert!(with(&[1, 4, 4]).starts_with("map `M`: has a definition of less than 20 bytes"));
    assert!(with(&[1, 4, 4, 1, 0, 0, 8]).starts_with("map `M`: member `pinning` is of an unknown"));
}

#[test]
fn long_names_do_not_multiply() {
    // Every program calls one function whose name is long.
    let mut elf = Elf::new();
    let text = elf.section(".text", PROGBITS, CODE, code(&[Insn::EXIT]));
    let callee = elf.symbol(&"n".repeat(60_000), LOCAL_FUNC, text, 0, 8);
    let pair = [Insn::new(Insn::CALL, 0, 1, 0, -1), Insn::EXIT];
    let xdp = elf.section("xdp", PROGBITS, CODE, code(&pair.repeat(2000)));
    let mut relocations = Vec::new();
    for index in 0..2000 {
        elf.symbol("p", GLOBAL_FUNC, xdp, index * 16, 16);
        relocations.push((index * 16, callee, 10));
    }
    elf.relocations(xdp, &relocations);
    assert!(matches!(work(&elf.write()), Err(Error::TooLarge { .. })));

    let mut elf = Elf::new();
    let name = String::leak("kprobe/".to_owned() + &"n".repeat(600));
    elf.section(name, PROGBITS, CODE, code(&[Insn::EXIT]));
    let error = work(&elf.write()).unwrap_err();
    assert!(
        error.to_string().contains("longer than 512 bytes"),
        "{error}"
    );
}

#[test]
fn a_map_is_defined_once() {
    let mut btf = Btf::new();
    let name = btf.intern("M");
    let definition = btf.add(Name::NONE, Kind::Struct(Struct::default()));
    let linkage = VarLinkage::GLOBAL;
    let ty = definition;
    let ty = btf.add(name, Kind::Var { ty, linkage });
    let var = |offset| DatasecVar {
        ty,
        offset,
        size: 0,
    };
    let name = btf.intern(".maps");
    let vars = vec![var(0), var(8)];
    btf.add(name, Kind::Datasec { size: 16, vars });
    let mut elf = Elf::new();
    elf.section(".maps", PROGBITS, ALLOC, vec![0; 16]);
    elf.section(".BTF", PROGBITS, 0, btf.write(Endianness::Little).unwrap());
    let error = work(&elf.write()).unwrap_err();
    assert!(
        error.to_string().starts_with("map `M`: is defined twice"),
        "{error}"
    );
}

#[test]
fn many_sections_with_many_types_take_no_time() {
    let mut btf = Btf::new();
    let name = btf.intern("filler");
    for _ in 0..200_000 {
        btf.add(name, Kind::Ptr(TypeId::VOID));
    }
    let mut elf = Elf::new();
    for _ in 0..20_000 {
        elf.section(".data", PROGBITS, ALLOC, vec![0; 8]);
    }
    elf.section(".BTF", PROGBITS, 0, btf.write(Endianness::Little).unwrap());
    let start = std::time::Instant::now();
    assert_eq!(work(&elf.write()).unwrap().maps.len(), 20_000);
    // Looking each section up among all types would take minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn an_object_of_the_other_byte_order_is_refused() {
    let foreign = cfg!(target_endian = "little");
    let half = |number: u16| match foreign {
        true => number.to_be_bytes(),
        false => number.to_le_bytes(),
    };
    // A header without sections is a whole object, if an empty one.
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1 + u8::from(foreign), 1]);
    bytes[16..18].copy_from_slice(&half(1));
    bytes[18..20].copy_from_slice(&half(247));
    bytes[23] = 1;
    bytes[52..54].copy_from_slice(&half(64));
    let error = work(&bytes).unwrap_err();
    assert!(matches!(error, Error::ByteOrder { .. }), "{error}");
    assert!(error.to_string().contains("-unknown-none"), "{error}");
}
