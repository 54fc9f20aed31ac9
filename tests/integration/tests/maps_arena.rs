//! Memory that programs and user space share: each sees at once what the other wrote.

use std::{
    os::fd::AsFd as _,
    sync::{Mutex, PoisonError},
};

use aya::{
    Ebpf,
    maps::{Arena, Map, MapData, MapError},
};
use aya_sys::bpf::MapCreate;
use aya_tests::{
    TestResult,
    elements::{
        Ask::{Add, Get, Half, Set, Sum},
        Pair,
    },
    in_both_modes, require_kernel,
};
use aya_uapi::bindings::{BPF_F_MMAPABLE, BPF_F_SEGV_ON_FAULT};

/// Held by tests that use the one address: both modes are one process where tests run side by side.
static ADDRESS: Mutex<()> = Mutex::new(());

in_both_modes! {
    /// Numbers of all sizes go both ways, on every page, and nothing goes anywhere else.
    fn both_sides_see_the_same_memory(object: "maps_arena", since 6, 9) {
        let mut pair = Pair::new(object, "shared", "SHARED")?;
        let map = pair.ebpf.take_map("SHARED").ok_or("no SHARED")?;
        let mut arena = Arena::try_from(map)?;
        let page = arena.len() / 4;
        assert!(page.is_power_of_two());

        // A page that user space has not touched is not there for programs, and does them no harm.
        let far = u32::try_from(3 * page)?;
        assert_eq!(pair.ask(Set(far, 7))?, Ok(0));
        assert_eq!(arena.get::<u64>(3 * page)?, 0);
        assert_eq!(pair.ask(Set(far, 7))?, Ok(7));
        assert_eq!(arena.get::<u64>(3 * page)?, 7);

        arena.set(64, 5_u64)?;
        assert_eq!(pair.ask(Get(64))?, Ok(5));
        assert_eq!(pair.ask(Add(64, 10))?, Ok(15));
        assert_eq!(arena.fetch_add(64, 1)?, 15);
        assert_eq!(pair.ask(Get(64))?, Ok(16));
        assert_eq!(pair.ask(Half(64, 1))?, Ok(1 << 32 | 16));
        assert_eq!(arena.get::<[u32; 2]>(64)?, [16, 1]);
        arena.set(64, [1_u8, 2, 3, 4, 5, 6, 7, 8])?;
        assert_eq!(pair.ask(Get(64))?, Ok(u64::from_ne_bytes([1, 2, 3, 4, 5, 6, 7, 8])));

        let numbers: Vec<u64> = (1..=15).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        arena.write(page - 64, &bytes)?;
        let sum = pair.ask(Sum(u32::try_from(page - 64)?, 15))?;
        assert_eq!(sum, Ok(numbers.iter().sum()));
        let mut back = vec![0; bytes.len()];
        arena.read(page - 64, &mut back)?;
        assert_eq!(back, bytes);

        // The other arena is another one.
        let other = pair.ebpf.take_map("OTHER").ok_or("no OTHER")?;
        let other = Arena::try_from(other)?;
        assert_eq!((other.len(), other.get::<u64>(64)?), (page, 0));
        Ok(())
    }

    /// An address that the program gives is where the arena is.
    fn at_a_given_address(object: "maps_arena", since 6, 9) {
        let _alone = ADDRESS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pair = Pair::new(object, "fixed", "FIXED")?;
        let map = pair.map()?;
        assert_eq!(map.data().info()?.map_extra(), 0x2000_0000_0000);
        let mut arena = Arena::try_from(&mut *map)?;
        arena.set(8, 3_u64)?;
        // It cannot be there twice.
        let copy = MapData::from_fd(arena.data().fd().as_fd().try_clone_to_owned()?)?;
        let twice = Arena::try_from(Map::from_map_data(copy)?).err().ok_or("mapped twice")?;
        let message = twice.to_string();
        assert!(message.starts_with("map `FIXED`") && message.contains("0x200000000000"), "{message}");
        drop(arena);
        assert_eq!(pair.ask(Add(8, 1))?, Ok(4));
        let arena = Arena::try_from(pair.map()?)?;
        assert_eq!(arena.get::<u64>(8)?, 4);
        Ok(())
    }

    /// Nothing is read or written outside, and atomic steps are aligned.
    fn outside_of_an_arena(object: "maps_arena", since 6, 9) {
        let mut ebpf = Ebpf::load(object)?;
        let mut arena = Arena::try_from(ebpf.map_mut("OTHER").ok_or("no OTHER")?)?;
        let end = arena.len();
        arena.set(end - 8, 1_u64)?;
        for offset in [end - 7, end, usize::MAX] {
            let error = arena.get::<u64>(offset).err().ok_or("read outside")?;
            let message = error.to_string();
            assert!(message.starts_with("map `OTHER`: 8 bytes at "), "{message}");
            assert!(arena.set(offset, 0_u64).is_err() && arena.fetch_add(offset, 0).is_err());
            assert!(arena.write(offset, &[0; 9]).is_err());
        }
        assert!(matches!(arena.fetch_add(4, 1), Err(MapError::OutsideOfArena { .. })));
        Ok(())
    }
}

/// Without an object; and on kernels without arenas, their absence by name.
#[test]
fn created_by_user_space() -> TestResult {
    if aya_tests::missing_privilege().is_some() {
        return Ok(aya_tests::skip("created_by_user_space", "needs root")?);
    }
    let made = Arena::create(2, 0);
    if !require_kernel("created_by_user_space", (6, 9))? {
        let message = made.err().ok_or("made")?.to_string();
        assert!(
            message.contains("BPF_MAP_TYPE_ARENA") && message.contains("6.9"),
            "{message}"
        );
        return Ok(());
    }
    let (mut first, second) = (made?, Arena::create(1, 0)?);
    first.set(0, 1_u8)?;
    assert_eq!((first.get::<u8>(0)?, second.get::<u8>(0)?), (1, 0));
    assert_eq!(first.len(), 2 * second.len());
    assert!(Arena::create(0, 0).is_err());

    // To read it could end this process.
    let error = Arena::create(1, BPF_F_SEGV_ON_FAULT).err().ok_or("made")?;
    assert!(
        matches!(error, MapError::UnsupportedMapFlags { .. }),
        "{error}"
    );
    // One that another loader has made, without an address.
    let anywhere = aya_sys::bpf::map_create(&MapCreate {
        max_entries: 1,
        flags: BPF_F_MMAPABLE,
        ..MapCreate::new(aya_uapi::MapType::ARENA)
    })?;
    let error = Arena::try_from(Map::from_map_data(MapData::from_fd(anywhere)?)?);
    let error = error.err().ok_or("mapped at 0")?;
    assert!(
        matches!(error, MapError::NotMapped { address: 0, .. }),
        "{error}"
    );
    Ok(())
}
