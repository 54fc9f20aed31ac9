//! From bytes to an object whose maps exist and whose programs can be loaded.
//!
//! Each stage is a type that the next one consumes, so that the compiler checks their order:
//!
//! | stage | result | where |
//! | --- | --- | --- |
//! | parse | [`ObjectSpec`] | `aya-obj`, no system calls |
//! | configure | [`Configured`](aya_obj::Configured) | `aya-obj`, with the loader's settings |
//! | link | [`LinkedObject`] | `aya-obj`: one flat array of instructions per program |
//! | create | [`Created`] | here: types loaded, maps created, filled and frozen |
//! | finish | [`Ebpf`] | here: programs that know their maps |
//!
//! A program goes to the kernel when the caller says so (`programs/load.rs`).

use std::{
    collections::BTreeMap,
    ffi::CString,
    fs,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use aya_obj::{
    Config, Global, LinkedObject, LinkedProgram, ObjectSpec, add_shim_type,
    btf::{Btf, BtfFeatures, TypeId},
    spec::{GlobalSpec, InitialValue, MapId, MapSpec, PinningType},
};
use aya_sys::{Errno, bpf};
use aya_uapi::{
    MapType, ProgType,
    programs::{PROGRAMS, ProgramDef},
};

use crate::{
    btf::HOST,
    ebpf::Ebpf,
    error::EbpfError,
    features::{Feature, Features},
    global::{Place, Section},
    loader::EbpfLoader,
    maps::{Map, MapData, MapError, MapFd, create_error},
    privilege,
    programs::{
        Program,
        load::{Shared, Source},
        log_texts::{LogTexts, SECTION},
    },
};

/// The ring buffer that the logging crates write to. It is the one that may become a perf event
/// array: its records come with the context in a fifth argument, which the change needs.
const LOGS: &str = "AYA_LOGS";

/// The licence of programs that declare none. Programs written in Rust seldom do, and logging strings,
/// reading kernel memory and more are for GPL-compatible programs only; another one is declared by a
/// `license` section.
const DEFAULT_LICENSE: &str = "GPL";

/// Where maps that are pinned by name go unless the loader says otherwise, as with libbpf.
const PIN_DIRECTORY: &str = "/sys/fs/bpf";

/// All stages.
pub(crate) fn run(data: &[u8], loader: &EbpfLoader<'_>) -> Result<Ebpf, EbpfError> {
    let spec = ObjectSpec::parse(data).map_err(EbpfError::ParseError)?;
    let configured = spec.configure(&config(loader));
    let linked = configured.and_then(aya_obj::Configured::link);
    let linked = linked.map_err(EbpfError::RelocationError)?;
    for warning in &linked.warnings {
        log::warn!("{warning}");
    }
    let mut pins = Pins::default();
    let ebpf = Created::new(linked, loader, &mut pins)?.finish(loader)?;
    pins.keep();
    Ok(ebpf)
}

/// The pins that this load has made; they go when it fails.
#[derive(Default)]
struct Pins(Vec<PathBuf>);

impl Pins {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                log::warn!(
                    "{}: the pin of a load that failed stays: {error}",
                    path.display()
                );
            }
        }
    }
}

fn config<'a>(loader: &'a EbpfLoader<'_>) -> Config<'a> {
    let globals = loader
        .globals
        .iter()
        .map(|(name, (data, must_exist))| Global {
            name,
            value: data.bytes,
            must_exist: *must_exist,
        });
    let max_entries = loader
        .max_entries
        .iter()
        .map(|(name, entries)| (*name, *entries));
    Config {
        max_entries: max_entries.collect(),
        globals: globals.collect(),
    }
}

/// An object with its maps.
struct Created {
    object: LinkedObject,
    btf: Option<OwnedFd>,
    /// In the order of the object's.
    maps: Vec<Provided>,
}

/// A map that there is now.
enum Provided {
    /// Made for this object.
    New(MapData),
    /// One that was pinned before, with contents of its own.
    Reused(MapData),
}

impl Provided {
    const fn data(&self) -> &MapData {
        match self {
            Self::New(map) | Self::Reused(map) => map,
        }
    }

    fn into_data(self) -> MapData {
        match self {
            Self::New(map) | Self::Reused(map) => map,
        }
    }
}

impl Created {
    fn new(
        mut object: LinkedObject,
        loader: &EbpfLoader<'_>,
        pins: &mut Pins,
    ) -> Result<Self, EbpfError> {
        // Before the types: without ring buffers the programs get a function more, with a type.
        let logs = create_logs(&mut object, loader)?;
        let btf = load_types(&mut object, &loader.features)?;
        let (mut logs, mut maps) = (logs, Vec::with_capacity(object.maps.len()));
        for spec in &object.maps {
            let map = match logs.take_if(|_| spec.name == LOGS) {
                Some(map) => map,
                None => provide_map(spec, btf.as_ref(), loader)?,
            };
            maps.push(match map {
                Provided::New(map) => {
                    fill(&map, spec).map_err(|error| create_error(&spec.name, error))?;
                    pin_map(map, spec, loader, pins)?
                }
                reused @ Provided::Reused(_) => reused,
            });
        }
        let created = Self { object, btf, maps };
        created.initial_values()?;
        Ok(created)
    }

    fn map(&self, MapId(index): MapId) -> Option<&MapData> {
        let map = self.maps.get(usize::try_from(index).ok()?)?;
        Some(map.data())
    }

    /// Puts maps where definitions of maps of maps say so.
    fn initial_values(&self) -> Result<(), MapError> {
        for (map, spec) in self.maps.iter().zip(&self.object.maps) {
            let Provided::New(map) = map else {
                continue;
            };
            for (index, value) in &spec.initial {
                match value {
                    InitialValue::Map(inner) => {
                        let Some(inner) = self.map(*inner) else {
                            continue;
                        };
                        let value = inner.fd().as_fd().as_raw_fd().to_ne_bytes();
                        let put = map.fd().raw().update(&index.to_ne_bytes(), &value, 0);
                        put.map_err(|error| create_error(&spec.name, error))?;
                    }
                    InitialValue::Program(_) => log::warn!(
                        "map `{}`: its definition puts a program into element {index}, which is \
                         not supported yet: put it there when it is loaded",
                        spec.name
                    ),
                }
            }
        }
        Ok(())
    }

    /// Where the object's variables are.
    fn globals(&self, fds: &[Arc<MapFd>]) -> BTreeMap<String, Place> {
        let maps = self.maps.iter().zip(fds);
        let sections: Vec<_> = maps
            .map(|(map, fd)| Arc::new(Section::new(Arc::clone(fd), map.data().shape())))
            .collect();
        let place = |(name, spec): (&String, &GlobalSpec)| {
            let section = sections.get(usize::try_from(spec.map.0).ok()?)?;
            Some((name.clone(), Place::new(Arc::clone(section), *spec)))
        };
        self.object.globals.iter().filter_map(place).collect()
    }

    fn finish(mut self, loader: &EbpfLoader<'_>) -> Result<Ebpf, EbpfError> {
        // Programs that are loaded later need the maps even when their handles are gone.
        let fds = self.maps.iter().map(|map| map.data().fd().try_clone());
        let fds = fds
            .map(|fd| fd.map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(MapError::IoError)?;
        let globals = self.globals(&fds);
        let license = self.object.license.take();
        let license = license.unwrap_or_else(|| DEFAULT_LICENSE.to_owned());
        let shared = Arc::new(Shared {
            // The parser ends the text at its first zero byte.
            license: CString::new(license).unwrap_or_default(),
            kernel_version: self.object.kernel_version,
            btf: self.btf,
            types: self.object.btf.take(),
            maps: fds,
            log_level: loader.log_level,
            log_texts: self
                .object
                .kept
                .get(SECTION)
                .and_then(|it| LogTexts::new(it)),
            features: Arc::clone(&loader.features),
        });
        let mut programs = BTreeMap::new();
        for mut linked in std::mem::take(&mut self.object.programs) {
            if loader.extensions.contains(&linked.spec.name.as_str())
                && let Some(def) = extension()
            {
                linked.spec.def = def;
            }
            let name = linked.spec.name.clone();
            let source = Source::new(linked, Arc::clone(&shared));
            match Program::new(name.clone(), source) {
                Some(program) => {
                    programs.insert(name, program);
                }
                None => log::warn!("program `{name}`: no handle for its type, so it is left out"),
            }
        }
        let mut maps = BTreeMap::new();
        for (spec, map) in self.object.maps.into_iter().zip(self.maps) {
            maps.insert(spec.name, Map::from_map_data(map.into_data())?);
        }
        Ok(Ebpf {
            maps,
            programs,
            sections: self.object.kept,
            globals,
        })
    }
}

fn extension() -> Option<&'static ProgramDef> {
    PROGRAMS.iter().find(|def| def.prog_type == ProgType::EXT)
}

/// Creates the ring buffer for logs, if the object has one; on a kernel without ring buffers a
/// perf event array, and changes the programs to write to that.
fn create_logs(
    object: &mut LinkedObject,
    loader: &EbpfLoader<'_>,
) -> Result<Option<Provided>, EbpfError> {
    let is_logs = |spec: &MapSpec| spec.name == LOGS && spec.map_type == MapType::RINGBUF;
    let Some(at) = object.maps.iter().position(is_logs) else {
        return Ok(None);
    };
    let Some(spec) = object.maps.get_mut(at) else {
        return Ok(None);
    };
    if loader.features.may_have(Feature::RingBuf) {
        match provide_map(spec, None, loader) {
            Err(EbpfError::MapError(
                MapError::CreateError { .. } | MapError::KernelTooOld { .. },
            )) if !loader.features.has(Feature::RingBuf) => {}
            created => return created.map(Some),
        }
    }
    *spec = MapSpec {
        key_size: 4,
        value_size: 4,
        // One buffer per CPU.
        max_entries: 0,
        flags: 0,
        pinning: spec.pinning,
        ..MapSpec::new(&spec.name, &spec.section, MapType::PERF_EVENT_ARRAY)
    };
    let map = provide_map(spec, None, loader)?;
    let function: Option<TypeId> = object.btf.as_mut().map(add_shim_type);
    let logs = MapId(u32::try_from(at).unwrap_or(u32::MAX));
    for program in &mut object.programs {
        LinkedProgram::ring_to_perf(program, |map| map == logs, function);
    }
    Ok(Some(map))
}

/// Loads the object's types. They are for people and tools: a kernel that does not know all kinds
/// of types gets those it knows, and one that takes none the rest of the object.
fn load_types(
    object: &mut LinkedObject,
    features: &Features,
) -> Result<Option<OwnedFd>, EbpfError> {
    let Some(types) = &mut object.btf else {
        return Ok(None);
    };
    if !features.may_have(Feature::Btf) {
        return Ok(None);
    }
    types.sanitize(&BtfFeatures::ALL);
    let mut loaded = load_btf(types)?;
    let refused = |error: &aya_sys::Error| error.errno == Errno::EPERM;
    if loaded.as_ref().is_err_and(|error| !refused(error)) && features.has(Feature::Btf) {
        types.sanitize(features.btf());
        loaded = load_btf(types)?;
    }
    match loaded {
        Ok(fd) => Ok(Some(fd)),
        // Whatever needs the right, too, says so by its name: a map, or a program. Others do
        // without, such as socket filters where everybody may load them.
        Err(error) if refused(&error) => {
            log::debug!("the object's types were not loaded: {}", error.errno);
            Ok(None)
        }
        Err(error) => {
            if features.has(Feature::Btf) {
                log::warn!("the object's types were not loaded: {}", error.errno);
            }
            Ok(None)
        }
    }
}

fn load_btf(types: &Btf) -> Result<Result<OwnedFd, aya_sys::Error>, EbpfError> {
    let data = types
        .write(HOST)
        .map_err(|error| EbpfError::RelocationError(error.into()))?;
    Ok(bpf::btf_load(&data, None))
}

/// Opens the map that is pinned where this one is to be, or creates it.
fn provide_map(
    spec: &MapSpec,
    btf: Option<&OwnedFd>,
    loader: &EbpfLoader<'_>,
) -> Result<Provided, EbpfError> {
    let name = spec.name.as_str();
    if aya_uapi::maps::map(spec.map_type).is_none() && !loader.allow_unsupported_maps {
        return Err(EbpfError::MapError(MapError::Unsupported {
            name: name.to_owned(),
            map_type: spec.map_type.0,
        }));
    }
    if let Some(path) = pin_path(spec, loader)?
        && let Some(map) = MapData::reuse(&path, spec, name)?
    {
        return Ok(Provided::Reused(map));
    }
    let btf = btf.map(AsFd::as_fd);
    let created = privilege::with_memory(is_refused, || {
        MapData::create_on(&loader.features, spec, name, btf)
    });
    created.map(Provided::New).map_err(|error| match error {
        MapError::CreateError { name, error } if error.errno() == Errno::EPERM => {
            EbpfError::MissingPrivilege {
                name,
                needed: privilege::MAP,
                source: error,
            }
        }
        other => other.into(),
    })
}

fn is_refused(error: &MapError) -> bool {
    matches!(error, MapError::CreateError { error, .. } if error.errno() == Errno::EPERM)
}

/// Where a map is to be pinned, if it is.
fn pin_path(spec: &MapSpec, loader: &EbpfLoader<'_>) -> Result<Option<PathBuf>, MapError> {
    let name = spec.name.as_str();
    let directory = loader.default_pin_directory.as_deref();
    let directory = directory.unwrap_or_else(|| Path::new(PIN_DIRECTORY));
    match loader.pin_paths.get(name) {
        Some(path) => Ok(Some(path.to_path_buf())),
        None if spec.pinning == PinningType::ByName => MapData::pin_path(directory, name).map(Some),
        None => Ok(None),
    }
}

/// Pins a map where it is to be. It has its contents by then: from now on others may open it.
fn pin_map(
    map: MapData,
    spec: &MapSpec,
    loader: &EbpfLoader<'_>,
    pins: &mut Pins,
) -> Result<Provided, MapError> {
    let Some(path) = pin_path(spec, loader)? else {
        return Ok(Provided::New(map));
    };
    Ok(match map.pin_first(&path, spec)? {
        Ok(map) => {
            pins.0.push(path);
            Provided::New(map)
        }
        Err(first) => Provided::Reused(first),
    })
}

/// Puts the contents of a data section into its map, and makes it read-only if it is to be.
fn fill(map: &MapData, spec: &MapSpec) -> Result<(), aya_sys::Error> {
    let map = map.fd().raw();
    // A new map is all zeros already.
    if let Some(contents) = &spec.contents
        && contents.iter().any(|byte| *byte != 0)
    {
        let mut value = contents.clone();
        value.resize(map.value_size(), 0);
        map.update(&0_u32.to_ne_bytes(), &value, 0)?;
    }
    if spec.frozen {
        map.freeze()?;
    }
    Ok(())
}
