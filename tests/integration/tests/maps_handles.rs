//! Maps of maps, of kernel objects and of what belongs to kernel objects, on the machine's own
//! kernel.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use aya::{
    features::{Feature, Features},
    maps::{
        Array, ArrayOfMaps, CgroupStorage, CgrpStorage, CpuMap, DevMap, DevMapHash, HashMap,
        HashOfMaps, InodeStorage, Map, MapData, MapError, MapOptions, MapType, PerCpuCgroupStorage,
        Queue, ReusePortSockArray, SkStorage, SockHash, SockMap, Stack, TaskStorage,
        cgroup_storage::CgroupStorageKey, task_storage::pidfd, xdp::XdpMapError,
    },
    programs::ProgramFd,
};
use aya_netlab::Cgroup;
use aya_tests::{missing_privilege, require_kernel, skip};

/// Whether the test can run here.
fn runs(test: &str, since: (u32, u32)) -> bool {
    match missing_privilege() {
        Some(reason) => skip(test, reason).map(|()| false).unwrap(),
        None => require_kernel(test, since).unwrap(),
    }
}

#[test]
fn inner_maps_are_got_and_replaced() {
    if !runs("inner_maps_are_got_and_replaced", (4, 15)) {
        return;
    }
    let slots = Array::<MapData, u32>::options().max_entries(4);
    let mut outer: ArrayOfMaps<_, Array<MapData, u32>> =
        ArrayOfMaps::create_with("CUSTOMERS", MapOptions::new().max_entries(3).inner(slots))
            .unwrap();
    assert_eq!((outer.len(), outer.is_empty()), (3, false));
    assert!(matches!(outer.get(&0, 0), Err(MapError::KeyNotFound)));
    assert!(matches!(
        outer.get(&3, 0),
        Err(MapError::OutOfBounds { name, index: 3, max_entries: 3 }) if name == "CUSTOMERS"
    ));

    for value in [7, 8] {
        let mut inner = outer.create_inner().unwrap();
        assert_eq!(inner.len(), 4);
        inner.set(1, value, 0).unwrap();
        outer.set(2, &inner, 0).unwrap();
        // The map lives on in the outer one, which is all that holds it from here on.
        drop(inner);
        assert_eq!(outer.get(&2, 0).unwrap().get(&1, 0).unwrap(), value);
    }
    let all: Vec<_> = outer.iter().map(|entry| entry.unwrap().0).collect();
    assert_eq!(all, [2], "places without a map are left out");
    let ids: Vec<(u32, u32)> = outer.ids().map(Result::unwrap).collect();
    let id = |map: &Array<MapData, u32>| map.data().info().unwrap().id();
    assert_eq!(ids, [(2, id(&outer.get(&2, 0).unwrap()))]);
    let inner = outer.create_inner().unwrap();
    assert_eq!(outer.set_batch(&[0, 1], &[&inner, &inner], 0).unwrap(), 2);
    let ids: Vec<u32> = outer.ids().map(|entry| entry.unwrap().0).collect();
    assert_eq!(ids, [0, 1, 2]);
    outer.clear_index(&1).unwrap();
    let ids: Vec<u32> = outer.ids().map(|entry| entry.unwrap().0).collect();
    assert_eq!(ids, [0, 2]);
    let beyond = outer.set_batch(&[0, 3], &[&inner, &inner], 0).unwrap_err();
    assert_eq!(beyond.done, 0);

    let other = Array::create(5, 0).unwrap();
    assert!(matches!(
        outer.set(0, &other, 0),
        Err(MapError::SyscallError(_))
    ));
    outer.clear_index(&2).unwrap();
    assert!(matches!(outer.get(&2, 0), Err(MapError::KeyNotFound)));
}

#[test]
fn maps_by_key() {
    if !runs("maps_by_key", (4, 15)) {
        return;
    }
    type Inner = HashMap<MapData, u32, u64>;
    let pattern = Inner::options().max_entries(8);
    let mut outer: HashOfMaps<_, u32, Inner> =
        HashOfMaps::create_with("", MapOptions::new().max_entries(2).inner(pattern)).unwrap();
    for key in [10, 20] {
        let mut inner = outer.create_inner().unwrap();
        inner.insert(key, u64::from(key) + 1, 0).unwrap();
        outer.insert(key, &inner, 0).unwrap();
    }
    let inner = outer.create_inner().unwrap();
    assert!(matches!(
        outer.insert(30, &inner, 0),
        Err(MapError::Full { max_entries: 2, .. })
    ));
    assert_eq!(outer.ids().map(Result::unwrap).count(), 2);
    assert_eq!(outer.remove_batch(&[10, 20, 30]).unwrap(), 2);
    let inners = [10, 20].map(|key| {
        let mut inner = outer.create_inner().unwrap();
        inner.insert(key, u64::from(key) + 1, 0).unwrap();
        inner
    });
    let all = inners.each_ref();
    assert_eq!(outer.insert_batch(&[10, 20], &all, 0).unwrap(), 2);
    let mut values = BTreeMap::new();
    for entry in &outer {
        let (key, inner) = entry.unwrap();
        values.insert(key, inner.get(&key, 0).unwrap());
    }
    assert_eq!(values, BTreeMap::from([(10, 11), (20, 21)]));
    outer.remove(&10).unwrap();
    assert_eq!(outer.keys().map(Result::unwrap).collect::<Vec<_>>(), [20]);

    // What another process sees: it knows the pattern from the maps that are in it.
    let same = || MapData::from_fd(descriptor(outer.data())).unwrap();
    let mut found: HashOfMaps<_, u32> = HashOfMaps::try_from(Map::HashOfMaps(same())).unwrap();
    let inner = found.create_inner().unwrap();
    assert_eq!(inner.shape().max_entries, 8);
    found.insert(10, &inner, 0).unwrap();
    let wrong: HashOfMaps<_, u32, Array<MapData, u64>> =
        HashOfMaps::try_from(Map::HashOfMaps(same())).unwrap();
    let error = wrong.get(&10, 0).unwrap_err();
    assert!(
        matches!(error, MapError::InvalidMapType { .. }),
        "{error:?}"
    );
    found.remove(&10).unwrap();
    found.remove(&20).unwrap();
    let error = found.create_inner().unwrap_err();
    assert!(
        matches!(error, MapError::MissingInnerMapDefinition { .. }),
        "{error:?}"
    );
}

/// A second descriptor of a map.
fn descriptor(map: &MapData) -> OwnedFd {
    map.fd().as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn interfaces_and_cpus() {
    if !runs("interfaces_and_cpus", (4, 15)) {
        return;
    }
    // The loopback interface; nothing is attached to it.
    let mut ports = DevMap::create(2, 0).unwrap();
    ports.set(1, 1, None, 0).unwrap();
    let port = ports.get(1, 0).unwrap();
    assert_eq!((port.if_index, port.prog_id), (1, None));
    assert!(matches!(ports.get(0, 0), Err(MapError::KeyNotFound)));
    assert_eq!(ports.iter().filter_map(Result::ok).count(), 1);
    ports.unset(1).unwrap();
    assert!(matches!(ports.get(1, 0), Err(MapError::KeyNotFound)));
    let beyond = ports.set(2, 1, None, 0);
    assert!(matches!(
        beyond,
        Err(XdpMapError::MapError(MapError::OutOfBounds {
            index: 2,
            ..
        }))
    ));

    let mut customers = DevMapHash::create(1, 0).unwrap();
    customers.insert(70_000, 1, None, 0).unwrap();
    assert_eq!(customers.get(70_000, 0).unwrap().if_index, 1);
    assert_eq!(customers.keys().count(), 1);
    for entry in &customers {
        assert_eq!(entry.unwrap().0, 70_000);
    }
    customers.remove(70_000).unwrap();
    assert!(matches!(
        customers.remove(70_000),
        Err(MapError::KeyNotFound)
    ));

    let mut cpus = CpuMap::create(1, 0).unwrap();
    cpus.set(0, 192, None, 0).unwrap();
    assert_eq!(cpus.get(0, 0).unwrap().queue_size, 192);
    cpus.unset(0).unwrap();
    assert!(matches!(cpus.get(0, 0), Err(MapError::KeyNotFound)));
}

#[test]
fn old_kernels_have_no_programs_in_maps() {
    if !runs("old_kernels_have_no_programs_in_maps", (4, 15)) {
        return;
    }
    let old = Features::without(&[Feature::DevMapPrograms, Feature::CpuMapPrograms]);
    let program = ProgramFd::from(OwnedFd::from(File::open("/dev/null").unwrap()));
    let mut ports =
        DevMap::create_with("", MapOptions::new().max_entries(1).features(old.clone())).unwrap();
    ports.set(0, 1, None, 0).unwrap();
    assert_eq!(ports.get(0, 0).unwrap().if_index, 1);
    assert!(matches!(
        ports.set(0, 1, Some(&program), 0),
        Err(XdpMapError::ChainedProgramNotSupported)
    ));
    let mut cpus = CpuMap::create_with("", MapOptions::new().max_entries(1).features(old)).unwrap();
    cpus.set(0, 64, None, 0).unwrap();
    assert_eq!(cpus.get(0, 0).unwrap().queue_size, 64);
    assert!(matches!(
        cpus.set(0, 64, Some(&program), 0),
        Err(XdpMapError::ChainedProgramNotSupported)
    ));
}

/// A map that holds a value for `owner`.
macro_rules! holds {
    ($handle:ident, $owner:expr) => {{
        let owner = $owner;
        // Larger than a number, so that its type is made up of bytes.
        let mut map: $handle<_, [u8; 12]> = $handle::create(0).unwrap();
        let absent = map.get(&owner, 0).unwrap_err();
        assert!(matches!(absent, MapError::KeyNotFound), "{absent:?}");
        map.insert(&owner, [7; 12], 0).unwrap();
        assert_eq!(map.get(&owner, 0).unwrap(), [7; 12]);
        // BPF_NOEXIST
        assert!(map.insert(&owner, &[8; 12], 1).is_err());
        map.remove(&owner).unwrap();
        assert!(matches!(map.remove(&owner), Err(MapError::KeyNotFound)));
        // A descriptor of something else.
        let error = map.get(&descriptor(map.data()), 0).unwrap_err();
        assert!(matches!(error, MapError::SyscallError(_)), "{error:?}");
    }};
}

#[test]
fn values_of_sockets() {
    if runs("values_of_sockets", (5, 2)) {
        holds!(SkStorage, UdpSocket::bind("127.0.0.1:0").unwrap());
    }
}

#[test]
fn values_of_tasks() {
    if runs("values_of_tasks", (5, 11)) {
        holds!(TaskStorage, pidfd(std::process::id()).unwrap());
    }
}

#[test]
fn values_of_inodes() {
    if runs("values_of_inodes", (5, 10)) {
        // The kernel keeps these only where BPF is among its security modules, but the map is there.
        let map: InodeStorage<_, u32> = InodeStorage::create(0).unwrap();
        assert!(map.get(&File::open("/").unwrap(), 0).is_err());
    }
}

#[test]
fn values_of_cgroups() {
    if runs("values_of_cgroups", (6, 2)) {
        let cgroup = Cgroup::new().unwrap();
        holds!(CgrpStorage, cgroup.as_fd());
    }
}

#[test]
fn older_storage_of_cgroups() {
    if !runs("older_storage_of_cgroups", (4, 15)) {
        return;
    }
    // The kernel makes values when programs are attached; without one there is none.
    let key = CgroupStorageKey::new(1, 0);
    let mut map: CgroupStorage<_, u64> = CgroupStorage::create(0).unwrap();
    assert!(matches!(map.get(key, 0), Err(MapError::KeyNotFound)));
    assert!(map.insert(key, 1, 0).is_err());
    assert_eq!(map.keys().count(), 0);
    let map: PerCpuCgroupStorage<_, u64> = PerCpuCgroupStorage::create(0).unwrap();
    assert!(matches!(map.get(key, 0), Err(MapError::KeyNotFound)));
    // Keys without an attach type (5.9).
    let small = MapData::create_with(
        "",
        MapOptions::new()
            .map_type(MapType::CgroupStorage)
            .key_size(8)
            .value_size(8),
    )
    .unwrap();
    let small = Map::from_map_data(small).unwrap();
    let small: CgroupStorage<_, u64> = CgroupStorage::try_from(small).unwrap();
    assert!(matches!(small.get(key, 0), Err(MapError::KeyNotFound)));
    assert_eq!(small.keys().count(), 0);
}

#[test]
fn sockets_in_slots() {
    if !runs("sockets_in_slots", (4, 15)) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut slots = SockMap::create(2, 0).unwrap();
    slots.set(1, &socket, 0).unwrap();
    let cookie = slots.cookie(&1).unwrap();
    assert!(matches!(slots.cookie(&0), Err(MapError::KeyNotFound)));
    let mut keys: SockHash<_, u16> = SockHash::create(2, 0).unwrap();
    keys.insert(80, socket.as_raw_fd(), 0).unwrap();
    assert_eq!(keys.cookie(&80).unwrap(), cookie);
    let cookies: Vec<_> = slots.cookies().unwrap().map(Result::unwrap).collect();
    assert_eq!(cookies, [(1, cookie)], "a free slot comes first");
    let cookies: Vec<_> = keys.cookies().unwrap().map(Result::unwrap).collect();
    assert_eq!(cookies, [(80, cookie)]);
    assert_eq!(keys.remove_batch(&[7, 80]).unwrap(), 1);
    keys.insert(80, socket.as_raw_fd(), 0).unwrap();
    slots.clear_index(&1).unwrap();
    keys.remove(&80).unwrap();

    // Only sockets that share a port.
    let mut shared = ReusePortSockArray::create(2, 0).unwrap();
    assert!(matches!(
        shared.set(0, &listener, 0),
        Err(MapError::SyscallError(_))
    ));
    assert!(matches!(shared.cookie(&0), Err(MapError::KeyNotFound)));
    assert!(shared.clear_index(&2).is_err());
}

#[test]
fn peeking_takes_nothing() {
    if !runs("peeking_takes_nothing", (4, 15)) {
        return;
    }
    let mut queue: Queue<_, u32> = Queue::create(2, 0).unwrap();
    let mut stack: Stack<_, u32> = Stack::create(2, 0).unwrap();
    assert!(matches!(queue.peek(0), Err(MapError::ElementNotFound)));
    for value in [1, 2] {
        queue.push(value, 0).unwrap();
        stack.push(value, 0).unwrap();
    }
    assert_eq!((queue.peek(0).unwrap(), queue.peek(0).unwrap()), (1, 1));
    assert_eq!((stack.peek(0).unwrap(), stack.pop(0).unwrap()), (2, 2));
    assert!(matches!(
        queue.push(3, 0),
        Err(MapError::Full { max_entries: 2, .. })
    ));
}

#[test]
fn options_make_what_the_handle_is_for() {
    if !runs("options_make_what_the_handle_is_for", (4, 15)) {
        return;
    }
    let lru = HashMap::<MapData, u32, u32>::create_with(
        "RECENT",
        MapOptions::new()
            .map_type(MapType::LruHash)
            .max_entries(16)
            .numa_node(0),
    )
    .unwrap();
    let info = lru.data().info().unwrap();
    assert_eq!(info.map_type().unwrap(), MapType::LruHash);
    assert_eq!(info.name_as_str(), Some("RECENT"));
    // BPF_F_NUMA_NODE
    assert_eq!(info.map_flags() & 4, 4);
    assert_eq!(lru.data().name(), "RECENT");

    let wrong = HashMap::<MapData, u32, u32>::create_with(
        "WRONG",
        MapOptions::new().map_type(MapType::Array).max_entries(1),
    )
    .unwrap_err();
    assert!(
        matches!(&wrong, MapError::InvalidMapType { name: Some(name), .. } if name == "WRONG"),
        "{wrong:?}"
    );
    let inner = ArrayOfMaps::<MapData>::create_with("", MapOptions::new().max_entries(1));
    assert!(matches!(
        inner,
        Err(MapError::MissingInnerMapDefinition { .. })
    ));
}
