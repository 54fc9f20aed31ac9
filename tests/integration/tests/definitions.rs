//! Definitions of maps: the two forms that programs write, templates of inner maps, and what maps hold
//! from the start.

use std::{collections::BTreeMap, fs, path::PathBuf};

use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, ReusePolicy},
    programs::{ProgramError, TestRun as _, TestRunOptions},
};
use aya_obj::{ObjectSpec, spec::MapSpec};
use aya_tests::{TestResult, can_pin, in_both_modes, pin_path, skip, xdp};
use aya_uapi::{MapType, maps::MAPS};

/// What the program `name` of an object returns for some packet.
fn run(ebpf: &mut Ebpf, name: &str) -> TestResult<u32> {
    let program = xdp(ebpf, name)?;
    match program.load() {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
        Err(error) => return Err(error.into()),
    }
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

/// The map called `name`.
fn find<'a>(object: &'a ObjectSpec, name: &str) -> Result<&'a MapSpec, String> {
    object
        .maps
        .iter()
        .find(|map| map.name == name)
        .ok_or_else(|| format!("no map {name}"))
}

/// The types that programs can define but need no map of: the kernel's structures define it.
const NOT_DEFINED: [MapType; 1] = [MapType::STRUCT_OPS];

/// Each map in the one form is the same in the other, and every type is there in both.
#[test]
fn both_forms_say_the_same() -> TestResult {
    for mode in ["donor", "native"] {
        let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
        let mut types = NOT_DEFINED.to_vec();
        for name in [
            "definitions",
            "newer",
            "recent",
            "arena",
            "newest",
            "shared",
        ] {
            let Some(object) = aya_tests::object(mode, name) else {
                let reason = format!("needs a toolchain for {mode} mode when it is built");
                return Ok(skip("both_forms_say_the_same", &reason)?);
            };
            let object = ObjectSpec::parse(object)?;
            for map in &object.maps {
                let shape = shape(&object, map);
                if let Some(name) = map.name.strip_prefix("OLD_") {
                    old.insert(name.to_owned(), shape);
                    types.push(map.map_type);
                } else if let Some(name) = map.name.strip_prefix("NEW_") {
                    new.insert(name.to_owned(), shape);
                }
            }
        }
        assert_eq!(old, new, "{mode}");
        let missing = MAPS
            .iter()
            .filter(|row| row.supported && !types.contains(&row.map_type));
        let missing: Vec<_> = missing.map(|row| row.name).collect();
        assert!(missing.is_empty(), "{mode}: no definition of {missing:?}");
    }
    Ok(())
}

/// As the program defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Account {
    lock: u32,
    deposits: u32,
    sum: u64,
}

/// A folder of pins, which is removed with them.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

in_both_modes! {
    /// Numbers that only some maps have, and templates.
    fn numbers_and_templates(object: "definitions", since 5, 8) {
        let object = ObjectSpec::parse(object)?;
        let find = |name| find(&object, name);
        assert_eq!((find("SHALLOW")?.value_size, find("COOKIES")?.value_size), (16 * 8, 8));
        assert_eq!((find("ON_NODE")?.flags, find("ON_NODE")?.numa_node), (1 << 2, 0));
        let outer = find("NEW_OUTER")?;
        let inner = outer.inner.as_deref().ok_or("no inner map")?;
        assert_eq!((outer.map_type, outer.key_size, outer.value_size), (MapType::ARRAY_OF_MAPS, 4, 4));
        assert_eq!((inner.map_type, inner.value_size, inner.flags), (MapType::ARRAY, 4, 1 << 12));
        let inner = find("NEW_OUTER_HASH")?.inner.as_deref().ok_or("no inner map")?;
        assert_eq!((inner.map_type, inner.max_entries), (MapType::LRU_HASH, 8));
        Ok(())
    }

    /// The kernel takes all that 5.10 has, and functions take maps of either form.
    fn the_kernel_takes_every_map(object: "definitions", since 5, 10) {
        let mut ebpf = Ebpf::load(object)?;
        assert_eq!(run(&mut ebpf, "sum")?, 55);
        Ok(())
    }

    /// The kernel takes the newer ones.
    fn the_kernel_takes_newer_maps(object: "newer", since 6, 1) {
        assert_eq!(find(&ObjectSpec::parse(object)?, "NEW_BLOOM")?.map_extra, 3);
        Ebpf::load(object)?;
        Ok(())
    }

    /// And those that came then.
    fn the_kernel_takes_recent_maps(object: "recent", since 6, 9) {
        Ebpf::load(object)?;
        Ok(())
    }

    /// Maps that are pinned by name are one map for all that load the object, unless they are to be new.
    fn maps_are_shared_by_name(object: "shared", since 5, 8) {
        if !can_pin("maps_are_shared_by_name")? {
            return Ok(());
        }
        let folder = Folder(pin_path("shared"));
        fs::create_dir(&folder.0)?;
        let load = |policy| {
            let mut loader = EbpfLoader::new();
            let loader = loader.default_map_pin_directory(&folder.0);
            loader.map_reuse_policy(policy).load(object)
        };
        for expected in [2, 4] {
            assert_eq!(run(&mut load(ReusePolicy::CreateOrReuse)?, "count")?, expected);
        }
        assert!(["OLD_RUNS", "NEW_RUNS"].iter().all(|name| folder.0.join(name).exists()));
        assert_eq!(run(&mut load(ReusePolicy::Replace)?, "count")?, 2);
        assert_eq!(run(&mut load(ReusePolicy::CreateOrReuse)?, "count")?, 4);
        Ok(())
    }

    /// An arena in its other form.
    fn the_kernel_takes_an_arena(object: "arena", since 6, 9) {
        Ebpf::load(object)?;
        Ok(())
    }

    /// And the newest.
    fn the_kernel_takes_the_newest_maps(object: "newest", since 7, 2) {
        Ebpf::load(object)?;
        Ok(())
    }

    /// Values with a lock are read and written in one piece, and the lock stays the kernel's.
    fn values_with_a_lock(object: "locked", since 5, 8) {
        const BPF_F_LOCK: u64 = 4;
        let mut ebpf = Ebpf::load(object)?;
        assert_eq!(run(&mut ebpf, "deposit")?, 0);
        let account = |deposits, sum| Account { lock: 0, deposits, sum };
        let map = ebpf.map_mut("ACCOUNTS").ok_or("no map")?;
        let mut accounts: HashMap<_, u32, Account> = HashMap::try_from(map)?;
        accounts.insert(1, account(1, 100), 0)?;
        accounts.insert(1, Account { lock: 7, ..account(2, 200) }, BPF_F_LOCK)?;
        assert_eq!(run(&mut ebpf, "deposit")?, 1);
        let map = ebpf.map_mut("ACCOUNTS").ok_or("no map")?;
        let mut accounts: HashMap<_, u32, Account> = HashMap::try_from(map)?;
        assert_eq!(accounts.get(&1, BPF_F_LOCK)?, account(3, 210));
        assert_eq!(accounts.insert_batch(&[1], &[account(4, 400)], BPF_F_LOCK)?, 1);
        assert_eq!(accounts.get(&1, 0)?, account(4, 400));
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
