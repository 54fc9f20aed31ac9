//! Maps of maps: user space puts inner maps in and takes them out while programs use them.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use aya::{
    Ebpf,
    maps::{Array, ArrayOfMaps, HashMap, HashOfMaps, MapData, MapError},
};
use aya_tests::{
    TestResult,
    elements::{
        Ask::{Add, Get},
        Key, Pair, Value, key, value,
    },
    in_both_modes,
};
use nix::errno::Errno;

type Arrays<T> = ArrayOfMaps<T, Array<MapData, Value>>;
type Tables<T> = HashOfMaps<T, Key, HashMap<MapData, u32, Value>>;

in_both_modes! {
    /// Arrays are there from the start as the definition says, and others are put in.
    fn array_of_maps(object: "maps_of_maps", since 4, 12) {
        for (name, map, initial) in [("arrays", "ARRAYS", 2), ("btf_arrays", "BTF_ARRAYS", 0)] {
            let mut pair = Pair::new(object, name, map)?;
            let mut outer = Arrays::try_from(pair.ebpf.take_map(map).ok_or("no map")?)?;
            assert_eq!((outer.len(), outer.iter().count()), (4, initial));
            if initial > 0 {
                // The inner maps are those that have names of their own.
                assert_eq!(pair.ask(Add(1, 5))?, Ok(5));
                let second: Array<_, Value> = Array::try_from(pair.ebpf.map("SECOND").ok_or("no SECOND")?)?;
                assert_eq!(second.get(&0, 0)?, value(5));
                assert_eq!(outer.get(&1, 0)?.get(&0, 0)?, value(5));
            }
            assert_eq!(pair.ask(Get(3))?, Err(Errno::ENOENT));
            let mut inner = outer.create_inner()?;
            inner.set(0, value(30), 0)?;
            outer.set(3, &inner, 0)?;
            assert_eq!(pair.ask(Add(3, 3))?, Ok(33));
            assert_eq!(inner.get(&0, 0)?, value(33));

            // One of another shape, and a place that is not there.
            let other = Array::<_, Value>::create(1, 0)?;
            outer.set(3, &other, 0)?;
            assert_eq!(pair.ask(Get(3))?, Ok(0));
            assert!(matches!(outer.set(4, &other, 0), Err(MapError::OutOfBounds { .. })));
            assert!(matches!(outer.get(&4, 0), Err(MapError::OutOfBounds { .. })));
            outer.clear_index(&3)?;
            assert!(matches!(outer.clear_index(&3), Err(MapError::KeyNotFound)));
            assert_eq!(pair.ask(Get(3))?, Err(Errno::ENOENT));
            assert!(matches!(outer.get(&3, 0), Err(MapError::KeyNotFound)));
        }
        Ok(())
    }

    /// Tables come and go by key.
    fn hash_of_maps(object: "maps_of_maps", since 4, 12) {
        for (name, map) in [("tables", "TABLES"), ("btf_tables", "BTF_TABLES")] {
            let mut pair = Pair::new(object, name, map)?;
            let mut outer = Tables::try_from(pair.ebpf.take_map(map).ok_or("no map")?)?;
            assert_eq!(pair.ask(Get(7))?, Err(Errno::ENOENT));
            let mut inner = outer.create_inner()?;
            outer.insert(key(7), &inner, 1)?;
            assert_eq!(pair.ask(Get(7))?, Err(Errno::ENOENT));
            inner.insert(0, value(1), 0)?;
            assert_eq!(pair.ask(Add(7, 1))?, Ok(2));
            assert_eq!(outer.get(&key(7), 0)?.get(&0, 0)?, value(2));

            outer.insert(key(8), &outer.create_inner()?, 0)?;
            let mut keys = outer.keys().collect::<Result<Vec<_>, _>>()?;
            keys.sort_unstable();
            assert_eq!(keys, [key(7), key(8)]);
            let third = outer.create_inner()?;
            match outer.insert(key(9), &third, 0) {
                Err(MapError::Full { name, max_entries: 2 }) if name == map => {}
                other => return Err(format!("not full: {other:?}").into()),
            }
            outer.remove(&key(7))?;
            assert!(matches!(outer.remove(&key(7)), Err(MapError::KeyNotFound)));
            assert_eq!(pair.ask(Get(7))?, Err(Errno::ENOENT));
        }
        Ok(())
    }

    /// Each run of a program meets one of the maps that are exchanged meanwhile, and counts there.
    fn exchanged_while_programs_run(object: "maps_of_maps", since 4, 12) {
        const EXCHANGES: usize = 20;
        let mut pair = Pair::new(object, "arrays", "ARRAYS")?;
        let mut outer = Arrays::try_from(pair.ebpf.take_map("ARRAYS").ok_or("no ARRAYS")?)?;
        let both = [outer.create_inner()?, outer.create_inner()?];
        outer.set(0, &both[0], 0)?;
        let (done, exchanged) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut runs = 0;
        thread::scope(|scope| {
            let exchanging = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let next = &both[exchanged.fetch_add(1, Ordering::Relaxed) % 2];
                    outer.set(0, next, 0).map_err(|error| error.to_string())?;
                }
                Ok::<_, String>(())
            });
            let mut run = || -> TestResult {
                while exchanged.load(Ordering::Relaxed) < EXCHANGES && !exchanging.is_finished() {
                    pair.ask(Add(0, 1))?.map_err(Errno::desc)?;
                    runs += 1;
                }
                Ok(())
            };
            let ran = run().map_err(|error| error.to_string());
            done.store(true, Ordering::Relaxed);
            let joined = exchanging.join().map_err(|_| "the thread panicked".to_owned())?;
            ran.and(joined)
        })?;
        let [one, other] = both.map(|map| map.get(&0, 0).map(|value| value[0]));
        assert_eq!(one? + other?, runs);
        Ok(())
    }

    /// A map that does not look like the template is refused, and so is one of another type.
    fn inner_maps_that_do_not_fit(object: "maps_of_maps", since 4, 12) {
        let mut ebpf = Ebpf::load(object)?;
        let map = ebpf.map_mut("TABLES").ok_or("no TABLES")?;
        let mut outer: HashOfMaps<_, Key, HashMap<MapData, u32, u64>> = HashOfMaps::try_from(&mut *map)?;
        let narrow = HashMap::<_, u32, u64>::create(8, 0)?;
        match outer.insert(key(1), &narrow, 0) {
            Err(MapError::SyscallError(error)) => assert_eq!(error.io_error.raw_os_error(), Some(22)),
            other => return Err(format!("{other:?}").into()),
        }
        let wrong = HashOfMaps::<_, u32>::try_from(&mut *map).err().ok_or("it fits")?;
        assert!(wrong.to_string().contains("`TABLES`"), "{wrong}");
        Ok(())
    }
}
