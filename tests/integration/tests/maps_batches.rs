//! Many elements by few calls, taking elements out, and single CPUs' values, on the machine's own
//! kernel: as it is, and as if it lacked what makes them fast.

use std::{collections::BTreeMap, os::fd::AsFd as _, sync::Arc};

use aya::{
    features::{Feature, Features},
    maps::{
        Array, HashMap, LpmTrie, MapData, MapError, MapOptions, MapType, PerCpuArray,
        PerCpuHashMap, PerCpuValues, lpm_trie::Key,
    },
    util::{KernelVersion, nr_cpus},
};
use aya_tests::{missing_privilege, require_kernel, skip};

/// Whether the test can run here.
fn runs(test: &str, since: (u32, u32)) -> bool {
    match missing_privilege() {
        Some(reason) => skip(test, reason).map(|()| false).unwrap(),
        None => require_kernel(test, since).unwrap(),
    }
}

/// The kernel as it is, and without batches; also without taking.
fn kernels() -> [Arc<Features>; 3] {
    [
        Features::without(&[]),
        Features::without(&[Feature::MapBatches]),
        Features::without(&[Feature::MapBatches, Feature::HashTake]),
    ]
}

fn hash(features: &Arc<Features>, max_entries: u32) -> HashMap<MapData, u32, u64> {
    flows(
        MapOptions::new()
            .max_entries(max_entries)
            .features(Arc::clone(features)),
    )
    .unwrap()
}

fn flows(options: MapOptions) -> Result<HashMap<MapData, u32, u64>, MapError> {
    HashMap::create_with("FLOWS", options)
}

fn numbers(count: u32) -> (Vec<u32>, Vec<u64>) {
    (0..count).map(|key| (key, u64::from(key) * 3)).unzip()
}

#[test]
fn entries_go_in_and_come_out_in_batches() {
    if !runs("entries_go_in_and_come_out_in_batches", (4, 15)) {
        return;
    }
    // Fewer than the first batch, as many, and several batches that grow.
    for count in [1, 127, 128, 129, 10_000] {
        for features in kernels() {
            let mut map = hash(&features, 10_000);
            let (keys, values) = numbers(count);
            let all: BTreeMap<u32, u64> = keys.iter().copied().zip(values.clone()).collect();
            assert_eq!(map.insert_batch(&keys, &values, 0).unwrap(), keys.len());

            let entries: Vec<(u32, u64)> = map.iter().map(Result::unwrap).collect();
            assert_eq!(entries.len(), keys.len(), "each comes once");
            assert_eq!(BTreeMap::from_iter(entries), all);
            let sum: u64 = map.values().map(Result::unwrap).sum();
            assert_eq!(sum, values.iter().sum());

            let drained: Vec<(u32, u64)> = map.drain().map(Result::unwrap).collect();
            assert_eq!(drained.len(), keys.len(), "each comes once");
            assert_eq!(BTreeMap::from_iter(drained), all);
            assert_eq!(map.keys().count(), 0);
            assert_eq!(map.iter().count(), 0);
        }
    }
}

#[test]
fn removing_tells_how_many_there_were() {
    if !runs("removing_tells_how_many_there_were", (4, 15)) {
        return;
    }
    for features in kernels() {
        let mut map = hash(&features, 100);
        let (keys, values) = numbers(10);
        map.insert_batch(&keys, &values, 0).unwrap();
        let some = [0, 77, 9, 9, 5, 78];
        assert_eq!(map.remove_batch(&some).unwrap(), 3);
        assert_eq!(map.iter().count(), 7);
        assert_eq!(map.remove_batch(&[]).unwrap(), 0);
        assert_eq!(map.insert_batch(&[], &[], 0).unwrap(), 0);
    }
}

#[test]
fn batches_stop_where_they_fail() {
    if !runs("batches_stop_where_they_fail", (4, 15)) {
        return;
    }
    for features in kernels() {
        let mut map = hash(&features, 4);
        let (keys, values) = numbers(6);
        let full = map.insert_batch(&keys, &values, 0).unwrap_err();
        assert_eq!(full.done, 4);
        assert!(
            matches!(&full.error, MapError::Full { name, max_entries: 4 } if name == "FLOWS"),
            "{full:?}"
        );
        assert_eq!(map.iter().count(), 4);
        // BPF_EXIST, BPF_NOEXIST
        assert_eq!(map.insert_batch(&keys[..3], &values[..3], 2).unwrap(), 3);
        let there = map.insert_batch(&[9, 0], &[9, 0], 1).unwrap_err();
        assert_eq!(there.done, 0, "it is full before it is there");
        let uneven = map.insert_batch(&keys, &values[1..], 0).unwrap_err();
        assert!(
            matches!(
                uneven.error,
                MapError::BatchMismatch {
                    keys: 6,
                    values: 5,
                    ..
                }
            ),
            "{uneven:?}"
        );
    }
}

#[test]
fn removal_of_what_comes_next_hides_no_other() {
    if !runs("removal_of_what_comes_next_hides_no_other", (4, 15)) {
        return;
    }
    let mut map = hash(&Features::without(&[]), 1000);
    let (keys, values) = numbers(1000);
    map.insert_batch(&keys, &values, 0).unwrap();
    let order: Vec<u32> = map.iter().map(|entry| entry.unwrap().0).collect();
    let fd = map.data().fd().as_fd().try_clone_to_owned().unwrap();
    let same = MapData::from_fd(fd).unwrap();
    let mut same: HashMap<_, u32, u64> =
        HashMap::try_from(aya::maps::Map::from_map_data(same).unwrap()).unwrap();
    let mut seen = Vec::new();
    for (index, entry) in map.iter().enumerate() {
        // The 128th is the last of its batch.
        if index == 127 {
            same.remove_batch(&order[120..400]).unwrap();
        }
        seen.push(entry.unwrap().0);
    }
    for key in order[..120].iter().chain(&order[400..]) {
        assert_eq!(seen.iter().filter(|seen| *seen == key).count(), 1, "{key}");
    }
}

#[test]
fn prefixes_in_batches() {
    if !runs("prefixes_in_batches", (4, 15)) {
        return;
    }
    for features in kernels() {
        // The flag that the type needs is added.
        let mut routes: LpmTrie<_, [u8; 4], u32> =
            LpmTrie::create_with("", MapOptions::new().max_entries(500).features(features))
                .unwrap();
        let keys: Vec<_> = (0..200).map(|net| Key::new(24, [10, 0, net, 0])).collect();
        let values: Vec<u32> = (0..200).collect();
        routes.insert_batch(&keys, &values, 0).unwrap();
        assert_eq!(routes.iter().map(Result::unwrap).count(), 200);
        assert_eq!(routes.remove_batch(&keys[..50]).unwrap(), 50);
        // No kernel takes prefixes out at once.
        let mut drained: Vec<u32> = routes.drain().map(|entry| entry.unwrap().1).collect();
        drained.sort_unstable();
        assert!(drained.into_iter().eq(50..200));
        assert_eq!(routes.keys().count(), 0);
    }
}

#[test]
fn arrays_in_batches() {
    if !runs("arrays_in_batches", (4, 15)) {
        return;
    }
    for features in kernels() {
        let mut array: Array<_, [u8; 3]> = Array::create_with(
            "SLOTS",
            MapOptions::new().max_entries(1000).features(features),
        )
        .unwrap();
        let value = |index: u32| [index as u8, (index >> 8) as u8, 7];
        let indices: Vec<u32> = (0..1000).collect();
        let values: Vec<_> = indices.iter().copied().map(value).collect();
        assert_eq!(array.set_batch(&indices, &values, 0).unwrap(), 1000);
        let all: Vec<_> = array.iter().map(Result::unwrap).collect();
        assert_eq!(all, values, "in order");
        let beyond = array.set_batch(&[0, 1000], &[[0; 3]; 2], 0).unwrap_err();
        assert_eq!(beyond.done, 0);
        assert!(
            matches!(&beyond.error, MapError::OutOfBounds { name, index: 1000, .. } if name == "SLOTS"),
            "{beyond:?}"
        );
        assert_eq!(array.get(&0, 0).unwrap(), value(0));
    }
}

#[test]
fn values_per_cpu_in_batches() {
    if !runs("values_per_cpu_in_batches", (4, 15)) {
        return;
    }
    let cpus = nr_cpus().unwrap();
    let values =
        |start: u32| PerCpuValues::try_from((start..).take(cpus).collect::<Vec<u32>>()).unwrap();
    let all: Vec<_> = (0..300).map(values).collect();
    let keys: Vec<u32> = (0..300).collect();
    for features in kernels() {
        let mut map: PerCpuHashMap<_, u32, u32> = PerCpuHashMap::create_with(
            "",
            MapOptions::new()
                .max_entries(300)
                .features(features.clone()),
        )
        .unwrap();
        assert_eq!(map.insert_batch(&keys, &all, 0).unwrap(), 300);
        for entry in &map {
            let (key, found) = entry.unwrap();
            assert_eq!(found, values(key));
        }
        let drained: BTreeMap<_, _> = map.drain().map(Result::unwrap).collect();
        assert_eq!(drained.len(), 300);
        assert_eq!(drained[&299], values(299));
        assert_eq!(map.keys().count(), 0);

        let mut array: PerCpuArray<_, u32> =
            PerCpuArray::create_with("", MapOptions::new().max_entries(300).features(features))
                .unwrap();
        assert_eq!(array.set_batch(&keys, &all, 0).unwrap(), 300);
        let found: Vec<_> = array.iter().map(Result::unwrap).collect();
        assert_eq!(found, all);
    }
}

#[test]
fn taking_reads_and_removes() {
    if !runs("taking_reads_and_removes", (5, 14)) {
        return;
    }
    for map_type in [MapType::Hash, MapType::LruHash] {
        let mut map = flows(MapOptions::new().map_type(map_type).max_entries(64)).unwrap();
        map.insert(1, 10, 0).unwrap();
        assert_eq!(map.take(&1, 0).unwrap(), 10);
        assert!(matches!(map.take(&1, 0), Err(MapError::KeyNotFound)));
    }
    for map_type in [MapType::PerCpuHash, MapType::LruPerCpuHash] {
        let mut map: PerCpuHashMap<_, u32, u32> =
            PerCpuHashMap::create_with("", MapOptions::new().map_type(map_type).max_entries(64))
                .unwrap();
        let values = PerCpuValues::all(5).unwrap();
        map.insert(1, &values, 0).unwrap();
        assert_eq!(map.take(&1, 0).unwrap(), values);
        assert!(matches!(map.get(&1, 0), Err(MapError::KeyNotFound)));
    }
}

#[test]
fn old_kernels_do_not_take() {
    if !runs("old_kernels_do_not_take", (4, 15)) {
        return;
    }
    let mut map = hash(&Features::without(&[Feature::HashTake]), 4);
    map.insert(1, 10, 0).unwrap();
    let error = map.take(&1, 0).unwrap_err();
    assert!(
        matches!(&error, MapError::KernelTooOld { name, since, .. }
            if name == "FLOWS" && *since == KernelVersion::new(5, 14, 0)),
        "{error:?}"
    );
    assert_eq!(map.get(&1, 0).unwrap(), 10);
}

#[test]
fn values_fill_memory_that_is_there() {
    if !runs("values_fill_memory_that_is_there", (4, 15)) {
        return;
    }
    // With and without padding between the values.
    let mut numbers: PerCpuArray<_, u64> = PerCpuArray::create(2, 0).unwrap();
    let mut triples: PerCpuHashMap<_, u8, [u8; 3]> = PerCpuHashMap::create(2, 0).unwrap();
    numbers.set(1, PerCpuValues::all(7).unwrap(), 0).unwrap();
    triples
        .insert(1, PerCpuValues::all([1, 2, 3]).unwrap(), 0)
        .unwrap();

    let mut values = PerCpuValues::new().unwrap();
    numbers.get_into(&1, &mut values, 0).unwrap();
    assert!(values.iter().all(|value| *value == 7));
    numbers.get_into(&0, &mut values, 0).unwrap();
    assert!(values.iter().all(|value| *value == 0));
    assert!(matches!(
        numbers.get_into(&2, &mut values, 0),
        Err(MapError::OutOfBounds { index: 2, .. })
    ));
    let mut values = PerCpuValues::new().unwrap();
    triples.get_into(&1, &mut values, 0).unwrap();
    assert!(values.iter().all(|value| *value == [1, 2, 3]));
    values.as_mut_slice()[0] = [9; 3];
    triples.insert(1, &values, 0).unwrap();
    assert_eq!(triples.get(&1, 0).unwrap()[0], [9; 3]);
    assert!(matches!(
        triples.get_into(&2, &mut values, 0),
        Err(MapError::KeyNotFound)
    ));
}

#[test]
fn one_cpu_alone() {
    if !runs("one_cpu_alone", (4, 15)) {
        return;
    }
    let last = u32::try_from(nr_cpus().unwrap() - 1).unwrap();
    for features in [
        Features::without(&[]),
        Features::without(&[Feature::OneCpu]),
    ] {
        let mut map: PerCpuHashMap<_, u8, [u8; 3]> = PerCpuHashMap::create_with(
            "COUNTS",
            MapOptions::new().max_entries(2).features(features),
        )
        .unwrap();
        let mut values = PerCpuValues::all([1; 3]).unwrap();
        values.as_mut_slice()[last as usize] = [2; 3];
        map.insert(1, &values, 0).unwrap();
        assert_eq!(map.get_cpu(&1, last).unwrap(), [2; 3]);
        map.set_all(&1, [4; 3], 0).unwrap();
        assert_eq!(map.get(&1, 0).unwrap(), PerCpuValues::all([4; 3]).unwrap());
        assert!(matches!(map.get_cpu(&7, 0), Err(MapError::KeyNotFound)));
        let error = map.get_cpu(&1, last + 1).unwrap_err();
        assert!(
            matches!(&error, MapError::NoSuchCpu { name, cpu, .. } if name == "COUNTS" && *cpu == last + 1),
            "{error:?}"
        );
    }
}

#[test]
fn one_cpu_is_set_alone() {
    if !runs("one_cpu_is_set_alone", (4, 15)) {
        return;
    }
    let mut array: PerCpuArray<_, u32> = PerCpuArray::create(2, 0).unwrap();
    array.set(1, PerCpuValues::all(1).unwrap(), 0).unwrap();
    let set = array.set_cpu(&1, 0, 5, 0);
    if KernelVersion::current().unwrap() >= KernelVersion::new(7, 0, 0) {
        set.unwrap();
        let values = array.get(&1, 0).unwrap();
        assert_eq!(values[0], 5);
        assert!(values[1..].iter().all(|value| *value == 1));
        assert_eq!(array.get_cpu(&1, 0).unwrap(), 5);
    } else {
        let error = set.unwrap_err();
        assert!(
            matches!(&error, MapError::KernelTooOld { since, .. } if *since == KernelVersion::new(7, 0, 0)),
            "{error:?}"
        );
        assert_eq!(array.get(&1, 0).unwrap(), PerCpuValues::all(1).unwrap());
    }
}

#[test]
fn hash_maps_that_grow() {
    if !runs("hash_maps_that_grow", (7, 2)) {
        return;
    }
    for features in kernels() {
        let mut map = flows(
            MapOptions::new()
                .map_type(MapType::RHash)
                .max_entries(1000)
                .features(features),
        )
        .unwrap();
        let (keys, values) = numbers(500);
        map.insert_batch(&keys, &values, 0).unwrap();
        let all: BTreeMap<_, _> = map.iter().map(Result::unwrap).collect();
        assert!(all.keys().eq(&keys) && all.values().eq(&values));
        assert_eq!(map.remove_batch(&[7, 7, 8]).unwrap(), 2);
        assert_eq!(map.drain().map(Result::unwrap).count(), 498);
        assert_eq!(map.keys().count(), 0);
    }
    let mut map = flows(MapOptions::new().map_type(MapType::RHash).max_entries(8)).unwrap();
    map.insert(1, 10, 0).unwrap();
    assert_eq!(map.take(&1, 0).unwrap(), 10);
}
