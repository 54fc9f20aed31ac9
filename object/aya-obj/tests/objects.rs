//! Objects as compilers write them: everything in them is found, configured and linked.

mod common;

use aya_obj::{
    Config, Endianness, Error, Global, LinkedObject, LinkedProgram, MapChange, ObjectSpec,
    btf::Kind,
    spec::{ExternKind, FunctionKey, InitialValue, MapSpec, PinningType, Reloc, Warning},
};
use aya_uapi::{MapType, ProgType};
use common::{FIREWALL, compile, compile_with};

fn map<'a>(spec: &'a ObjectSpec, name: &str) -> &'a MapSpec {
    let map = spec.maps.iter().find(|map| map.name == name);
    map.unwrap_or_else(|| panic!("no map {name}"))
}

fn link(spec: ObjectSpec) -> LinkedObject {
    spec.configure(&Config::default()).unwrap().link().unwrap()
}

fn program<'a>(object: &'a LinkedObject, name: &str) -> &'a LinkedProgram {
    let program = object.programs.iter().find(|p| p.spec.name == name);
    program.unwrap_or_else(|| panic!("no program {name}"))
}

#[test]
fn programs_maps_and_globals_are_found() {
    let Some(bytes) = compile("programs_maps_and_globals_are_found", FIREWALL) else {
        return;
    };
    let spec = ObjectSpec::parse(&bytes).unwrap();
    assert_eq!(spec.license.as_deref(), Some("GPL"));
    assert_eq!(spec.endian, Endianness::Little);

    let names: Vec<_> = spec.programs.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["tail", "firewall"], "by place");
    assert_eq!(spec.programs[0].def.prog_type, ProgType::XDP);
    assert_eq!(
        spec.warnings,
        [Warning::UnknownSection {
            section: "mystery/thing".into()
        }]
    );
    assert!(spec.functions.values().any(|f| f.name == "unknown"));

    let blocklist = map(&spec, "BLOCKLIST");
    assert_eq!(blocklist.map_type, MapType::HASH);
    assert_eq!((blocklist.key_size, blocklist.value_size), (4, 24));
    assert_eq!((blocklist.max_entries, blocklist.flags), (1024, 1));
    assert_eq!(blocklist.pinning, PinningType::ByName);
    let btf = spec.btf.as_ref().unwrap();
    assert_eq!(btf.type_name(blocklist.key_type), "key");
    assert_eq!(btf.type_name(blocklist.value_type), "value");

    let outer = map(&spec, "OUTER");
    let inner = outer.inner.as_ref().unwrap();
    assert_eq!((inner.map_type, inner.max_entries), (MapType::ARRAY, 3));
    let (index, InitialValue::Map(id)) = outer.initial[0] else {
        panic!("{:?}", outer.initial);
    };
    assert_eq!((index, spec.map(id).unwrap().name.as_str()), (1, "INNER"));

    let tails = map(&spec, "TAILS");
    assert_eq!(tails.value_size, 4);
    let tail = spec.programs[0].function;
    assert_eq!(tails.initial, [(2, InitialValue::Program(tail))]);

    let rodata = map(&spec, ".rodata");
    assert!(rodata.frozen);
    let level = spec.globals["LEVEL"];
    assert_eq!(level.size, 4);
    let at = level.offset as usize;
    let contents = rodata.contents.as_ref().unwrap();
    assert_eq!(contents[at..at + 4], [3, 0, 0, 0]);
    assert_eq!(map(&spec, ".bss").contents.as_deref(), Some(&[][..]));
    assert_eq!(map(&spec, ".bss").value_size, 8);

    // The compiler leaves sizes and places of sections open.
    let Kind::Datasec { size, vars } = &btf.get(rodata.value_type).unwrap().kind else {
        panic!("not a section");
    };
    assert_eq!(*size, rodata.value_size);
    assert!(vars.iter().any(|var| var.offset != 0));
}

#[test]
fn programs_become_flat() {
    let Some(bytes) = compile("programs_become_flat", FIREWALL) else {
        return;
    };
    let object = link(ObjectSpec::parse(&bytes).unwrap());
    let firewall = program(&object, "firewall");
    let names: Vec<_> = firewall.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names[0], "firewall");
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(sorted, ["callback", "firewall", "helper", "local"]);

    // Every call and every callback leads to the start of a function.
    let starts: Vec<_> = firewall.functions.iter().map(|f| f.insn as i64).collect();
    let mut calls = 0;
    for (index, instruction) in firewall.insns.iter().enumerate() {
        let insn = instruction.insn;
        if insn.is_subprogram_call() || insn.is_ld_imm64() && insn.src() == 4 {
            assert!(starts.contains(&(index as i64 + 1 + i64::from(insn.imm))));
            calls += 1;
        }
    }
    assert!(calls >= 4, "{calls}");

    // Functions have types, and lines where they begin.
    assert_eq!(firewall.func_info().len(), 4);
    let lines = firewall.line_info();
    let btf = object.btf.as_ref().unwrap();
    assert!(lines.is_sorted_by(|a, b| a.insn < b.insn));
    assert!(
        lines
            .iter()
            .any(|line| btf.name(line.text).contains("dropped++"))
    );
    assert_eq!(lines[0].insn, 0);

    // The other program has only what it calls.
    let tail = program(&object, "tail");
    assert_eq!(tail.functions.len(), 3);
    assert!(
        tail.lines
            .iter()
            .all(|line| (line.insn as usize) < tail.insns.len())
    );
}

#[test]
fn maps_are_filled_in() {
    let Some(bytes) = compile("maps_are_filled_in", FIREWALL) else {
        return;
    };
    let object = link(ObjectSpec::parse(&bytes).unwrap());
    let firewall = program(&object, "firewall");
    let insns = firewall
        .instructions(|map| Ok::<_, ()>(100 + map.0 as i32))
        .unwrap();
    let level = object.globals["LEVEL"];
    let mut seen = 0;
    for (index, instruction) in firewall.insns.iter().enumerate() {
        match instruction.reloc {
            Some(Reloc::MapFd(map)) => {
                assert_eq!(
                    (insns[index].src(), insns[index].imm),
                    (1, 100 + map.0 as i32)
                );
                assert_eq!(insns[index + 1].imm, 0);
            }
            Some(Reloc::MapValue { map, offset }) => {
                assert_eq!(
                    (insns[index].src(), insns[index].imm),
                    (2, 100 + map.0 as i32)
                );
                assert_eq!(insns[index + 1].imm, offset as i32);
                seen += usize::from((map, offset) == (level.map, level.offset));
            }
            _ => {}
        }
    }
    assert!(seen > 0, "no use of LEVEL");
    let failed = firewall.instructions(|_| Err("not created"));
    assert_eq!(failed, Err("not created"));
}

#[test]
fn values_are_put_in() {
    let Some(bytes) = compile("values_are_put_in", FIREWALL) else {
        return;
    };
    let spec = ObjectSpec::parse(&bytes).unwrap();
    let (nine, five) = (9u32.to_ne_bytes(), 5u64.to_ne_bytes());
    let seven = MapChange {
        max_entries: Some(7),
        ..MapChange::default()
    };
    let config = Config {
        maps: vec![("BLOCKLIST", seven.clone())],
        globals: vec![
            Global {
                name: "LEVEL",
                value: &nine,
                must_exist: true,
            },
            Global {
                name: "dropped",
                value: &five,
                must_exist: true,
            },
            Global {
                name: "NOT_THERE",
                value: &[1],
                must_exist: false,
            },
        ],
    };
    let configured = spec.clone().configure(&config).unwrap();
    let changed = configured.spec();
    assert_eq!(map(changed, "BLOCKLIST").max_entries, 7);
    let at = changed.globals["LEVEL"].offset as usize;
    let contents = map(changed, ".rodata").contents.as_ref().unwrap();
    assert_eq!(contents[at..at + 4], 9u32.to_ne_bytes());
    assert_eq!(
        map(changed, ".bss").contents.as_deref(),
        Some(&5u64.to_ne_bytes()[..])
    );

    let with = |name, value: &'static [u8], must_exist| Config {
        globals: vec![Global {
            name,
            value,
            must_exist,
        }],
        ..Config::default()
    };
    let error = |config| spec.clone().configure(&config).unwrap_err();
    assert_eq!(
        error(with("LEVEL", &[1], true)),
        Error::GlobalSize {
            global: "LEVEL".into(),
            expected: 4,
            given: 1
        }
    );
    let missing = error(with("NOT_THERE", &[1], true));
    assert!(
        missing.to_string().starts_with("global `NOT_THERE`"),
        "{missing}"
    );
    let config = Config {
        maps: vec![("NOPE", seven)],
        ..Config::default()
    };
    assert_eq!(error(config), Error::NoMap { map: "NOPE".into() });
}

#[test]
fn functions_of_different_sections_do_not_mix() {
    // `far` and `other` begin at the same offset of different sections.
    let source = r#"
        SEC("second") noinline int other(int x) { return x * 3; }
        noinline int far(int x) { return x * 5; }
        SEC("xdp") int one(struct xdp_md *ctx) { return far(ctx->data); }
        SEC("tc") int two(struct xdp_md *ctx) { return other(ctx->data); }
    "#;
    let Some(bytes) = compile("functions_of_different_sections_do_not_mix", source) else {
        return;
    };
    let object = link(ObjectSpec::parse(&bytes).unwrap());
    let callee = |name| program(&object, name).functions[1].name.clone();
    assert_eq!(callee("one"), "far");
    assert_eq!(callee("two"), "other");
}

#[test]
fn legacy_maps_are_read() {
    let source = r#"
        struct def { u32 type, key, value, max, flags, id, pinning; };
        struct small { u32 type, key, value, max, flags; };
        struct def EVENTS SEC("maps") = { 4, 4, 4, 0, 0, 9, 1 };
        struct small COUNTS SEC("maps") = { 2, 4, 8, 16, 0 };
        SEC("xdp") int one(struct xdp_md *ctx) { u32 k = 0; return lookup(&COUNTS, &k) && lookup(&EVENTS, &k); }
    "#;
    for options in [&["-g", "-target", "bpfel"][..], &["-target", "bpfel"]] {
        let Some(bytes) = compile_with("legacy_maps_are_read", source, options) else {
            return;
        };
        let spec = ObjectSpec::parse(&bytes).unwrap();
        let events = map(&spec, "EVENTS");
        assert_eq!(events.map_type, MapType::PERF_EVENT_ARRAY);
        assert_eq!((events.id, events.pinning), (9, PinningType::ByName));
        let counts = map(&spec, "COUNTS");
        assert_eq!(
            (counts.key_size, counts.value_size, counts.max_entries),
            (4, 8, 16)
        );
        assert_eq!(counts.pinning, PinningType::None);
        let object = link(spec);
        assert_eq!(program(&object, "one").maps().count(), 2);
    }
}

#[test]
fn the_other_byte_order_is_read_but_not_configured() {
    let test = "the_other_byte_order_is_read_but_not_configured";
    let Some(big) = compile_with(test, FIREWALL, &["-g", "-target", "bpfeb"]) else {
        return;
    };
    let Some(little) = compile(test, FIREWALL) else {
        return;
    };
    let big = ObjectSpec::parse(&big).unwrap();
    let little = ObjectSpec::parse(&little).unwrap();
    assert_eq!(big.endian, Endianness::Big);
    // Instructions come out in the order of the host, and so do maps and types.
    assert_eq!(big.maps.len(), little.maps.len());
    assert_eq!(map(&big, "BLOCKLIST").max_entries, 1024);
    let insns = |spec: &ObjectSpec| -> Vec<_> {
        spec.functions
            .values()
            .flat_map(|f| f.insns.clone())
            .collect()
    };
    assert_eq!(insns(&big).len(), insns(&little).len());
    let (foreign, fix) = match cfg!(target_endian = "little") {
        true => (big, "bpfel"),
        false => (little, "bpfeb"),
    };
    let error = foreign.configure(&Config::default()).unwrap_err();
    assert!(matches!(error, Error::ByteOrder { .. }));
    assert!(error.to_string().contains(fix), "{error}");
}

#[test]
fn fields_of_events_ride_on_the_calls_that_stand_for_them() {
    let source = r#"
        extern u64 pid(void *ctx) __asm__("__aya_field:4:sched/sched_process_exec:pid");
        extern u64 path(void *ctx) __asm__("__aya_field:bytes::filename");
        SEC("tp/sched/sched_process_exec") int one(void *ctx) { return pid(ctx) + path(ctx) + pid(ctx); }
        SEC("xdp") int two(struct xdp_md *ctx) { return 2; }
    "#;
    let test = "fields_of_events_ride_on_the_calls_that_stand_for_them";
    let Some(bytes) = compile(test, source) else {
        return;
    };
    let object = link(ObjectSpec::parse(&bytes).unwrap());
    let one = program(&object, "one");
    let read: Vec<_> = one.fields().collect();
    let names: Vec<_> = read.iter().map(|(_, field)| field.name.as_str()).collect();
    assert_eq!(names, ["pid", "filename", "pid"]);
    assert_eq!(read[0].1.event.as_deref(), Some("sched/sched_process_exec"));
    assert_eq!(read[1].1.event, None);
    let calls: Vec<_> = read.iter().map(|(at, _)| one.insns[*at].insn).collect();
    assert!(calls.iter().all(|insn| insn.is_subprogram_call()));
    assert_eq!(program(&object, "two").fields().count(), 0);

    let broken = source.replace("__aya_field:bytes::filename", "__aya_field:3::filename");
    let error = ObjectSpec::parse(&compile(test, &broken).unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("it names no field of an event"),
        "{error}"
    );
}

#[test]
fn what_the_kernel_defines_is_listed_and_refused_for_now() {
    let source = r#"
        extern int bpf_thing(int x) SEC(".ksyms");
        extern u32 VERSION __attribute__((weak)) SEC(".kconfig");
        SEC("xdp") int one(struct xdp_md *ctx) { return bpf_thing(1) + VERSION; }
    "#;
    let test = "what_the_kernel_defines_is_listed_and_refused_for_now";
    let Some(bytes) = compile(test, source) else {
        return;
    };
    let spec = ObjectSpec::parse(&bytes).unwrap();
    let find = |name| spec.externs.iter().find(|ext| ext.name == name).unwrap();
    assert_eq!(find("bpf_thing").kind, ExternKind::Ksym);
    assert!(!find("bpf_thing").weak);
    assert_eq!(find("VERSION").kind, ExternKind::Kconfig);
    assert!(find("VERSION").weak);
    let error = spec
        .configure(&Config::default())
        .unwrap()
        .link()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("program `one`") && text.contains("bpf_thing"),
        "{text}"
    );
}

#[test]
fn core_records_are_carried_and_refused_for_now() {
    let source = r#"
        struct task { int pid; int tgid; } __attribute__((preserve_access_index));
        SEC("kprobe/do_unlinkat") int one(struct task *task) { return task->tgid; }
    "#;
    let Some(bytes) = compile("core_records_are_carried_and_refused_for_now", source) else {
        return;
    };
    let spec = ObjectSpec::parse(&bytes).unwrap();
    let function = &spec.functions[&spec.programs[0].function];
    assert_eq!(spec.programs[0].target.as_deref(), Some("do_unlinkat"));
    let btf = spec.btf.as_ref().unwrap();
    assert_eq!(btf.name(function.core[0].access), "0:1");
    let carried = function
        .insns
        .iter()
        .filter(|i| i.reloc == Some(Reloc::Core(0)));
    assert_eq!(carried.count(), 1);
    let error = spec
        .configure(&Config::default())
        .unwrap()
        .link()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`task` (CO-RE)") && text.contains("not supported yet"),
        "{text}"
    );
}

#[test]
fn an_unresolved_symbol_is_named() {
    let source = r#"
        int missing(int x);
        SEC("xdp") int one(struct xdp_md *ctx) { return missing(1); }
    "#;
    let Some(bytes) = compile("an_unresolved_symbol_is_named", source) else {
        return;
    };
    let error = ObjectSpec::parse(&bytes).unwrap_err();
    assert!(matches!(&error, Error::Unresolved { symbol, .. } if symbol == "missing"));
}

#[test]
fn sections_for_user_space_are_kept() {
    let source = r#"
        char messages[] SEC(".aya.log") = "format";
        char table[] SEC("strange") = "data";
        SEC("?xdp") int one(struct xdp_md *ctx) { return 1; }
    "#;
    let Some(bytes) = compile("sections_for_user_space_are_kept", source) else {
        return;
    };
    let spec = ObjectSpec::parse(&bytes).unwrap();
    assert_eq!(spec.kept[".aya.log"], b"format\0");
    assert!(spec.programs[0].optional);
    let warning = spec.warnings[0].to_string();
    assert!(warning.contains("`strange`"), "{warning}");
}

#[test]
fn keys_hold_section_and_offset() {
    let key = FunctionKey {
        section: 3,
        offset: 16,
    };
    assert_eq!(key.to_string(), "3+0x10");
}
