//! What goes wrong with a map's elements, as a user reads it.

mod support;

use aya::{
    EbpfLoader,
    features::Features,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray},
};
use aya_sys::{
    Errno,
    fake::{self, Call, Reply},
};
use aya_uapi::Cmd;
use support::{builder::Builder, reads};

/// An object with a map of this type, and creation flags.
fn object(map_type: u32, flags: u32) -> Vec<u8> {
    let map = [map_type, 4, 8, 16, flags];
    Builder::xdp().map("M", map).bytes()
}

/// Holds the error of `body` to the rules, on a kernel that refuses what concerns elements.
#[track_caller]
fn on(object: Vec<u8>, body: fn(&mut Map) -> MapError, begins: &str, ends: &str) {
    let kernel = |call: &Call| match call.cmd {
        Some(Cmd::MAP_UPDATE_ELEM | Cmd::MAP_LOOKUP_ELEM) => Reply::Error(Errno::EPERM),
        // The kernel does not export its name.
        Some(Cmd::MAP_LOOKUP_AND_DELETE_ELEM) => Reply::Error(Errno(524)),
        _ => Reply::Fd,
    };
    let (error, _) = fake::run(kernel, move || {
        let mut loader = EbpfLoader::new();
        loader.features(Features::without(&[]));
        let mut ebpf = loader.load(&object).expect("fine");
        body(ebpf.map_mut("M").expect("there"))
    });
    reads(&error, begins, ends);
}

fn hash(map: &mut Map) -> HashMap<&mut MapData, u32, u64> {
    HashMap::try_from(map).expect("of these types")
}

fn array(map: &mut Map) -> Result<Array<&mut MapData, u64>, MapError> {
    Array::try_from(map)
}

#[test]
fn maps_that_cannot_do_it() {
    on(
        object(1, 0),
        |map| array(map).expect_err("a hash map"),
        "map `M` is of type BPF_MAP_TYPE_HASH: ",
        "made for that type",
    );
    on(
        object(1, 0),
        |map| hash(map).take(&1, 0).expect_err("old"),
        "map `M`: this kernel lacks taking elements out of ",
        "use Linux 5.14 or newer",
    );
    // BPF_F_RDONLY, BPF_F_WRONLY
    on(
        object(1, 8),
        |map| hash(map).insert(1, 1, 0).expect_err("read-only"),
        "map `M`: user space may not change it: ",
        "leave the writing to programs",
    );
    on(
        object(1, 16),
        |map| hash(map).get(&1, 0).expect_err("write-only"),
        "map `M`: user space may not read it: ",
        "leave the reading to programs",
    );
    on(
        object(1, 0),
        |map| {
            let uneven = hash(map).insert_batch(&[1, 2], &[1], 0);
            uneven.expect_err("one is missing").into()
        },
        "map `M`: there are 2 keys and 1 values: ",
        "for each key",
    );
    on(
        object(2, 0),
        |map| array(map).expect("one").get(&16, 0).expect_err("outside"),
        "map `M` has 16 entries, ",
        "before loading",
    );
    on(
        object(2, 0),
        |map| array(map).expect("one").mmap().expect_err("not mappable"),
        "map `M` was created with flags 0x0: ",
        "by `get`",
    );
    on(
        object(6, 0),
        |map| {
            let counts = PerCpuArray::<_, u64>::try_from(map).expect("of these types");
            counts.get_cpu(&0, u32::MAX).expect_err("no such CPU")
        },
        "map `M` has values for ",
        "use a smaller number",
    );
}

#[test]
fn channels() {
    let name = || "EVENTS".to_owned();
    reads(
        &MapError::NoRoom {
            name: name(),
            size: 24,
        },
        "map `EVENTS` has no room for a record of 24 bytes: ",
        "raise `max_entries` before loading",
    );
    reads(
        &MapError::RecordTooLarge {
            name: name(),
            size: 5000,
            capacity: 4096,
        },
        "map `EVENTS` of 4096 bytes cannot hold a record of 5000: ",
        "raise `max_entries` before loading",
    );
}
