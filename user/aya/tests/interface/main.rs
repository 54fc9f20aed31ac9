//! The interface as existing programs use it: all that matters here is that it compiles.
//!
//! Nothing is called. Function pointers pin signatures where callers may name them; the rest is
//! written the way user programs write it, in both spellings where there are two.
#![allow(
    dead_code,
    unused_qualifications,
    clippy::needless_borrows_for_generic_args,
    clippy::needless_update,
    clippy::borrowed_box,
    clippy::type_complexity,
    reason = "all paths and both spellings are the point"
)]

mod cgroup;
mod channels;
mod events;
mod maps_of_objects;
mod probes;
mod tracing;
mod traffic;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    error::Error,
    fmt::Debug,
    hash::Hash,
    io,
    ops::ControlFlow,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aya::{
    Btf, BtfError, Ebpf, EbpfError, EbpfLoader, Endianness, GlobalData, PinningType, Pod, TestRun,
    TestRunAttrs, TestRunOptions, TestRunResult, VerifierLogLevel, include_bytes_aligned,
    maps::{
        Array, BloomFilter, CgroupArray, HashMap, IterableMap, LpmTrie, Map, MapData, MapError,
        MapFd, MapInfo, MapIter, MapKeys, MapType, PerCpuArray, PerCpuHashMap, PerCpuValues,
        PerfEventArray, ProgramArray, Queue, RingBuf, Stack, StackTraceMap, XskMap, loaded_maps,
        lpm_trie::Key,
        perf::{PerfBufferError, PerfEvent, PerfEventArrayBuffer},
        ring_buf::RingBufItem,
        stack_trace::{StackFrame, StackTrace},
    },
    pin::PinError,
    programs::{
        Program, ProgramError, ProgramFd, ProgramInfo, ProgramType, Xdp, XdpError, XdpMode,
        links::{FdLink, FdLinkId, Link, LinkError, LinkInfo, LinkType, PinnedLink},
        loaded_links, loaded_programs,
        xdp::{XdpAttachType, XdpLink, XdpLinkId},
    },
    sys::{NetlinkError, Stats, SyscallError},
    util::{KernelVersion, kernel_symbols, nr_cpus, online_cpus, syscall_prefix},
};

/// Pins the type of what a pattern binds.
fn is<T>(_: T) {}
/// What `anyhow` asks of an error.
fn reportable<E: Error + Send + Sync + 'static>() {}
fn shared<T: Send + Sync + 'static>() {}
fn debug<T: Debug>() {}
fn pod<T: Pod>() {}
fn link<L: Link<Id = I>, I: Debug + Eq + Hash>()
where
    ProgramError: From<L::Error>,
{
}

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn errors() {
    reportable::<EbpfError>();
    reportable::<MapError>();
    reportable::<ProgramError>();
    reportable::<BtfError>();
    reportable::<PinError>();
    reportable::<LinkError>();
    reportable::<XdpError>();
    reportable::<SyscallError>();
    reportable::<NetlinkError>();
    reportable::<PerfBufferError>();
}

fn types() {
    shared::<Ebpf>();
    shared::<Btf>();
    shared::<Map>();
    shared::<MapData>();
    shared::<Program>();
    shared::<ProgramFd>();
    shared::<XdpLink>();
    shared::<FdLink>();
    shared::<PinnedLink>();
    shared::<EbpfLoader<'static>>();
    shared::<HashMap<MapData, u32, u32>>();
    shared::<Array<MapData, u32>>();
    shared::<PerCpuArray<MapData, u32>>();
    shared::<PerCpuHashMap<MapData, u32, u32>>();
    shared::<RingBuf<MapData>>();
    shared::<PerfEventArrayBuffer<MapData>>();
    debug::<Ebpf>();
    debug::<Program>();
    debug::<Xdp>();
    debug::<XdpLink>();
    debug::<XdpLinkId>();
    debug::<FdLinkId>();
    debug::<RingBuf<MapData>>();
    debug::<HashMap<&MapData, u32, u32>>();
    debug::<VerifierLogLevel>();
    link::<XdpLink, XdpLinkId>();
    link::<FdLink, FdLinkId>();
    pod::<u8>();
    pod::<i128>();
    pod::<[u16; 8]>();
    pod::<[[u8; 6]; 2]>();
    pod::<Key<[u8; 4]>>();
}

/// How functions of user programs chain errors.
mod chains {
    use super::*;

    fn ebpf(ebpf: &mut Ebpf) -> Result<(), EbpfError> {
        let map = ebpf.take_map("MAP").ok_or(MapError::KeyNotFound)?;
        let _: HashMap<_, u32, u32> = HashMap::try_from(map)?;
        let program: &mut Xdp = ebpf.program_mut("xdp").unwrap().try_into()?;
        program.load()?;
        let _ = Btf::from_sys_fs()?;
        Ok(())
    }

    fn program(program: &mut Xdp, map: &Array<MapData, u32>) -> Result<(), ProgramError> {
        program.load()?;
        map.get(&0, 0)?;
        let link = program.attach("lo", XdpMode::default())?;
        let link: FdLink = program.take_link(link)?.try_into()?;
        link.info()?;
        link.detach()?;
        std::fs::read("x")?;
        Btf::from_sys_fs()?;
        Ok(())
    }

    fn map(map: Map) -> Result<(), MapError> {
        let _ = RingBuf::try_from(map)?;
        std::fs::read("x")?;
        Ok(())
    }

    fn boxed(ebpf: &mut Ebpf) -> Result {
        let program: &mut Xdp = ebpf.program_mut("xdp").unwrap().try_into()?;
        program.load()?;
        program.pin("/sys/fs/bpf/x")?;
        program.unpin()?;
        let cpus = nr_cpus().map_err(|(_, error)| error)?;
        PerCpuValues::try_from(vec![0u32; cpus])?;
        Err("text".into())
    }
}

mod ebpf {
    use super::*;

    const LOAD: fn(&[u8]) -> Result<Ebpf, EbpfError> = Ebpf::load;
    const LOAD_FILE: fn(&'static str) -> Result<Ebpf, EbpfError> = Ebpf::load_file;
    const LOAD_PATH: fn(PathBuf) -> Result<Ebpf, EbpfError> = Ebpf::load_file;

    fn all(ebpf: &mut Ebpf) {
        let _: Option<&Map> = ebpf.map("MAP");
        let _: Option<&mut Map> = ebpf.map_mut("MAP");
        let _: Option<Map> = ebpf.take_map("MAP");
        let _: Vec<(&str, &Map)> = ebpf.maps().collect();
        let _: Vec<(&str, &mut Map)> = ebpf.maps_mut().collect();
        let [_, _]: [Option<&mut Map>; 2] = ebpf.maps_disjoint_mut(["A", "B"]);
        let _: Option<&Program> = ebpf.program("p");
        let _: Option<&mut Program> = ebpf.program_mut("p");
        let _: Vec<(&str, &Program)> = ebpf.programs().collect();
        for (name, program) in ebpf.programs_mut() {
            let _: &str = name;
            let _: &mut Program = program;
        }
        let _: &[u8] = include_bytes_aligned!("main.rs");
        let _ = Ebpf::load(include_bytes_aligned!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interface/main.rs"
        )));
        let _ = Ebpf::load(aya::include_bytes_aligned!("main.rs"));
    }

    fn loader(btf: &Btf, port: u16, table: &[u32]) -> Result<Ebpf, EbpfError> {
        EbpfLoader::new()
            .btf(btf)
            .allow_unsupported_maps()
            .default_map_pin_directory("/sys/fs/bpf/x")
            .extension("p")
            .map_max_entries("MAP", 1024)
            .map_pin_path("MAP", Path::new("/sys/fs/bpf/map"))
            .map_pin_path("OTHER", PathBuf::from("/sys/fs/bpf/other"))
            .override_global("PORT", &port, true)
            .override_global("TABLE", table, false)
            .verifier_log_level(VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS)
            .load(&[])?;
        let mut loader = EbpfLoader::new();
        loader.override_global("PORT", GlobalData::from(&port), true);
        loader.load_file(Path::new("x.o"))?;
        EbpfLoader::default().load_file("x.o")
    }

    #[expect(deprecated, reason = "the older spellings are kept working")]
    fn older_names(_: &aya::Bpf, _: &aya::BpfError, port: u16) -> Result<aya::Bpf, aya::BpfError> {
        let mut loader: aya::BpfLoader<'_> = aya::BpfLoader::new();
        loader
            .set_global("PORT", &port, true)
            .set_max_entries("MAP", 1)
            .load(&[])
    }

    fn log_levels() {
        let _: VerifierLogLevel = VerifierLogLevel::DEBUG | VerifierLogLevel::VERBOSE;
        let _: VerifierLogLevel = VerifierLogLevel::DISABLE;
        let _: VerifierLogLevel = VerifierLogLevel::default();
        let mut level = VerifierLogLevel::all();
        level.insert(VerifierLogLevel::STATS);
        level.remove(VerifierLogLevel::STATS);
        level.set(VerifierLogLevel::STATS, true);
        level.toggle(VerifierLogLevel::STATS);
        let _: bool = level.contains(VerifierLogLevel::empty()) && level.is_all();
        let _: u32 = level.bits();
        let _: Option<VerifierLogLevel> = VerifierLogLevel::from_bits(1);
        let _: VerifierLogLevel = VerifierLogLevel::from_bits_truncate(1);
        let _: VerifierLogLevel = !level & (VerifierLogLevel::all() - VerifierLogLevel::DEBUG);
        let _: VerifierLogLevel = [level].into_iter().collect();
    }

    fn btf() -> Result<(), BtfError> {
        const PARSE: fn(&[u8], Endianness) -> Result<Btf, BtfError> = Btf::parse;
        let _: Btf = Btf::from_sys_fs()?;
        let _: Btf = Btf::parse_file("/boot/vmlinux", Endianness::default())?;
        let _ = (Endianness::Little, Endianness::Big);
        let _ = (PinningType::None, PinningType::ByName);
        Ok(())
    }

    fn error(error: EbpfError) {
        match error {
            EbpfError::FileError { path, error } => {
                let _: (PathBuf, io::Error) = (path, error);
            }
            EbpfError::ParseError(_) | EbpfError::RelocationError(_) => {}
            EbpfError::BtfError(error) => is::<BtfError>(error),
            EbpfError::MapError(error) => is::<MapError>(error),
            EbpfError::ProgramError(error) => is::<ProgramError>(error),
            _ => {}
        }
    }
}

mod maps {
    use super::*;

    macro_rules! conversions {
        ($map:ident, $($handle:ty),* $(,)?) => { $({
            type Owned = $handle;
            let _: Result<Owned, MapError> = $map().try_into();
            let _: Result<Owned, MapError> = Owned::try_from($map());
        })* };
    }

    fn conversions(map: fn() -> Map) -> Result<(), MapError> {
        conversions!(
            map,
            Array<MapData, u64>,
            PerCpuArray<MapData, u64>,
            HashMap<MapData, u32, [u8; 6]>,
            PerCpuHashMap<MapData, u32, u64>,
            LpmTrie<MapData, [u8; 4], u32>,
            Queue<MapData, u32>,
            Stack<MapData, u32>,
            BloomFilter<MapData, u32>,
            RingBuf<MapData>,
            PerfEventArray<MapData>,
            ProgramArray<MapData>,
            CgroupArray<MapData>,
            XskMap<MapData>,
            StackTraceMap<MapData>,
        );
        let mut map = map();
        let _ = HashMap::<&MapData, u32, u32>::try_from(&map)?;
        let _ = HashMap::<&mut MapData, u32, u32>::try_from(&mut map)?;
        let _: HashMap<_, u32, u32> = HashMap::try_from(&map)?;
        let _: Array<&MapData, u32> = Array::try_from(&map)?;
        let _: Array<&mut MapData, u32> = (&mut map).try_into()?;
        let _ = RingBuf::try_from(&mut map)?;
        let _ = PerfEventArray::try_from(&mut map)?;
        let _ = ProgramArray::try_from(&mut map)?;
        Ok(())
    }

    fn hash_map(mut map: HashMap<&mut MapData, u32, u64>, key: u32, value: u64) -> Result {
        map.insert(key, value, 0)?;
        map.insert(&key, &value, 0)?;
        map.insert(key, &value, 0)?;
        map.insert(1, 2, 0)?;
        map.insert(&1, &2, 0)?;
        map.insert(u32::from_be_bytes([10, 0, 0, 1]), 0, 0)?;
        map.insert(&std::net::Ipv4Addr::LOCALHOST.into(), &0, 0)?;
        map.remove(&key)?;
        let _: u64 = map.get(&key, 0)?;
        let _: MapKeys<'_, u32> = map.keys();
        let _: MapIter<'_, u32, u64, HashMap<&mut MapData, u32, u64>> = map.iter();
        for entry in &map {
            let _: (u32, u64) = entry?;
        }
        let _: BTreeMap<u32, u64> = map.iter().filter_map(Result::ok).collect();
        for key in map.keys().collect::<Result<Vec<u32>, MapError>>()? {
            map.remove(&key)?;
        }
        if let Err(MapError::KeyNotFound) = map.get(&1, 0) {}
        map.pin("/sys/fs/bpf/x")?;
        Ok(())
    }

    fn created() -> Result<(), MapError> {
        let _: HashMap<MapData, u32, u32> = HashMap::create(16, 0)?;
        let _: PerCpuHashMap<MapData, u32, u32> = PerCpuHashMap::create(16, 0)?;
        let _: Array<MapData, u32> = Array::create(16, 0)?;
        let _: PerCpuArray<MapData, u32> = PerCpuArray::create(16, 0)?;
        let _: LpmTrie<MapData, [u8; 4], u32> = LpmTrie::create(16, 1)?;
        let _: Queue<MapData, u32> = Queue::create(16, 0)?;
        let _: Stack<MapData, u32> = Stack::create(16, 0)?;
        let _: BloomFilter<MapData, u32> = BloomFilter::create(16, 0)?;
        Ok(())
    }

    fn array(mut map: Array<&mut MapData, u32>) -> Result {
        map.set(0, 1, 0)?;
        map.set(0, &1, 0)?;
        let _: u32 = map.get(&0, 0)?;
        let _: u32 = map.len();
        let _: Vec<u32> = map.iter().collect::<Result<_, MapError>>()?;
        map.pin("/sys/fs/bpf/x")?;
        Ok(())
    }

    fn per_cpu(
        mut array: PerCpuArray<&mut MapData, u64>,
        mut hash: PerCpuHashMap<&mut MapData, u32, u64>,
    ) -> Result {
        let cpus = nr_cpus().map_err(|(_, error)| error)?;
        array.set(0, PerCpuValues::try_from(vec![0; cpus])?, 0)?;
        let values: PerCpuValues<u64> = array.get(&0, 0)?;
        let _: u64 = values.iter().sum();
        let _: &[u64] = &values;
        let _: Option<&u64> = values.first();
        let _: u32 = array.len();
        let _: Vec<PerCpuValues<u64>> = array.iter().collect::<Result<_, MapError>>()?;
        hash.insert(1, PerCpuValues::try_from(vec![0; cpus])?, 0)?;
        hash.insert(&1, PerCpuValues::try_from(vec![0u64; cpus])?, 0)?;
        hash.remove(&1)?;
        let _: PerCpuValues<u64> = hash.get(&1, 0)?;
        let _: MapKeys<'_, u32> = hash.keys();
        for entry in hash.iter() {
            let (_, values): (u32, PerCpuValues<u64>) = entry?;
            for _ in values.iter() {}
        }
        hash.pin("/sys/fs/bpf/x")?;
        array.pin("/sys/fs/bpf/x")?;
        Ok(())
    }

    fn ring_buf<T: std::borrow::Borrow<MapData>>(mut ring: RingBuf<T>) {
        while let Some(item) = ring.next() {
            let item: RingBufItem<'_> = item;
            let _: &[u8] = &item;
            let _: *const u32 = item.as_ptr().cast();
        }
        let _: BorrowedFd<'_> = ring.as_fd();
        let _: RawFd = ring.as_raw_fd();
    }

    fn perf(mut array: PerfEventArray<MapData>) -> Result {
        for cpu in online_cpus().map_err(|(_, error)| error)? {
            let mut buffer: PerfEventArrayBuffer<MapData> = array.open(cpu, None)?;
            let _: bool = buffer.readable();
            buffer.for_each(|event| match event {
                PerfEvent::Sample { head, tail } => is::<(&[u8], &[u8])>((head, tail)),
                PerfEvent::Lost { count } => is::<u64>(count),
            });
            let _: usize = buffer.fold(0, |sum, _| sum + 1);
            let _: ControlFlow<(), usize> =
                buffer.try_fold(0, |sum, _| ControlFlow::Continue(sum + 1));
            let _: (BorrowedFd<'_>, RawFd) = (buffer.as_fd(), buffer.as_raw_fd());
        }
        array.pin("/sys/fs/bpf/x")?;
        Ok(())
    }

    fn perf_error(error: PerfBufferError) {
        match error {
            PerfBufferError::InvalidPageCount { page_count } => is::<usize>(page_count),
            PerfBufferError::MMapError { io_error }
            | PerfBufferError::OpenError { io_error }
            | PerfBufferError::PerfEventEnableError { io_error }
            | PerfBufferError::IOError(io_error) => is::<io::Error>(io_error),
            #[allow(unreachable_patterns, reason = "it may get more")]
            _ => {}
        }
    }

    fn others(
        mut trie: LpmTrie<MapData, [u8; 4], u32>,
        mut queue: Queue<MapData, u32>,
        mut stack: Stack<MapData, u32>,
        mut bloom: BloomFilter<MapData, u32>,
        stacks: StackTraceMap<MapData>,
    ) -> Result {
        let key: Key<[u8; 4]> = Key::new(24, [192, 0, 2, 0]);
        let _: (u32, [u8; 4]) = (key.prefix_len(), key.data());
        trie.insert(&key, 1, 0)?;
        trie.insert(&key, &1, 0)?;
        let _: u32 = trie.get(&key, 0)?;
        trie.remove(&key)?;
        for entry in &trie {
            let _: (Key<[u8; 4]>, u32) = entry?;
        }
        let _: MapKeys<'_, Key<[u8; 4]>> = trie.keys();
        queue.push(1, 0)?;
        queue.push(&1, 0)?;
        let _: (u32, u32) = (queue.pop(0)?, queue.capacity());
        stack.push(1, 0)?;
        stack.push(&1, 0)?;
        let _: (u32, u32) = (stack.pop(0)?, stack.capacity());
        bloom.insert(&1, 0)?;
        bloom.contains(&1, 0)?;
        let trace: StackTrace = stacks.get(&1, 0)?;
        let _: u32 = trace.id;
        let _: &[StackFrame] = trace.frames();
        let _: Vec<u64> = trace.frames().iter().map(|frame| frame.ip).collect();
        let _: MapKeys<'_, u32> = stacks.stack_ids();
        for entry in &stacks {
            let _: (u32, StackTrace) = entry?;
        }
        Ok(())
    }

    fn of_descriptors(
        mut programs: ProgramArray<MapData>,
        mut cgroups: CgroupArray<MapData>,
        mut sockets: XskMap<MapData>,
        program: &Program,
        fd: OwnedFd,
    ) -> Result {
        programs.set(0, program.fd()?, 0)?;
        programs.set(0, &program.fd()?.try_clone()?, 0)?;
        programs.clear_index(&0)?;
        let _: MapKeys<'_, u32> = programs.indices();
        cgroups.set(0, fd.as_raw_fd(), 0)?;
        cgroups.unset(0)?;
        let _: u32 = cgroups.len();
        sockets.set(0, fd, 0)?;
        sockets.unset(0)?;
        let _: u32 = sockets.len();
        Ok(())
    }

    /// Paths by which existing programs import.
    fn paths() {
        use aya::maps::{
            array, bloom_filter, hash_map, lpm_trie, perf, queue, ring_buf, stack, stack_trace, xdp,
        };
        let _: Option<array::Array<MapData, u8>> = None;
        let _: Option<array::PerCpuArray<MapData, u8>> = None;
        let _: Option<array::ProgramArray<MapData>> = None;
        let _: Option<array::CgroupArray<MapData>> = None;
        let _: Option<bloom_filter::BloomFilter<MapData, u8>> = None;
        let _: Option<hash_map::HashMap<MapData, u8, u8>> = None;
        let _: Option<hash_map::PerCpuHashMap<MapData, u8, u8>> = None;
        let _: Option<lpm_trie::LpmTrie<MapData, u8, u8>> = None;
        let _: Option<perf::PerfEventArray<MapData>> = None;
        let _: Option<queue::Queue<MapData, u8>> = None;
        let _: Option<ring_buf::RingBuf<MapData>> = None;
        let _: Option<stack::Stack<MapData, u8>> = None;
        let _: Option<stack_trace::StackTraceMap<MapData>> = None;
        let _: Option<xdp::XskMap<MapData>> = None;
    }

    /// Code that is generic over what can be iterated.
    fn iterable<M: IterableMap<u32, u64>>(map: &M) -> Result<u64, MapError> {
        let _: &MapData = map.map();
        map.get(&0)
    }

    fn any_array(map: &Array<MapData, u64>) -> Result<u64, MapError> {
        iterable(map)
    }

    fn data(data: MapData) -> Result {
        const FROM_ID: fn(u32) -> Result<MapData, MapError> = MapData::from_id;
        const FROM_FD: fn(OwnedFd) -> Result<MapData, MapError> = MapData::from_fd;
        const FROM_PIN: fn(&'static str) -> Result<MapData, MapError> = MapData::from_pin;
        const FROM_DATA: fn(MapData) -> Result<Map, MapError> = Map::from_map_data;
        let fd: &MapFd = data.fd();
        let _: BorrowedFd<'_> = fd.as_fd();
        let info: MapInfo = data.info()?;
        let _: Result<MapType, MapError> = info.map_type();
        let _: [u32; 5] = [
            info.id(),
            info.key_size(),
            info.value_size(),
            info.max_entries(),
            info.map_flags(),
        ];
        let _: (&[u8], Option<&str>) = (info.name(), info.name_as_str());
        let _: MapFd = info.fd()?;
        let _: MapInfo = MapInfo::from_id(1)?;
        let _: MapInfo = MapInfo::from_pin("/sys/fs/bpf/x")?;
        let _: Vec<MapInfo> = loaded_maps().collect::<Result<_, MapError>>()?;
        data.pin("/sys/fs/bpf/x")?;
        let map = Map::HashMap(data);
        map.pin("/sys/fs/bpf/x")?;
        let _: HashMap<_, u32, u32> = map.try_into()?;
        Ok(())
    }

    fn variants(map: Map) {
        match map {
            Map::Array(data)
            | Map::ArrayOfMaps(data)
            | Map::BloomFilter(data)
            | Map::CgroupArray(data)
            | Map::CgroupStorage(data)
            | Map::CgrpStorage(data)
            | Map::CpuMap(data)
            | Map::DevMap(data)
            | Map::DevMapHash(data)
            | Map::HashMap(data)
            | Map::HashOfMaps(data)
            | Map::InodeStorage(data)
            | Map::LpmTrie(data)
            | Map::LruHashMap(data)
            | Map::PerCpuArray(data)
            | Map::PerCpuCgroupStorage(data)
            | Map::PerCpuHashMap(data)
            | Map::PerCpuLruHashMap(data)
            | Map::PerfEventArray(data)
            | Map::ProgramArray(data)
            | Map::Queue(data)
            | Map::ReusePortSockArray(data)
            | Map::RingBuf(data)
            | Map::SkStorage(data)
            | Map::SockHash(data)
            | Map::SockMap(data)
            | Map::Stack(data)
            | Map::StackTraceMap(data)
            | Map::Unsupported(data)
            | Map::XskMap(data) => is::<MapData>(data),
            _ => {}
        }
    }

    fn error(error: MapError) {
        match error {
            MapError::CreateError { name, .. } | MapError::InvalidName { name } => {
                is::<String>(name);
            }
            MapError::InvalidKeySize { size, expected, .. }
            | MapError::InvalidValueSize { size, expected, .. } => {
                is::<(usize, usize)>((size, expected))
            }
            MapError::InvalidMapType { map_type, .. } => is::<u32>(map_type),
            MapError::InvalidValueStride { size, stride, .. } => {
                is::<(usize, usize)>((size, stride))
            }
            MapError::IoError(error) => is::<io::Error>(error),
            MapError::MissingInnerMapDefinition { outer_name } => is::<String>(outer_name),
            MapError::OutOfBounds {
                index, max_entries, ..
            } => is::<(u32, u32)>((index, max_entries)),
            MapError::PinError { name, error } => is::<(Option<String>, PinError)>((name, error)),
            MapError::SyscallError(error) => is::<SyscallError>(error),
            MapError::Unsupported { name, .. } => is::<String>(name),
            MapError::UnsupportedMapFlags { flags, reason, .. } => {
                is::<(u32, &'static str)>((flags, reason));
            }
            MapError::KeyNotFound
            | MapError::ElementNotFound
            | MapError::ProgramNotLoaded
            | MapError::ProgIdNotSupported => {}
            _ => {}
        }
    }
}

mod programs {
    use super::*;
    #[expect(deprecated, reason = "the older spelling is kept working")]
    use aya::programs::XdpFlags;

    const PROGRAM_TYPE: ProgramType = Xdp::PROGRAM_TYPE;

    fn conversions(ebpf: &mut Ebpf) -> Result<(), ProgramError> {
        let _: &Xdp = ebpf.program("xdp").unwrap().try_into()?;
        let _: &mut Xdp = ebpf.program_mut("xdp").unwrap().try_into()?;
        let xdp = <&mut Xdp>::try_from(ebpf.program_mut("xdp").unwrap())?;
        xdp.load()?;
        if let Some(Program::Xdp(xdp)) = ebpf.program_mut("xdp") {
            xdp.load()?;
        }
        Ok(())
    }

    #[expect(deprecated, reason = "the older spelling is kept working")]
    fn attached(xdp: &mut Xdp, flags: XdpFlags, mode: XdpMode) -> Result<(), ProgramError> {
        let _: XdpLinkId = xdp.attach("lo", mode)?;
        let _: XdpLinkId = xdp.attach("lo", XdpMode::Skb)?;
        let _: XdpLinkId = xdp.attach("lo", XdpMode::default())?;
        let _: XdpLinkId = xdp.attach("lo", flags)?;
        let _: XdpLinkId = xdp.attach("lo", XdpFlags::default())?;
        let _: XdpLinkId = xdp.attach("lo", XdpFlags::SKB_MODE | XdpFlags::REPLACE)?;
        let _: XdpLinkId = xdp.attach(&String::from("lo"), XdpFlags::empty())?;
        let _: XdpLinkId = xdp.attach_to_if_index(1, mode)?;
        let id: XdpLinkId = xdp.attach_to_if_index(1, XdpFlags::DRV_MODE)?;
        let link: XdpLink = xdp.take_link(id)?;
        let id: XdpLinkId = xdp.attach_to_link(link)?;
        xdp.detach(id)
    }

    fn modes(mode: XdpMode) -> bool {
        mode == XdpMode::Driver
            || matches!(mode, XdpMode::Default | XdpMode::Hardware | XdpMode::Skb)
    }

    fn links(link: XdpLink) -> Result {
        let _: XdpLinkId = link.id();
        let fd: FdLink = link.try_into()?;
        let _: FdLinkId = fd.id();
        let info: LinkInfo = fd.info()?;
        let _: (u32, u32) = (info.id(), info.program_id());
        let _: LinkType = info.link_type()?;
        let pinned: PinnedLink = fd.pin("/sys/fs/bpf/link")?;
        let fd: FdLink = pinned.unpin()?;
        let _: PinnedLink = fd.pin(Path::new("/sys/fs/bpf/link"))?;
        let fd: FdLink = PinnedLink::from_pin("/sys/fs/bpf/link")?.into();
        let link: XdpLink = fd.try_into()?;
        let fd = FdLink::try_from(link)?;
        fd.detach()?;
        let _: Vec<LinkInfo> = loaded_links().collect::<Result<_, LinkError>>()?;
        Ok(())
    }

    fn link_errors(error: LinkError) {
        match error {
            LinkError::InvalidLink => {}
            LinkError::UnknownLinkType(number) => is::<u32>(number),
            LinkError::SyscallError(error) => is::<SyscallError>(error),
            _ => {}
        }
    }

    fn xdp(xdp: &mut Xdp) -> Result {
        const FROM_PIN: fn(&'static str, XdpAttachType) -> Result<Xdp, ProgramError> =
            Xdp::from_pin;
        const FROM_INFO: fn(
            ProgramInfo,
            Cow<'static, str>,
            XdpAttachType,
        ) -> Result<Xdp, ProgramError> = Xdp::from_program_info;
        const LOAD: fn(&mut Xdp) -> Result<(), ProgramError> = Xdp::load;
        const UNLOAD: fn(&mut Xdp) -> Result<(), ProgramError> = Xdp::unload;
        const DETACH: fn(&mut Xdp, XdpLinkId) -> Result<(), ProgramError> = Xdp::detach;
        let fd: &ProgramFd = xdp.fd()?;
        let _: BorrowedFd<'_> = fd.as_fd();
        let _: ProgramFd = fd.try_clone()?;
        let _: ProgramInfo = xdp.info()?;
        xdp.pin("/sys/fs/bpf/x")?;
        xdp.unpin()?;
        let _ = (
            XdpAttachType::Interface,
            XdpAttachType::CpuMap,
            XdpAttachType::DevMap,
        );
        Ok(())
    }

    fn program(mut program: Program) -> Result {
        let _: ProgramType = program.prog_type();
        let _: &ProgramFd = program.fd()?;
        let _: ProgramInfo = program.info()?;
        program.pin("/sys/fs/bpf/x")?;
        program.unload()?;
        Ok(())
    }

    fn info(info: ProgramInfo) -> Result {
        let _: (u32, u64) = (info.id(), info.tag());
        let _: (&[u8], Option<&str>) = (info.name(), info.name_as_str());
        let _: [Option<u32>; 4] = [
            info.btf_id(),
            info.created_by_uid(),
            info.size_translated(),
            info.verified_instruction_count(),
        ];
        let _: Option<bool> = info.gpl_compatible();
        let _: Option<SystemTime> = info.loaded_at();
        let _: Option<Vec<u32>> = info.map_ids()?;
        let _: u32 = info.memory_locked()?;
        let _: (u64, Duration) = (info.run_count(), info.run_time());
        let _: u32 = info.size_jitted();
        let _: ProgramFd = info.fd()?;
        let _: ProgramInfo = ProgramInfo::from_pin("/sys/fs/bpf/x")?;
        for program in loaded_programs() {
            let _: ProgramInfo = program?;
        }
        Ok(())
    }

    fn run(xdp: &Xdp, packet: &[u8], out: &mut [u8]) -> Result<TestRunResult, ProgramError> {
        let _: TestRunAttrs = TestRunAttrs::new().xdp_live_frames(64);
        let result: TestRunResult = xdp.test_run(TestRunOptions {
            data_in: Some(packet),
            data_out: Some(out),
            ctx_in: None,
            ctx_out: None,
            repeat: 1,
            attrs: TestRunAttrs::new(),
            ..TestRunOptions::default()
        })?;
        let _: (u32, Duration) = (result.return_value, result.duration);
        let _: (u32, u32) = (result.data_size_out, result.ctx_size_out);
        xdp.test_run(TestRunOptions::new())
    }

    fn error(error: ProgramError) {
        match error {
            ProgramError::LoadError {
                io_error,
                verifier_log,
                ..
            } => {
                is::<io::Error>(io_error);
                let _: String = verifier_log.to_string();
            }
            ProgramError::UnknownInterface { name } | ProgramError::InvalidName { name } => {
                is::<String>(name);
            }
            ProgramError::SyscallError(SyscallError { call, io_error }) => {
                is::<(&'static str, io::Error)>((call, io_error));
            }
            ProgramError::XdpError(XdpError::NetlinkError(error))
            | ProgramError::NetlinkError(error) => is::<Option<i32>>(error.raw_os_error()),
            ProgramError::MapError(error) => is::<MapError>(error),
            ProgramError::Btf(error) => is::<BtfError>(error),
            ProgramError::IOError(error) => is::<io::Error>(error),
            ProgramError::AlreadyAttached
            | ProgramError::AlreadyLoaded
            | ProgramError::NotAttached
            | ProgramError::NotLoaded
            | ProgramError::UnexpectedProgramType => {}
            _ => {}
        }
    }

    fn pins(error: PinError) {
        match error {
            PinError::NoFd { name } => is::<String>(name),
            PinError::InvalidPinPath { path, error } => {
                is::<(PathBuf, std::ffi::NulError)>((path, error));
            }
            PinError::SyscallError(error) => is::<SyscallError>(error),
            _ => {}
        }
    }
}

mod system {
    use super::*;
    use aya::sys;

    const NR_CPUS: fn() -> Result<usize, (&'static str, io::Error)> = nr_cpus;
    const ONLINE_CPUS: fn() -> Result<Vec<u32>, (&'static str, io::Error)> = online_cpus;
    const SYMBOLS: fn() -> Result<BTreeMap<u64, String>, io::Error> = kernel_symbols;
    const PREFIX: fn() -> Result<&'static str, io::Error> = syscall_prefix;
    const STATS: fn(Stats) -> Result<OwnedFd, SyscallError> = sys::enable_stats;
    const MAP_SUPPORTED: fn(MapType) -> Result<bool, SyscallError> = sys::is_map_supported;
    const PROGRAM_SUPPORTED: fn(ProgramType) -> Result<bool, ProgramError> =
        sys::is_program_supported;
    const HELPER_SUPPORTED: fn(ProgramType, u32) -> Result<bool, ProgramError> =
        sys::is_helper_supported;
    const HELPER: u32 = sys::BpfHelper::BPF_FUNC_redirect_map;
    const SUPPORTED: [fn() -> io::Result<bool>; 6] = [
        sys::is_bpf_global_data_supported,
        sys::is_bpf_name_supported,
        sys::is_btf_supported,
        sys::is_cpumap_prog_id_supported,
        sys::is_devmap_prog_id_supported,
        sys::is_perf_link_supported,
    ];

    fn versions() -> Result {
        const NEW: KernelVersion = KernelVersion::new(5, 8, 0);
        let current: KernelVersion = KernelVersion::current()?;
        let _: bool = current >= NEW && current < KernelVersion::new(6, 0, 0);
        let _: u32 = current.code();
        println!("{current} {current:?}");
        Ok(())
    }
}
