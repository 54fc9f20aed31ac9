//! What the loader does with maps besides creating them as they are defined: it finds them by pin and by
//! descriptor, compares, replaces and changes them, and puts maps and programs into them.

use std::{fs, os::fd::AsFd as _, path::Path};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{
        Array, HashMap, MapData, MapDifference, MapError, MapInfo, MapOptions, MapType, ReusePolicy,
    },
    pin::PinError,
    programs::{TestRun as _, TestRunOptions},
};
use aya_obj::{
    btf::{Btf, IntEncoding, Kind, Member, Struct, TypeId},
    spec::MapSpec,
};
use aya_tests::{TestResult, can_pin, in_both_modes, pin_path, xdp};
use aya_uapi::bindings::{BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE};
use bytemuck::{Pod, Zeroable};

/// As the programs define it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
struct Flow {
    packets: u32,
    port: u16,
    reserved: [u8; 2],
    bytes: u64,
}

const PACKET: [u8; 64] = [0; 64];

fn run(ebpf: &mut Ebpf, name: &str) -> TestResult<u32> {
    let options = TestRunOptions {
        data_in: Some(&PACKET),
        ..TestRunOptions::default()
    };
    let program = xdp(ebpf, name)?;
    match program.load() {
        Ok(()) | Err(aya::programs::ProgramError::AlreadyLoaded) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(xdp(ebpf, name)?.test_run(options)?.return_value)
}

fn flow(ebpf: &Ebpf) -> TestResult<Flow> {
    let flows: HashMap<_, u32, Flow> = HashMap::try_from(ebpf.map("FLOWS").ok_or("no map FLOWS")?)?;
    Ok(flows.get(&0, 0)?)
}

/// What differs, of a load that fails for it.
fn differences(loaded: Result<Ebpf, EbpfError>) -> TestResult<Vec<MapDifference>> {
    match loaded {
        Err(EbpfError::MapError(MapError::Incompatible {
            name, differences, ..
        })) if name == "FLOWS" => Ok(differences),
        other => Err(format!("{other:?}").into()),
    }
}

/// Removes a pin at the end of a test.
struct Unpin<'a>(&'a Path);

impl Drop for Unpin<'_> {
    fn drop(&mut self) {
        let _gone = fs::remove_file(self.0);
    }
}

fn pinned(path: &Path, policy: ReusePolicy) -> EbpfLoader<'_> {
    let mut loader = EbpfLoader::new();
    loader.map_pin_path("FLOWS", path).map_reuse_policy(policy);
    loader
}

/// Types of a value with a struct of three members; the last is called `last` and of type `bytes`.
fn types(last: &str, bytes: u32) -> TestResult<(Btf, TypeId, TypeId)> {
    let mut btf = Btf::new();
    let int = |btf: &mut Btf, name: &str, size: u32| {
        let name = btf.intern(name);
        let kind = Kind::Int {
            size,
            encoding: IntEncoding::UNSIGNED,
            offset: 0,
            bits: (size * 8) as u8,
        };
        btf.add(name, kind)
    };
    let word = int(&mut btf, "unsigned int", 4);
    let port = int(&mut btf, "unsigned short", 2);
    let last_type = int(&mut btf, "number", bytes);
    let member = |btf: &mut Btf, name: &str, ty, bit_offset| Member {
        name: btf.intern(name),
        ty,
        bit_offset,
        bits: 0,
    };
    // As in C: what Rust calls `reserved` is a gap.
    let members = vec![
        member(&mut btf, "packets", word, 0),
        member(&mut btf, "port", port, 32),
        member(&mut btf, last, last_type, 64),
    ];
    let name = btf.intern("flow");
    let value = btf.add(name, Kind::Struct(Struct { size: 16, members }));
    Ok((btf, word, value))
}

/// A map like `FLOWS`, whose value has a last member of that name and size.
fn foreign_map(last: &str, bytes: u32) -> TestResult<MapData> {
    let (btf, key_type, value_type) = types(last, bytes)?;
    let endian = match cfg!(target_endian = "little") {
        true => aya::Endianness::Little,
        false => aya::Endianness::Big,
    };
    let loaded = aya_sys::bpf::btf_load(&btf.write(endian)?, None)?;
    let spec = MapSpec {
        key_size: 4,
        value_size: 16,
        max_entries: 16,
        key_type,
        value_type,
        ..MapSpec::new("FLOWS", ".maps", aya_uapi::MapType::HASH)
    };
    Ok(MapData::create(&spec, "FLOWS", Some(loaded.as_fd()))?)
}

in_both_modes! {
    /// A pinned map is used where there is one, and whoever wants it otherwise can say so.
    fn pins_are_reused_by_policy(object: "loading", since 5, 8) {
        if !can_pin("pins_are_reused_by_policy")? {
            return Ok(());
        }
        let path = pin_path("flows");
        let path = path.as_path();
        let missing = pinned(path, ReusePolicy::Reuse).load(object);
        assert!(
            matches!(
                &missing,
                Err(EbpfError::MapError(MapError::PinError { error: PinError::OpenRefused { .. }, .. }))
            ),
            "{missing:?}"
        );
        let mut first = pinned(path, ReusePolicy::Create).load(object)?;
        let _unpin = Unpin(path);
        run(&mut first, "count")?;
        for policy in [ReusePolicy::CreateOrReuse, ReusePolicy::Reuse] {
            let mut again = pinned(path, policy).load(object)?;
            run(&mut again, "count")?;
        }
        let expected = Flow { packets: 3, port: 7, reserved: [0; 2], bytes: 3 * 64 };
        assert_eq!(flow(&first)?, expected);

        let error = pinned(path, ReusePolicy::Create).load(object).err().ok_or("created")?;
        assert!(error.to_string().starts_with("map `FLOWS`: "), "{error}");
        assert!(error.to_string().contains("exists already"), "{error}");
        // What is said for one map goes before what is said for all.
        let own = MapOptions::new().reuse(ReusePolicy::Reuse);
        let again = pinned(path, ReusePolicy::Create).map_options("FLOWS", own).load(object)?;
        assert_eq!(flow(&again)?, expected);
        Ok(())
    }

    /// A new map takes the pin's place at once, or not at all.
    fn pins_are_replaced(object: "loading", since 5, 8) {
        if !can_pin("pins_are_replaced")? {
            return Ok(());
        }
        let path = pin_path("flows");
        let path = path.as_path();
        let mut first = pinned(path, ReusePolicy::Replace).load(object)?;
        let _unpin = Unpin(path);
        run(&mut first, "count")?;
        let old = MapInfo::from_pin(path)?.id();

        // It fails when the map is pinned already, beside the other.
        let other = MapOptions::new().value_size(16);
        let failed = pinned(path, ReusePolicy::Replace).map_options("SECOND", other).load(object);
        let Err(EbpfError::MapError(error @ MapError::InitialValue { index: 1, .. })) = &failed else {
            return Err(format!("{failed:?}").into());
        };
        assert!(error.to_string().starts_with("map `BY_INDEX`: map `SECOND` does not go into"), "{error}");
        assert_eq!(MapInfo::from_pin(path)?.id(), old);

        // Another shape is no obstacle.
        let larger = MapOptions::new().max_entries(64);
        let mut second = pinned(path, ReusePolicy::Replace).map_options("FLOWS", larger).load(object)?;
        let new = MapInfo::from_pin(path)?;
        assert!(new.id() != old && new.max_entries() == 64);
        assert!(flow(&second).is_err(), "the new map is empty");
        run(&mut second, "count")?;
        run(&mut first, "count")?;
        assert_eq!((flow(&first)?.packets, flow(&second)?.packets), (2, 1));

        let name = path.file_name().and_then(|name| name.to_str()).ok_or("no name")?;
        for entry in fs::read_dir("/sys/fs/bpf")? {
            let entry = entry?.file_name();
            let entry = entry.to_string_lossy();
            assert!(entry == name || !entry.starts_with(name), "{entry} is left");
        }
        Ok(())
    }

    /// A map that differs is not used, and the error says in what.
    fn differences_are_named(object: "loading", since 5, 8) {
        if !can_pin("differences_are_named")? {
            return Ok(());
        }
        let path = pin_path("flows");
        let path = path.as_path();
        let other = MapOptions::new()
            .map_type(MapType::Hash)
            .max_entries(17)
            .flags(BPF_F_NO_PREALLOC);
        let first = pinned(path, ReusePolicy::Create).map_options("FLOWS", other).load(object)?;
        let _unpin = Unpin(path);
        let found = differences(pinned(path, ReusePolicy::CreateOrReuse).load(object))?;
        let found: Vec<_> = found.iter().map(|it| it.to_string()).collect();
        assert_eq!(found, ["max_entries is 17, expected 16", "flags is 0x1, expected 0x0"]);

        let sizes = MapOptions::new().map_type(MapType::LruHash).key_size(8).value_size(32).flags(0);
        let found = pinned(path, ReusePolicy::Reuse).map_options("FLOWS", sizes).load(object);
        let found: Vec<_> = differences(found)?.into_iter().map(|it| it.what).collect();
        assert_eq!(found, ["type", "key size", "value size", "max_entries", "flags"]);
        drop(first);
        Ok(())
    }

    /// So does one whose values are of another type of the same size.
    fn types_are_compared(object: "loading", since 5, 8) {
        if !can_pin("types_are_compared")? {
            return Ok(());
        }
        for (last, bytes, expected) in [
            ("bytes", 8, None),
            ("octets", 8, Some("value type is `octets: number` at byte 8, expected `bytes: u64` at byte 8")),
            ("bytes", 4, Some("value type, member `bytes` is number, expected u64")),
        ] {
            let path = pin_path("flows");
            let map = foreign_map(last, bytes)?;
            map.pin(&path)?;
            let _unpin = Unpin(&path);
            let loaded = pinned(&path, ReusePolicy::Reuse).load(object);
            match expected {
                None => drop(loaded?),
                Some(expected) => {
                    let found = differences(loaded)?;
                    let found: Vec<_> = found.iter().map(|it| it.to_string()).collect();
                    assert_eq!(found, [expected]);
                }
            }
        }
        Ok(())
    }

    /// Two objects share a map that one has, pinned or not.
    fn maps_are_shared_by_descriptor(object: "loading", since 5, 8) {
        let mut first = Ebpf::load(object)?;
        run(&mut first, "count")?;
        let fd = first.map("FLOWS").ok_or("no map")?.data().fd().try_clone()?;
        let mut second = EbpfLoader::new().map_fd("FLOWS", &fd).load(object)?;
        run(&mut second, "count")?;
        assert_eq!(flow(&first)?.packets, 2);
        assert_eq!(second.map("FLOWS").ok_or("no map")?.data().name(), "FLOWS");

        let fd = first.map("FIRST").ok_or("no map")?.data().fd();
        let found = differences(EbpfLoader::new().map_fd("FLOWS", fd).load(object))?;
        let found: Vec<_> = found.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(found, ["type", "value size", "max_entries"]);
        let foreign = foreign_map("octets", 8)?;
        assert_eq!(differences(EbpfLoader::new().map_fd("FLOWS", foreign.fd()).load(object))?.len(), 1);

        let unknown = EbpfLoader::new().map_fd("NO_SUCH_MAP", fd).load(object).err().ok_or("loaded")?;
        assert!(unknown.to_string().starts_with("map `NO_SUCH_MAP`: "), "{unknown}");
        Ok(())
    }

    /// Type, sizes, flags and node are those that the loader was told, also of inner maps.
    fn definitions_are_changed(object: "loading", since 5, 8) {
        let options = MapOptions::new()
            .map_type(MapType::LruHash)
            .key_size(12)
            .value_size(40)
            .max_entries(100)
            .numa_node(0);
        let inner = MapOptions::new().max_entries(5);
        let ebpf = EbpfLoader::new()
            .map_options("FLOWS", options)
            .map_options("FLOWS", MapOptions::new().max_entries(200))
            .map_options("FIRST", inner.clone())
            .map_options("SECOND", inner.clone())
            .map_options("BY_INDEX", MapOptions::new().inner(inner.clone()))
            .map_options("BY_KEY", MapOptions::new().inner(inner))
            .load(object)?;
        let info = ebpf.map("FLOWS").ok_or("no map")?.data().info()?;
        assert_eq!(info.map_type()?, MapType::LruHash);
        assert_eq!((info.key_size(), info.value_size(), info.max_entries()), (12, 40, 200));
        assert_eq!(info.map_flags(), BPF_F_NUMA_NODE);
        assert_eq!(ebpf.map("FIRST").ok_or("no map")?.data().info()?.max_entries(), 5);

        // No machine has a node of this number, so it must have reached the kernel.
        let far = MapOptions::new().numa_node(1023);
        let far = EbpfLoader::new().map_options("FLOWS", far).load(object).err().ok_or("loaded")?;
        assert!(far.to_string().starts_with("map `FLOWS` could not be created"), "{far}");

        let unknown = EbpfLoader::new().map_max_entries("NO_SUCH_MAP", 1).load(object);
        let unknown = unknown.err().ok_or("loaded")?.to_string();
        assert!(unknown.starts_with("map `NO_SUCH_MAP`: "), "{unknown}");
        Ok(())
    }

    /// Maps that the definition puts into maps of maps are there, by index and by key.
    fn maps_hold_maps_from_the_start(object: "loading", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        for (name, value) in [("FIRST", 3_u64), ("SECOND", 4)] {
            let mut map = Array::<_, u64>::try_from(ebpf.map_mut(name).ok_or("no map")?)?;
            map.set(1, value, 0)?;
        }
        assert_eq!(run(&mut ebpf, "inner")?, 3 + 40 + 400 + 3000);
        Ok(())
    }

    /// Programs that the definition puts into an array are there once they are loaded, in any order.
    fn arrays_hold_programs_from_the_start(object: "loading", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        assert_eq!(run(&mut ebpf, "first")?, 1, "none of the others is loaded");
        xdp(&mut ebpf, "second")?.load()?;
        assert_eq!(run(&mut ebpf, "first")?, 2);
        xdp(&mut ebpf, "third")?.load()?;
        assert_eq!(run(&mut ebpf, "first")?, 3);

        // Without handles of the maps, and with the array that another object has filled.
        let mut ebpf = Ebpf::load(object)?;
        let stages = ebpf.take_map("STAGES").ok_or("no map")?;
        xdp(&mut ebpf, "second")?.load()?;
        let mut other = EbpfLoader::new().map_fd("STAGES", stages.data().fd()).load(object)?;
        drop(ebpf.take_map("FLOWS"));
        assert_eq!(run(&mut other, "first")?, 2);
        xdp(&mut other, "third")?.load()?;
        assert_eq!(run(&mut other, "first")?, 2, "a map that was there keeps its contents");
        xdp(&mut ebpf, "third")?.load()?;
        assert_eq!(run(&mut other, "first")?, 3);

        // Too small an array.
        let small = MapOptions::new().max_entries(2);
        let mut ebpf = EbpfLoader::new().map_options("STAGES", small).load(object)?;
        xdp(&mut ebpf, "second")?.load()?;
        let error = xdp(&mut ebpf, "third")?.load().err().ok_or("there is no place")?;
        let error = error.to_string();
        assert!(error.starts_with("map `STAGES`: program `third` does not go into element 2: "), "{error}");
        Ok(())
    }
}
