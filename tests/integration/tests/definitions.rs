//! Definitions of maps: the two forms that programs write, templates of inner maps, and what maps hold
//! from the start.

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions},
};
use aya_obj::{ObjectSpec, spec::MapSpec};
use aya_tests::{TestResult, in_both_modes, xdp};
use aya_uapi::MapType;

/// What the program `name` of an object returns for some packet.
fn run(ebpf: &mut Ebpf, name: &str) -> TestResult<u32> {
    let program = xdp(ebpf, name)?;
    program.load()?;
    let options = TestRunOptions {
        data_in: Some(&[0; 64]),
        ..TestRunOptions::default()
    };
    Ok(program.test_run(options)?.return_value)
}

/// Everything that a definition says but the name.
fn shape(object: &ObjectSpec, map: &MapSpec) -> String {
    let type_name = |ty| object.btf.as_ref().map(|btf| btf.type_name(ty).to_owned());
    let (key, value) = (type_name(map.key_type), type_name(map.value_type));
    let numbers = [
        map.map_type.0,
        map.key_size,
        map.value_size,
        map.max_entries,
    ];
    let flags = (map.flags, map.numa_node, map.map_extra, map.pinning);
    let inner = map.inner.as_deref().map(|inner| shape(object, inner));
    format!("{numbers:?} {flags:?} {key:?} {value:?} {inner:?}")
}

in_both_modes! {
    /// Each map in the one form is the same in the other.
    fn both_forms_say_the_same(object: "definitions", since 5, 8) {
        let object = ObjectSpec::parse(object)?;
        let find = |name: &str| object.maps.iter().find(|map| map.name == name).ok_or(name.to_owned());
        let mut pairs = 0;
        for old in object.maps.iter().filter(|map| map.name.starts_with("OLD_")) {
            let new = find(&old.name.replace("OLD_", "NEW_"))?;
            assert_eq!(shape(&object, old), shape(&object, new), "{}", old.name);
            assert_ne!(old.map_type, MapType::UNSPEC, "{}", old.name);
            pairs += 1;
        }
        assert_eq!(pairs, 25);
        assert_eq!(find("NEW_BLOOM")?.map_extra, 3);
        assert_eq!((find("SHALLOW")?.value_size, find("COOKIES")?.value_size), (16 * 8, 8));
        assert_eq!((find("ON_NODE")?.flags, find("ON_NODE")?.numa_node), (1 << 2, 0));
        let outer = find("EMPTY_OUTER")?;
        let inner = outer.inner.as_deref().ok_or("no inner map")?;
        assert_eq!((outer.map_type, outer.key_size, outer.value_size), (MapType::ARRAY_OF_MAPS, 4, 4));
        assert_eq!((inner.map_type, inner.value_size, inner.flags), (MapType::ARRAY, 4, 1 << 12));
        let inner = find("EMPTY_OUTER_HASH")?.inner.as_deref().ok_or("no inner map")?;
        assert_eq!((inner.map_type, inner.max_entries), (MapType::LRU_HASH, 8));
        Ok(())
    }

    /// The kernel takes them all, and functions take maps of either form.
    fn the_kernel_takes_every_map(object: "definitions", since 5, 16) {
        let mut ebpf = Ebpf::load(object)?;
        assert_eq!(run(&mut ebpf, "sum")?, 55);
        Ok(())
    }

    /// Maps find the inner maps that their definitions name.
    fn inner_maps_are_there_from_the_start(object: "nested", since 5, 8) {
        assert_eq!(run(&mut Ebpf::load(object)?, "inner_maps")?, 2);
        Ok(())
    }

    /// Programs find those that their arrays' definitions name, by whatever name.
    fn programs_are_there_from_the_start(object: "nested", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        for name in ["passing", "renamed"] {
            xdp(&mut ebpf, name)?.load()?;
        }
        assert_eq!(run(&mut ebpf, "enter")?, 3);
        Ok(())
    }

    /// A node that no machine has: the definition's number reaches the kernel, and the error names the map.
    fn a_numa_node_that_does_not_exist(object: "distant", since 5, 8) {
        let spec = ObjectSpec::parse(object)?;
        let nodes: Vec<_> = spec.maps.iter().map(|map| (map.numa_node, map.flags)).collect();
        assert_eq!(nodes, [(1023, 1 << 2)]);
        let error = Ebpf::load(object).err().ok_or("the map was created")?;
        assert!(error.to_string().contains("DISTANT"), "{error}");
        Ok(())
    }
}
