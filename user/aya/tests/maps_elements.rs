//! Maps of elements on the machine's own kernel: hash maps and arrays, with one value or one per
//! CPU, iteration, pins and their reuse.
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "both spellings are tested"
)]

use std::{collections::BTreeMap, fs, os::fd::AsFd as _, path::PathBuf};

use aya::{
    maps::{
        Arena, Array, BloomFilter, CgroupArray, HashMap, IterableMap as _, LpmTrie, Map, MapData,
        MapError, MapOptions, MapType, PerCpuArray, PerCpuHashMap, PerCpuValues, PerfEventArray,
        ProgramArray, Queue, RingBuf, Stack, StackTraceMap, UserRingBuf, loaded_maps,
        lpm_trie::Key, perf::PerfBufferError,
    },
    util::nr_cpus,
};
use aya_obj::spec::MapSpec;
use maps_support::{may_create, may_create_since, skip, spec};

mod maps_support;

#[test]
fn hash_map_by_value_and_by_reference() {
    if !may_create("hash_map_by_value_and_by_reference") {
        return;
    }
    let mut map: HashMap<_, u32, u64> = HashMap::create(8, 0).unwrap();
    map.insert(1, 10, 0).unwrap();
    map.insert(&2, &20, 0).unwrap();
    map.insert(3u32, &30u64, 0).unwrap();
    assert_eq!(map.get(&2, 0).unwrap(), 20);
    assert!(matches!(map.get(&4, 0), Err(MapError::KeyNotFound)));

    let entries: BTreeMap<u32, u64> = map.iter().map(Result::unwrap).collect();
    assert_eq!(entries, BTreeMap::from([(1, 10), (2, 20), (3, 30)]));
    let mut keys: Vec<u32> = map.keys().map(Result::unwrap).collect();
    keys.sort_unstable();
    assert_eq!(keys, [1, 2, 3]);

    map.remove(&2).unwrap();
    assert!(matches!(map.remove(&2), Err(MapError::KeyNotFound)));
    // BPF_NOEXIST
    let error = map.insert(1, 11, 1).unwrap_err();
    assert!(
        matches!(&error, MapError::SyscallError(error)
            if error.io_error.kind() == std::io::ErrorKind::AlreadyExists),
        "{error:?}"
    );
}

#[test]
fn entries_can_be_removed_while_walking() {
    if !may_create("entries_can_be_removed_while_walking") {
        return;
    }
    const ENTRIES: u32 = 1000;
    let mut map: HashMap<_, u32, u32> = HashMap::create(ENTRIES, 0).unwrap();
    for key in 0..ENTRIES {
        map.insert(key, key, 0).unwrap();
    }
    // A second handle of the same map removes what the first one walks over.
    let fd = map.map().fd().as_fd().try_clone_to_owned().unwrap();
    let same = Map::from_map_data(MapData::from_fd(fd).unwrap()).unwrap();
    let mut same: HashMap<_, u32, u32> = HashMap::try_from(same).unwrap();
    let mut seen = Vec::new();
    for key in map.keys() {
        let key = key.unwrap();
        same.remove(&key).unwrap();
        seen.push(key);
    }
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..ENTRIES), "each key comes once");
    assert_eq!(map.iter().count(), 0);
}

#[test]
fn removing_the_key_that_comes_next_hides_no_other() {
    if !may_create("removing_the_key_that_comes_next_hides_no_other") {
        return;
    }
    let mut map: HashMap<_, u32, u32> = HashMap::create(100, 0).unwrap();
    for key in 0..100 {
        map.insert(key, key, 0).unwrap();
    }
    let order: Vec<u32> = map.keys().map(Result::unwrap).collect();
    let fd = map.map().fd().as_fd().try_clone_to_owned().unwrap();
    let same = Map::from_map_data(MapData::from_fd(fd).unwrap()).unwrap();
    let mut same: HashMap<_, u32, u32> = HashMap::try_from(same).unwrap();
    let mut seen = Vec::new();
    for (index, key) in map.keys().map(Result::unwrap).enumerate() {
        if index == 10 {
            same.remove(&order[11]).unwrap();
        }
        seen.push(key);
    }
    for key in order.iter().filter(|key| **key != order[11]) {
        assert!(seen.contains(key), "{key} was left out");
    }
}

#[test]
fn sizes_are_checked_once_and_named() {
    if !may_create("sizes_are_checked_once_and_named") {
        return;
    }
    let data = MapData::create(&spec("FLOWS", MapType::Hash, 8, 4), "FLOWS", None).unwrap();
    let map = Map::from_map_data(data).unwrap();
    let error = HashMap::<_, u32, u32>::try_from(&map).unwrap_err();
    assert!(
        matches!(&error, MapError::InvalidKeySize { name, size: 4, expected: 8 } if name == "FLOWS"),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "map `FLOWS` has keys of 8 bytes, the given type has 4: use the key type of the eBPF side"
    );
    let error = HashMap::<_, u64, u64>::try_from(&map).unwrap_err();
    assert!(
        matches!(
            error,
            MapError::InvalidValueSize {
                size: 8,
                expected: 4,
                ..
            }
        ),
        "{error:?}"
    );
    let error = Array::<_, u32>::try_from(&map).unwrap_err();
    assert!(
        matches!(error, MapError::InvalidMapType { map_type: 1, .. }),
        "{error:?}"
    );
    assert!(HashMap::<_, u64, u32>::try_from(map).is_ok());
}

#[test]
fn lru_maps_are_hash_maps() {
    if !may_create("lru_maps_are_hash_maps") {
        return;
    }
    let data = MapData::create(&spec("LRU", MapType::LruHash, 4, 4), "LRU", None).unwrap();
    let mut map = Map::from_map_data(data).unwrap();
    assert!(matches!(map, Map::LruHashMap(_)));
    let mut map: HashMap<_, u32, u32> = HashMap::try_from(&mut map).unwrap();
    for key in 0..100 {
        map.insert(key, key, 0).unwrap();
    }
    assert!((1..=8).contains(&map.iter().count()));
}

#[test]
fn arrays() {
    if !may_create("arrays") {
        return;
    }
    let mut array: Array<_, [u8; 5]> = Array::create(4, 0).unwrap();
    assert_eq!(array.len(), 4);
    array.set(3, [1, 2, 3, 4, 5], 0).unwrap();
    array.set(0, &[9; 5], 0).unwrap();
    assert_eq!(array.get(&3, 0).unwrap(), [1, 2, 3, 4, 5]);
    let all: Vec<[u8; 5]> = array.iter().map(Result::unwrap).collect();
    assert_eq!(all, [[9; 5], [0; 5], [0; 5], [1, 2, 3, 4, 5]]);
    for result in [array.get(&4, 0).map(drop), array.set(4, [0; 5], 0)] {
        assert!(matches!(
            result,
            Err(MapError::OutOfBounds {
                index: 4,
                max_entries: 4,
                ..
            })
        ));
    }
}

#[test]
fn one_value_per_cpu() {
    if !may_create("one_value_per_cpu") {
        return;
    }
    let cpus = nr_cpus().unwrap();
    let numbers = |start: u32| PerCpuValues::try_from((start..).take(cpus).collect::<Vec<_>>());

    let mut array: PerCpuArray<_, u32> = PerCpuArray::create(2, 0).unwrap();
    array.set(1, numbers(7).unwrap(), 0).unwrap();
    assert_eq!(array.get(&1, 0).unwrap(), numbers(7).unwrap());
    assert_eq!(array.iter().count(), 2);

    let mut map: PerCpuHashMap<_, u8, u32> = PerCpuHashMap::create(2, 0).unwrap();
    map.insert(5, numbers(1).unwrap(), 0).unwrap();
    let entries: Vec<_> = map.iter().map(Result::unwrap).collect();
    assert_eq!(entries, [(5, numbers(1).unwrap())]);
    map.remove(&5).unwrap();
    assert!(matches!(map.get(&5, 0), Err(MapError::KeyNotFound)));
}

/// A folder of a test's own in the BPF file system, which goes with its pins.
struct Pins(PathBuf);

impl Pins {
    fn new(test: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        if !mounts.contains(" /sys/fs/bpf bpf ") {
            let how = "needs a BPF file system: `mount -t bpf bpf /sys/fs/bpf`";
            skip(test, how);
            return None;
        }
        let directory = format!("/sys/fs/bpf/aya-{}-{test}", std::process::id());
        fs::create_dir(&directory).unwrap();
        Some(Self(directory.into()))
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn pinned_maps_are_used_again() {
    if !may_create("pinned_maps_are_used_again") {
        return;
    }
    let Some(pins) = Pins::new("pinned_maps_are_used_again") else {
        return;
    };
    let shape = spec("COUNTS", MapType::Hash, 4, 4);
    let open = |spec: &MapSpec| MapData::create_pinned_by_name(&pins.0, spec, "COUNTS", None);
    let handle =
        |data| HashMap::<_, u32, u32>::try_from(Map::from_map_data(data).unwrap()).unwrap();

    handle(open(&shape).unwrap()).insert(1, 100, 0).unwrap();
    let again = open(&shape).unwrap();
    assert_eq!(again.name(), "COUNTS");
    assert_eq!(handle(again).get(&1, 0).unwrap(), 100);
    let pinned = MapData::from_pin(pins.0.join("COUNTS")).unwrap();
    assert_eq!(handle(pinned).get(&1, 0).unwrap(), 100);

    let mut other = spec("COUNTS", MapType::Hash, 4, 8);
    other.max_entries = 9;
    let error = open(&other).unwrap_err();
    assert!(matches!(error, MapError::Incompatible { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with("map `COUNTS` does not fit the one at `/"));
    assert!(
        message.contains("value size is 4, expected 8;"),
        "{message}"
    );
    assert!(
        message.contains("max_entries is 8, expected 9;"),
        "{message}"
    );
    assert!(!message.contains("key size"), "{message}");

    let missing = MapData::from_pin(pins.0.join("NONE")).unwrap_err();
    assert!(matches!(missing, MapError::PinError { .. }), "{missing:?}");
}

#[test]
fn the_longest_prefix_wins() {
    if !may_create("the_longest_prefix_wins") {
        return;
    }
    // BPF_F_NO_PREALLOC
    let mut routes: LpmTrie<_, [u8; 4], u32> = LpmTrie::create(8, 1).unwrap();
    let key = Key::new;
    routes.insert(&key(8, [10, 0, 0, 0]), 8, 0).unwrap();
    routes.insert(key(24, [10, 1, 2, 0]), 24, 0).unwrap();
    assert_eq!(routes.get(&key(32, [10, 1, 2, 3]), 0).unwrap(), 24);
    assert_eq!(routes.get(&key(32, [10, 9, 9, 9]), 0).unwrap(), 8);
    assert!(matches!(
        routes.get(&key(32, [11, 0, 0, 0]), 0),
        Err(MapError::KeyNotFound)
    ));
    let mut lengths: Vec<u32> = routes.keys().map(|key| key.unwrap().prefix_len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [8, 24]);
    routes.remove(&key(24, [10, 1, 2, 0])).unwrap();
    assert_eq!(routes.get(&key(32, [10, 1, 2, 3]), 0).unwrap(), 8);
}

#[test]
fn queues_and_stacks() {
    if !may_create("queues_and_stacks") {
        return;
    }
    let mut queue: Queue<_, u32> = Queue::create(2, 0).unwrap();
    let mut stack: Stack<_, u32> = Stack::create(2, 0).unwrap();
    for value in [1, 2] {
        queue.push(value, 0).unwrap();
        stack.push(&value, 0).unwrap();
    }
    assert!(queue.push(3, 0).is_err(), "no room");
    assert_eq!((queue.pop(0).unwrap(), queue.pop(0).unwrap()), (1, 2));
    assert_eq!((stack.pop(0).unwrap(), stack.pop(0).unwrap()), (2, 1));
    assert!(matches!(queue.pop(0), Err(MapError::ElementNotFound)));
    assert_eq!((queue.capacity(), stack.capacity()), (2, 2));
}

#[test]
fn shared_memory_is_that_of_its_type() {
    if !may_create_since("shared_memory_is_that_of_its_type", 5, 8) {
        return;
    }
    const BPF_F_MMAPABLE: u32 = 1 << 10;
    // Its memory has the size of a ring buffer's, and is what this process writes.
    let array: Array<_, u64> = Array::create(4096, BPF_F_MMAPABLE).unwrap();
    let same = || {
        let fd = array.data().fd().as_fd().try_clone_to_owned().unwrap();
        MapData::from_fd(fd).unwrap()
    };
    let errors = [
        RingBuf::try_from(Map::RingBuf(same())).err(),
        UserRingBuf::try_from(Map::UserRingBuf(same())).err(),
        Arena::try_from(Map::Arena(same())).err(),
    ];
    for error in errors {
        assert!(
            matches!(error, Some(MapError::InvalidMapType { map_type: 2, .. })),
            "{error:?}"
        );
    }
}

#[test]
fn flags_reach_the_kernel() {
    if !may_create_since("flags_reach_the_kernel", 5, 1) {
        return;
    }
    // Which refuses to lock values that have no lock.
    const BPF_F_LOCK: u64 = 4;
    let mut map: HashMap<_, u32, u64> = HashMap::create(8, 0).unwrap();
    map.insert(1, 2, 0).unwrap();
    assert!(map.get(&1, BPF_F_LOCK).is_err());
    assert!(map.insert(1, 3, BPF_F_LOCK).is_err());
    assert!(map.insert_batch(&[1], &[3], BPF_F_LOCK).is_err());
    assert!(map.take(&1, BPF_F_LOCK).is_err());
    assert_eq!(map.get(&1, 0).unwrap(), 2);
    let array: Array<_, u64> = Array::create(1, 0).unwrap();
    assert!(array.get(&0, BPF_F_LOCK).is_err() && array.get(&0, 0).is_ok());
}

#[test]
fn bloom_filters() {
    if !may_create_since("bloom_filters", 5, 16) {
        return;
    }
    let mut set: BloomFilter<_, u64> = BloomFilter::create(100, 0).unwrap();
    set.insert(7, 0).unwrap();
    assert!(set.contains(&7, 0).is_ok());
    assert!(matches!(set.contains(8, 0), Err(MapError::ElementNotFound)));
}

#[test]
fn user_ring_buffers_without_an_object() {
    if !may_create_since("user_ring_buffers_without_an_object", 6, 1) {
        return;
    }
    let mut orders = UserRingBuf::create(100, 0).unwrap();
    orders.send(&7_u32).unwrap();
    // However large the buffer, programs could not be given this one.
    let mut orders = UserRingBuf::create(1 << 25, 0).unwrap();
    let error = orders.send_bytes(&vec![0; 1 << 24]).unwrap_err();
    assert!(matches!(error, MapError::RecordTooLarge { .. }), "{error}");
    orders.send_bytes(&vec![0; (1 << 24) - 1]).unwrap();
}

#[test]
fn channels_and_stacks_without_an_object() {
    if !may_create_since("channels_and_stacks_without_an_object", 5, 8) {
        return;
    }
    let mut records = RingBuf::create(4096, 0).unwrap();
    assert!(records.next().is_none());
    let mut events = PerfEventArray::create(1, 0).unwrap();
    assert!(!events.open(0, Some(1)).unwrap().readable());
    let beyond = events.open(1, Some(1)).unwrap_err();
    assert!(
        matches!(
            beyond,
            PerfBufferError::MapError(MapError::OutOfBounds { index: 1, .. })
        ),
        "{beyond}"
    );
    let stacks = StackTraceMap::create(8, 0).unwrap();
    assert_eq!(stacks.iter().count(), 0);
}

#[test]
fn arrays_of_kernel_objects() {
    if !may_create("arrays_of_kernel_objects") {
        return;
    }
    let map = |name: &str, map_type| {
        let data = MapData::create(&spec(name, map_type, 4, 4), name, None).unwrap();
        Map::from_map_data(data).unwrap()
    };
    let mut programs = ProgramArray::try_from(map("PROGRAMS", MapType::ProgramArray)).unwrap();
    assert_eq!(programs.indices().count(), 8);
    assert!(matches!(
        programs.clear_index(&3),
        Err(MapError::KeyNotFound)
    ));
    assert!(matches!(
        programs.clear_index(&8),
        Err(MapError::OutOfBounds {
            index: 8,
            max_entries: 8,
            ..
        })
    ));
    let mut cgroups = CgroupArray::try_from(map("CGROUPS", MapType::CgroupArray)).unwrap();
    assert_eq!(cgroups.len(), 8);
    // A directory that is no cgroup.
    let root = fs::File::open("/").unwrap();
    assert!(matches!(
        cgroups.set(0, root, 0),
        Err(MapError::SyscallError(_))
    ));
}

#[test]
fn stacks_of_addresses_and_of_files() {
    if !may_create("stacks_of_addresses_and_of_files") {
        return;
    }
    // BPF_F_STACK_BUILD_ID
    for (flags, frame) in [(0, 8), (32, 32)] {
        let mut stacks = spec("STACKS", MapType::StackTrace, 4, frame * 10);
        stacks.flags = flags;
        let data = MapData::create(&stacks, "STACKS", None).unwrap();
        let stacks = StackTraceMap::try_from(Map::from_map_data(data).unwrap()).unwrap();
        assert_eq!(stacks.iter().count(), 0);
        assert!(matches!(stacks.get(&1, 0), Err(MapError::KeyNotFound)));
    }
}

#[test]
fn the_kernel_tells_what_it_was_told() {
    if !may_create("the_kernel_tells_what_it_was_told") {
        return;
    }
    let name = "a name longer than the kernel's";
    let data = MapData::create(&spec(name, MapType::Hash, 4, 12), name, None).unwrap();
    assert_eq!(data.name(), name);
    let info = data.info().unwrap();
    assert_eq!(info.map_type().unwrap(), MapType::Hash);
    assert_eq!((info.key_size(), info.value_size()), (4, 12));
    assert_eq!(info.max_entries(), 8);
    assert_eq!(info.name_as_str(), Some("a_name_longer_t"));
    assert_eq!((info.map_extra(), info.ifindex()), (0, 0));
    assert_eq!((info.btf_id(), info.btf_value_type_id()), (0, 0));
    let by_id = MapData::from_id(info.id()).unwrap();
    assert_eq!(by_id.shape(), data.shape());
    assert!(
        loaded_maps()
            .map(Result::unwrap)
            .any(|map| map.id() == info.id())
    );
}

#[test]
fn maps_of_maps_need_to_know_their_inner_maps() {
    if !may_create("maps_of_maps_need_to_know_their_inner_maps") {
        return;
    }
    let mut outer = spec("OUTER", MapType::ArrayOfMaps, 4, 4);
    let error = MapData::create(&outer, "OUTER", None).unwrap_err();
    assert!(
        matches!(&error, MapError::MissingInnerMapDefinition { outer_name } if outer_name == "OUTER"),
        "{error:?}"
    );
    outer.inner = Some(Box::new(spec("INNER", MapType::Array, 4, 4)));
    assert!(MapData::create(&outer, "OUTER", None).is_ok());
}

#[test]
fn the_kernels_refusal_is_kept() {
    if !may_create("the_kernels_refusal_is_kept") {
        return;
    }
    let mut impossible = spec("BAD", MapType::Hash, 4, 4);
    impossible.max_entries = 0;
    let error = MapData::create(&impossible, "BAD", None).unwrap_err();
    assert!(
        matches!(&error, MapError::CreateError { name, error } if name == "BAD"
            && error.io_error.kind() == std::io::ErrorKind::InvalidInput),
        "{error:?}"
    );
    let error = MapData::create(&impossible, "B\0D", None).unwrap_err();
    assert!(matches!(error, MapError::InvalidName { .. }), "{error:?}");
}

/// BPF_F_MMAPABLE
const MAPPABLE: u32 = 1 << 10;

#[test]
fn arrays_in_memory() {
    if !may_create_since("arrays_in_memory", 5, 5) {
        return;
    }
    // Values of 12 bytes, 16 apart, on more than one page.
    let mut array: Array<_, [u8; 12]> = Array::create(1000, MAPPABLE).unwrap();
    let memory = array.mmap().unwrap();
    let mut written = array.mmap_mut().unwrap();
    assert_eq!((memory.len(), written.len()), (1000, 1000));
    array.set(999, [7; 12], 0).unwrap();
    assert_eq!(memory.get(999).unwrap(), [7; 12]);
    written.set(998, [8; 12]).unwrap();
    assert_eq!(array.get(&998, 0).unwrap(), [8; 12]);
    assert_eq!(array.get(&999, 0).unwrap(), [7; 12], "the next one");
    let sum: u32 = memory.iter().map(|value| u32::from(value[11])).sum();
    assert_eq!(sum, 15);
    for result in [written.get(1000).map(drop), written.set(1000, [0; 12])] {
        assert!(matches!(
            result,
            Err(MapError::OutOfBounds { index: 1000, .. })
        ));
    }
    // The memory outlives the handle.
    drop(array);
    assert_eq!(memory.get(998).unwrap(), [8; 12]);

    let mut numbers: Array<_, u32> = Array::create(2, MAPPABLE).unwrap();
    let mut memory = numbers.mmap_mut().unwrap();
    memory.set(1, u32::MAX).unwrap();
    assert_eq!(numbers.get(&1, 0).unwrap(), u32::MAX);
    numbers.set(1, 5, 0).unwrap();
    assert_eq!(memory.get(1).unwrap(), 5);

    let plain: Array<_, u32> = Array::create(2, 0).unwrap();
    let error = plain.mmap().unwrap_err();
    assert!(
        matches!(error, MapError::UnsupportedMapFlags { flags: 0, .. }),
        "{error:?}"
    );
}

#[test]
fn frozen_maps_say_so() {
    if !may_create_since("frozen_maps_say_so", 5, 5) {
        return;
    }
    let mut array: Array<_, u32> =
        Array::create_with("LIMITS", MapOptions::new().max_entries(2).flags(MAPPABLE)).unwrap();
    let closed = |result: Result<(), MapError>| {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, MapError::AccessDenied { name, .. } if name == "LIMITS"),
            "{error:?}"
        );
        error.to_string()
    };
    let memory = array.mmap_mut().unwrap();
    let message = closed(array.data().freeze());
    assert!(message.contains("mapped into memory"), "{message}");
    drop(memory);
    array.set(0, 9, 0).unwrap();
    assert!(!array.data().is_frozen().unwrap());
    assert!(array.data().memlock().unwrap() > 0);

    array.data().freeze().unwrap();
    assert!(array.data().is_frozen().unwrap());
    let message = closed(array.set(0, 10, 0));
    assert!(message.contains("it is frozen"), "{message}");
    let batch = array.set_batch(&[0, 1], &[1, 2], 0).unwrap_err();
    assert_eq!(batch.done, 0);
    closed(Err(batch.into()));
    closed(array.mmap_mut().map(drop));
    closed(array.data().freeze());
    assert_eq!(array.get(&0, 0).unwrap(), 9);
    assert_eq!(array.mmap().unwrap().get(0).unwrap(), 9);
}

#[test]
fn maps_that_are_closed_to_one_side() {
    if !may_create("maps_that_are_closed_to_one_side") {
        return;
    }
    // BPF_F_RDONLY
    let mut map: HashMap<_, u32, u32> = HashMap::create(2, 8).unwrap();
    let error = map.insert(1, 1, 0).unwrap_err();
    assert!(
        matches!(&error, MapError::AccessDenied { reason, .. } if reason.contains("BPF_F_RDONLY")),
        "{error:?}"
    );
    assert!(matches!(map.get(&1, 0), Err(MapError::KeyNotFound)));
    // BPF_F_WRONLY
    let mut map: HashMap<_, u32, u32> = HashMap::create(2, 16).unwrap();
    map.insert(1, 1, 0).unwrap();
    for error in [
        map.get(&1, 0).unwrap_err(),
        map.iter().next().unwrap().unwrap_err(),
        map.keys().next().unwrap().unwrap_err(),
    ] {
        assert!(
            matches!(&error, MapError::AccessDenied { reason, .. } if reason.contains("BPF_F_WRONLY")),
            "{error:?}"
        );
    }
}
