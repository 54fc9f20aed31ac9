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

mod maps;

use std::{
    collections::BTreeMap,
    ffi::CString,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use aya_obj::{
    Config, Global, LinkedObject, LinkedProgram, ObjectSpec, add_shim_type,
    btf::{Btf, BtfFeatures, TypeId},
    spec::{FunctionKey, GlobalSpec, InitialValue, MapId, MapSpec},
};
use aya_sys::{Errno, bpf};
use aya_uapi::{
    MapType, ProgType,
    programs::{PROGRAMS, ProgramDef},
};

use self::maps::{Pins, Provided, Provider, fill};
use crate::{
    btf::HOST,
    ebpf::Ebpf,
    error::EbpfError,
    features::{Feature, Features},
    global::{Place, Section},
    loader::EbpfLoader,
    maps::{Map, MapError, MapFd, create_error, put_initial},
    programs::{
        Program,
        load::{Shared, Slot, Source},
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
    pins.keep()?;
    Ok(ebpf)
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
    let maps = loader
        .map_options
        .iter()
        .map(|(name, options)| (*name, options.change.clone()));
    Config {
        maps: maps.collect(),
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
        let provider = Provider {
            loader,
            types: object.btf.as_ref(),
            loaded_types: btf.as_ref(),
        };
        for spec in &object.maps {
            let mut map = match logs.take_if(|_| spec.name == LOGS) {
                Some(map) => map,
                None => provider.provide(spec)?,
            };
            if let Provided::New(new) = &map {
                fill(new, spec).map_err(|error| create_error(&spec.name, error))?;
            }
            if !holds_maps(spec) {
                provider.pin(&mut map, spec, pins)?;
            }
            maps.push(map);
        }
        // Maps of maps hold what came of the others, and are pinned with it.
        for (at, spec) in object.maps.iter().enumerate() {
            if !holds_maps(spec) {
                continue;
            }
            put_maps(&maps, at, spec)?;
            if let Some(map) = maps.get_mut(at) {
                provider.pin(map, spec, pins)?;
            }
        }
        Ok(Self { object, btf, maps })
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
            let slots = slots(
                &self.maps,
                &self.object.maps,
                &shared.maps,
                linked.spec.function,
            );
            let source = Source::new(linked, slots, Arc::clone(&shared));
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

/// Whether the definition puts maps into this one.
fn holds_maps(spec: &MapSpec) -> bool {
    let is_map = |(_, value): &(u32, InitialValue)| matches!(value, InitialValue::Map(_));
    spec.initial.iter().any(is_map)
}

/// Puts maps into the one at `at`, if it is a new one, where its definition says so.
fn put_maps(maps: &[Provided], at: usize, spec: &MapSpec) -> Result<(), MapError> {
    let Some(Provided::New(outer)) = maps.get(at) else {
        return Ok(());
    };
    for (index, value) in &spec.initial {
        if let InitialValue::Map(MapId(inner)) = value
            && let Some(inner) = usize::try_from(*inner).ok().and_then(|at| maps.get(at))
        {
            let inner = inner.data();
            let name = || format!("map `{}`", inner.name());
            put_initial(&spec.name, outer.fd(), *index, inner.fd().as_fd(), name)?;
        }
    }
    Ok(())
}

/// Where the definitions of new arrays of programs put the program.
fn slots(
    maps: &[Provided],
    specs: &[MapSpec],
    fds: &[Arc<MapFd>],
    function: FunctionKey,
) -> Vec<Slot> {
    let all = maps.iter().zip(specs).zip(fds);
    let new = all.filter(|((map, _), _)| map.is_new());
    new.flat_map(|((_, spec), fd)| {
        let own = spec.initial.iter();
        let own = own.filter(|(_, value)| *value == InitialValue::Program(function));
        own.map(|(index, _)| Slot {
            map: Arc::clone(fd),
            name: spec.name.clone(),
            index: *index,
        })
    })
    .collect()
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
    let provider = Provider {
        loader,
        types: None,
        loaded_types: None,
    };
    if loader.features.may_have(Feature::RingBuf) {
        match provider.provide(spec) {
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
    let map = provider.provide(spec)?;
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
