//! Maps of elements: programs and user space change them in turn, and each sees what the other did.

use std::{collections::BTreeMap, fs};

use aya::{
    Ebpf, EbpfLoader,
    maps::{
        Array, BloomFilter, HashMap, MapData, MapError, PerCpuArray, PerCpuHashMap, PerCpuValues,
        Queue, Stack, StackTraceMap,
    },
    programs::RawTracePoint,
};
use aya_tests::{
    TestResult,
    elements::{
        Ask::{Add, Get, Has, New, Old, Pop, Remove, Set},
        Key, Pair, Value, key, value,
    },
    in_both_modes, kernel, program,
    tracing::this_thread,
};
use nix::errno::Errno;

/// `BPF_NOEXIST` and `BPF_EXIST`.
const NOEXIST: u64 = 1;
const EXIST: u64 = 2;

/// The error number of a system call on a map that the kernel refused.
fn refused(result: Result<(), MapError>) -> TestResult<Errno> {
    match result {
        Err(MapError::SyscallError(error)) => {
            let number = error.io_error.raw_os_error().ok_or("no number")?;
            Ok(Errno::from_raw(number))
        }
        other => Err(format!("not refused by the kernel: {other:?}").into()),
    }
}

/// A full map says so, and which one it is.
fn full(result: Result<(), MapError>, map: &str, entries: u32) -> TestResult {
    match result {
        Err(MapError::Full { name, max_entries })
            if (name.as_str(), max_entries) == (map, entries) =>
        {
            Ok(())
        }
        other => Err(format!("{map} is not full: {other:?}").into()),
    }
}

/// Tests maps with their programs: one map in both forms of its definition.
fn on_each(
    object: &[u8],
    pairs: [(&'static str, &'static str); 2],
    test: fn(&mut Pair, &str) -> TestResult,
) -> TestResult {
    for (program, map) in pairs {
        test(&mut Pair::new(object, program, map)?, map)?;
    }
    Ok(())
}

/// What both kinds of tables of a fixed size do to the programs.
fn small_table(pair: &mut Pair) -> TestResult {
    assert_eq!(pair.ask(Get(1))?, Err(Errno::ENOENT));
    assert_eq!(pair.ask(Add(1, 1))?, Err(Errno::ENOENT));
    assert_eq!(pair.ask(Remove(1))?, Err(Errno::ENOENT));
    assert_eq!(pair.ask(Old(1, 10))?, Err(Errno::ENOENT));
    assert_eq!(pair.ask(New(1, 10))?, Ok(0));
    assert_eq!(pair.ask(New(1, 11))?, Err(Errno::EEXIST));
    assert_eq!(pair.ask(Old(1, 12))?, Ok(0));
    assert_eq!(pair.ask(Add(1, 3))?, Ok(15));
    for number in 2..5 {
        assert_eq!(pair.ask(Set(number, number.into()))?, Ok(0));
    }
    assert_eq!(pair.ask(Set(5, 5))?, Err(Errno::E2BIG));
    assert_eq!(
        pair.ask(Set(4, 44))?,
        Ok(0),
        "a full table takes what it has"
    );
    Ok(())
}

in_both_modes! {
    /// Both sides insert, change and remove, in a hash map with room for four.
    fn hash(object: "maps_elements", since 5, 8) {
        let both = [("hash", "HASH"), ("btf_hash", "BTF_HASH")];
        on_each(object, both, |pair, name| {
            small_table(pair)?;

            let mut map: HashMap<_, Key, Value> = HashMap::try_from(pair.map()?)?;
            let all: Result<BTreeMap<Key, Value>, MapError> = map.iter().collect();
            let expected = [(1, 15), (2, 2), (3, 3), (4, 44)].map(|(k, v)| (key(k), value(v)));
            assert_eq!(all?, BTreeMap::from(expected));
            assert_eq!(map.keys().count(), 4);

            full(map.insert(key(5), value(5), 0), name, 4)?;
            map.insert(key(1), value(100), EXIST)?;
            assert_eq!(refused(map.insert(key(1), value(1), NOEXIST))?, Errno::EEXIST);
            map.remove(&key(2))?;
            assert!(matches!(map.remove(&key(2)), Err(MapError::KeyNotFound)));
            assert!(matches!(map.get(&key(2), 0), Err(MapError::KeyNotFound)));
            assert_eq!(refused(map.insert(key(2), value(1), EXIST))?, Errno::ENOENT);
            map.insert(key(9), value(9), NOEXIST)?;

            assert_eq!(pair.ask(Get(1))?, Ok(100));
            assert_eq!(pair.ask(Get(2))?, Err(Errno::ENOENT));
            assert_eq!(pair.ask(Add(9, 1))?, Ok(10));
            assert_eq!(pair.ask(Remove(9))?, Ok(0));
            let mut map: HashMap<_, Key, Value> = HashMap::try_from(pair.map()?)?;
            assert!(matches!(map.get(&key(9), 0), Err(MapError::KeyNotFound)));

            // Many at once, and single ones as they are taken out.
            let drained: Result<BTreeMap<Key, Value>, MapError> = map.drain().collect();
            let expected = [(1, 100), (3, 3), (4, 44)].map(|(k, v)| (key(k), value(v)));
            assert_eq!(drained?, BTreeMap::from(expected));
            let (keys, values) = ([20, 21, 22].map(key), [20, 21, 22].map(value));
            assert_eq!(map.insert_batch(&keys, &values, 0)?, 3);
            assert_eq!(map.remove_batch(&[key(20), key(99)])?, 1);
            match map.take(&key(21), 0) {
                Err(MapError::KernelTooOld { .. }) if kernel()? < (5, 14) => map.remove(&key(21))?,
                taken => assert_eq!(taken?, value(21)),
            }
            assert_eq!((pair.ask(Get(20))?, pair.ask(Get(21))?), (Err(Errno::ENOENT), Err(Errno::ENOENT)));
            assert_eq!(pair.ask(Add(22, 1))?, Ok(23));
            Ok(())
        })
    }

    /// As a hash map; it has room for as many as it is to have, and no more.
    fn rhash(object: "maps_rhash", since 7, 2) {
        let both = [("rhash", "RHASH"), ("rhash_too", "RHASH_TOO")];
        on_each(object, both, |pair, name| {
            small_table(pair)?;
            let mut rhash: HashMap<_, Key, Value> = HashMap::try_from(pair.map()?)?;
            full(rhash.insert(key(5), value(5), 0), name, 4)?;
            rhash.remove(&key(2))?;
            rhash.insert(key(9), value(9), NOEXIST)?;
            let all: Result<BTreeMap<Key, Value>, MapError> = rhash.iter().collect();
            let expected = [(1, 15), (3, 3), (4, 44), (9, 9)].map(|(k, v)| (key(k), value(v)));
            assert_eq!(all?, BTreeMap::from(expected));
            assert_eq!(pair.ask(Add(9, 1))?, Ok(10));
            assert_eq!(pair.ask(Get(2))?, Err(Errno::ENOENT));
            Ok(())
        })
    }

    /// A program sees the value of its CPU alone; user space sees those of all, and sets them.
    fn per_cpu_hash(object: "maps_elements", since 5, 8) {
        let both = [("per_cpu_hash", "PER_CPU_HASH"), ("btf_per_cpu_hash", "BTF_PER_CPU_HASH")];
        on_each(object, both, |pair, name| {
            small_table(pair)?;
            let mut map: PerCpuHashMap<_, Key, Value> = PerCpuHashMap::try_from(pair.map()?)?;
            let cpus = map.get(&key(2), 0)?.len();
            let zeros = PerCpuValues::try_from(vec![value(0); cpus])?;
            full(map.insert(key(5), zeros, 0), name, 4)?;
            let hundreds: Vec<_> = (1..).map(|cpu| value(cpu * 100)).take(cpus).collect();
            map.insert(key(2), PerCpuValues::try_from(hundreds.clone())?, EXIST)?;

            let seen = pair.ask(Add(2, 1))?;
            let map: PerCpuHashMap<_, Key, Value> = PerCpuHashMap::try_from(pair.map()?)?;
            let values = map.get(&key(2), 0)?;
            let changed: Vec<_> = values.iter().zip(&hundreds).filter(|(now, then)| now != then).collect();
            let [(now, then)] = changed.as_slice() else {
                return Err(format!("{changed:?}").into());
            };
            assert_eq!((now[0], seen), (then[0] + 1, Ok(now[0])));
            assert_eq!(map.iter().count(), 4);
            Ok(())
        })
    }

    /// A map that forgets takes all that it is given, holds no more than it may, and has the latest.
    fn least_recently_used(object: "maps_elements", since 5, 8) {
        let both = [("lru_hash", "LRU_HASH"), ("btf_lru_hash", "BTF_LRU_HASH")];
        on_each(object, both, |pair, _| {
            for number in 0..300 {
                assert_eq!(pair.ask(New(number, u64::from(number) + 7))?, Ok(0));
            }
            assert_eq!(pair.ask(Get(299))?, Ok(306));
            assert_eq!(pair.ask(Get(0))?, Err(Errno::ENOENT));
            let mut map: HashMap<_, Key, Value> = HashMap::try_from(pair.map()?)?;
            let held = map.iter().collect::<Result<Vec<_>, _>>()?;
            assert!((1..=64).contains(&held.len()), "{}", held.len());
            for ([number, _], [held, _]) in &held {
                assert_eq!(u64::from(*number) + 7, *held);
            }
            for number in 1000..1100 {
                map.insert(key(number), value(1), 0)?;
            }
            assert_eq!(map.get(&key(1099), 0)?, value(1));
            assert!(map.keys().count() <= 64);
            assert_eq!(pair.ask(Get(1099))?, Ok(1));
            Ok(())
        })
    }

    /// The same with a value for each CPU.
    fn least_recently_used_per_cpu(object: "maps_elements", since 5, 8) {
        let both = [("lru_per_cpu_hash", "LRU_PER_CPU_HASH"), ("btf_lru_per_cpu_hash", "BTF_LRU_PER_CPU_HASH")];
        on_each(object, both, |pair, _| {
            for number in 0..300 {
                assert_eq!(pair.ask(Set(number, 1))?, Ok(0));
            }
            assert_eq!(pair.ask(Add(299, 4))?, Ok(5));
            let map: PerCpuHashMap<_, Key, Value> = PerCpuHashMap::try_from(pair.map()?)?;
            let values = map.get(&key(299), 0)?;
            assert_eq!(values.iter().map(|value| value[0]).sum::<u64>(), 5);
            assert!((1..=64).contains(&map.keys().count()));
            Ok(())
        })
    }

    /// Elements are there from the start; none can be added.
    fn array(object: "maps_elements", since 5, 8) {
        let both = [("array", "ARRAY"), ("btf_array", "BTF_ARRAY")];
        on_each(object, both, |pair, _| {
            assert_eq!(pair.ask(Get(3))?, Ok(0));
            assert_eq!(pair.ask(Get(4))?, Err(Errno::ENOENT));
            assert_eq!(pair.ask(Set(4, 1))?, Err(Errno::E2BIG));
            assert_eq!(pair.ask(New(1, 1))?, Err(Errno::EEXIST));
            assert_eq!(pair.ask(Old(1, 5))?, Ok(0));
            let mut array: Array<_, Value> = Array::try_from(pair.map()?)?;
            assert_eq!(array.len(), 4);
            array.set(2, value(20), 0)?;
            let all = array.iter().collect::<Result<Vec<_>, _>>()?;
            assert_eq!(all, [[0, 0], value(5), value(20), [0, 0]]);
            assert!(matches!(array.get(&4, 0), Err(MapError::OutOfBounds { index: 4, .. })));
            assert!(matches!(array.set(4, value(1), 0), Err(MapError::OutOfBounds { .. })));
            assert_eq!(pair.ask(Add(2, 2))?, Ok(22));
            Ok(())
        })
    }

    /// As arrays, with a value for each CPU.
    fn per_cpu_array(object: "maps_elements", since 5, 8) {
        let both = [("per_cpu_array", "PER_CPU_ARRAY"), ("btf_per_cpu_array", "BTF_PER_CPU_ARRAY")];
        on_each(object, both, |pair, _| {
            assert_eq!(pair.ask(Get(4))?, Err(Errno::ENOENT));
            assert_eq!(pair.ask(Add(3, 5))?, Ok(5));
            let mut array: PerCpuArray<_, Value> = PerCpuArray::try_from(pair.map()?)?;
            let values = array.get(&3, 0)?;
            assert_eq!(values.iter().map(|value| value[0]).sum::<u64>(), 5);
            array.set(3, PerCpuValues::try_from(vec![value(8); values.len()])?, 0)?;
            assert!(matches!(array.get(&4, 0), Err(MapError::OutOfBounds { .. })));
            assert_eq!(pair.ask(Add(3, 5))?, Ok(13));
            Ok(())
        })
    }

    /// Values come out in the order that they went in, whoever does either.
    fn queue(object: "maps_elements", since 5, 8) {
        let both = [("queue", "QUEUE"), ("btf_queue", "BTF_QUEUE")];
        on_each(object, both, |pair, name| {
            assert_eq!(pair.ask(Pop)?, Err(Errno::ENOENT));
            assert_eq!(pair.ask(Get(0))?, Err(Errno::ENOENT));
            assert_eq!(pair.ask(Set(0, 1))?, Ok(0));
            let mut queue: Queue<_, Value> = Queue::try_from(pair.map()?)?;
            assert_eq!(queue.capacity(), 3);
            queue.push(value(2), 0)?;
            queue.push(value(3), 0)?;
            full(queue.push(value(4), 0), name, 3)?;
            assert_eq!(pair.ask(Set(0, 4))?, Err(Errno::E2BIG));
            assert_eq!(pair.ask(Old(0, 4))?, Ok(0));
            assert_eq!(pair.ask(Get(0))?, Ok(2));
            assert_eq!(pair.ask(Pop)?, Ok(2));
            let mut queue: Queue<_, Value> = Queue::try_from(pair.map()?)?;
            assert_eq!(queue.peek(0)?, value(3));
            assert_eq!((queue.pop(0)?, queue.pop(0)?), (value(3), value(4)));
            assert!(matches!(queue.pop(0), Err(MapError::ElementNotFound)));
            Ok(())
        })
    }

    /// The last one in is the first one out.
    fn stack(object: "maps_elements", since 5, 8) {
        let both = [("stack", "STACK"), ("btf_stack", "BTF_STACK")];
        on_each(object, both, |pair, name| {
            for number in 1..4 {
                assert_eq!(pair.ask(Set(0, number))?, Ok(0));
            }
            assert_eq!(pair.ask(Set(0, 4))?, Err(Errno::E2BIG));
            let mut stack: Stack<_, Value> = Stack::try_from(pair.map()?)?;
            full(stack.push(value(4), 0), name, 3)?;
            stack.push(value(4), EXIST)?;
            assert_eq!(stack.pop(0)?, value(4));
            assert_eq!(pair.ask(Get(0))?, Ok(3));
            assert_eq!((pair.ask(Pop)?, pair.ask(Pop)?), (Ok(3), Ok(2)));
            let mut stack: Stack<_, Value> = Stack::try_from(pair.map()?)?;
            assert!(matches!(stack.pop(0), Err(MapError::ElementNotFound)));
            Ok(())
        })
    }

    /// What either side has put into the set is there for both, and most other values are not.
    fn bloom_filter(object: "maps_bloom", since 5, 16) {
        let both = [("bloom", "BLOOM"), ("btf_bloom", "BTF_BLOOM")];
        on_each(object, both, |pair, name| {
            let functions = if name == "BLOOM" { 2 } else { 5 };
            assert_eq!(pair.map()?.data().info()?.map_extra(), functions);
            assert_eq!(pair.ask(Has(7))?, Err(Errno::ENOENT));
            assert_eq!(pair.ask(Set(0, 7))?, Ok(0));
            assert_eq!(pair.ask(Has(7))?, Ok(0));
            let mut bloom: BloomFilter<_, Value> = BloomFilter::try_from(pair.map()?)?;
            bloom.contains(value(7), 0)?;
            for number in 100..150 {
                bloom.insert(value(number), 0)?;
            }
            let strangers = (1000..1100).filter(|number| bloom.contains(value(*number), 0).is_ok());
            assert!(strangers.count() < 50);
            for number in 100..150 {
                assert_eq!(pair.ask(Has(number))?, Ok(0), "{number}");
            }
            let strangers = (1000..1100).map(|number| pair.ask(Has(number)));
            let strangers = strangers.collect::<TestResult<Vec<_>>>()?;
            assert!(strangers.iter().filter(|answer| answer.is_ok()).count() < 50);
            assert!(matches!(
                BloomFilter::<_, Value>::create(10, 0)?.contains(value(1), 0),
                Err(MapError::ElementNotFound)
            ));
            Ok(())
        })
    }

    /// The stacks of a system call: in user space they begin in this executable, in the kernel they do
    /// not.
    fn stack_traces(object: "maps_elements", since 5, 8) {
        let mut ebpf = EbpfLoader::new()
            .override_global("THREAD", &this_thread()?, true)
            .load(object)?;
        let stacks: &mut RawTracePoint = program(&mut ebpf, "stacks")?;
        stacks.load()?;
        let link = stacks.attach("sys_enter")?;
        nix::unistd::getpgid(None)?;
        stacks.detach(link)?;
        let number = |name| -> TestResult<u32> {
            let id = ebpf.global::<i64>(name)?.read()?;
            Ok(id.try_into().map_err(|_| format!("{name}: {id}"))?)
        };
        let (kernel, user) = (number("KERNEL_STACK")?, number("USER_STACK")?);
        let map = ebpf.map("KERNEL_STACKS").ok_or("no KERNEL_STACKS")?;
        let stack = StackTraceMap::try_from(map)?.get(&kernel, 0)?;
        assert!((1..=32).contains(&stack.frames().len()), "{stack:x?}");
        assert!(stack.frames().iter().all(|frame| frame.ip >> 63 == 1), "{stack:x?}");

        let map = ebpf.map_mut("USER_STACKS").ok_or("no USER_STACKS")?;
        let mut map = StackTraceMap::try_from(map)?;
        let first = map.get(&user, 0)?.frames().first().ok_or("no frames")?.ip;
        assert!(executable(first)?, "{first:x} is no code of this process");
        let ids = map.stack_ids().collect::<Result<Vec<_>, _>>()?;
        assert!(ids.contains(&user), "{ids:?}");
        map.remove(&user)?;
        assert!(matches!(map.get(&user, 0), Err(MapError::KeyNotFound)));
        assert!(matches!(map.get(&64, 0), Err(MapError::KeyNotFound)));
        Ok(())
    }

    /// Keys and values of other sizes than the map's, and handles of other kinds, are refused by name.
    fn types_that_do_not_fit(object: "maps_elements", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        fn told<T>(result: Result<T, MapError>, words: &[&str]) -> TestResult {
            let message = result.err().ok_or("it fits")?.to_string();
            let all = words.iter().all(|word| message.contains(word));
            if all { Ok(()) } else { Err(message.into()) }
        }
        let mut map = |name| ebpf.take_map(name).ok_or("no such map");
        told(HashMap::<_, u32, Value>::try_from(map("HASH")?), &["`HASH`", "keys of 8", "has 4"])?;
        told(
            PerCpuHashMap::<_, Key, u64>::try_from(map("PER_CPU_HASH")?),
            &["`PER_CPU_HASH`", "values of 16", "has 8"],
        )?;
        told(Array::<_, u32>::try_from(map("ARRAY")?), &["`ARRAY`", "values of 16"])?;
        told(Stack::<_, Value>::try_from(map("QUEUE")?), &["`QUEUE`", "BPF_MAP_TYPE_QUEUE"])?;
        told(Queue::<MapData, u16>::try_from(map("STACK")?), &["`STACK`", "BPF_MAP_TYPE_STACK"])?;
        told(StackTraceMap::try_from(map("LRU_HASH")?), &["`LRU_HASH`"])?;
        Ok(())
    }
}

/// Whether this process has code at an address.
fn executable(address: u64) -> TestResult<bool> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().any(|line| {
        let mut words = line.split(' ');
        let place = words.next().and_then(|place| place.split_once('-'));
        let numbers = place.map(|(start, end)| [start, end].map(|it| u64::from_str_radix(it, 16)));
        let Some([Ok(start), Ok(end)]) = numbers else {
            return false;
        };
        (start..end).contains(&address) && words.next().is_some_and(|rights| rights.contains('x'))
    }))
}
