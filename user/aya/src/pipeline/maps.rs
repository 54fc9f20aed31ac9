//! The maps of an object: found, or created, filled and pinned.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::BuildHasher as _,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use aya_obj::{
    btf::Btf,
    spec::{MapSpec, PinningType},
};
use aya_sys::Errno;

use crate::{
    error::EbpfError,
    loader::EbpfLoader,
    maps::{MapData, MapError, ReusePolicy, Types, Wanted, pin_error},
    pin::{self, PinError},
    privilege,
    sys::SyscallError,
};

/// Where maps that are pinned by name go unless the loader says otherwise, as with libbpf.
const PIN_DIRECTORY: &str = "/sys/fs/bpf";

/// The pins that this load has made; they go when it fails.
#[derive(Default)]
pub(super) struct Pins(Vec<Pin>);

struct Pin {
    path: PathBuf,
    /// Whose place it takes when all has gone well.
    replaces: Option<PathBuf>,
}

impl Pins {
    /// Puts those pins that replace others in their places, and keeps all.
    pub(super) fn keep(mut self) -> Result<(), MapError> {
        while let Some(at) = self.0.iter().position(|pin| pin.replaces.is_some()) {
            // Those that are in their places stay there: what they replaced is gone.
            let Pin { path, replaces } = self.0.swap_remove(at);
            let Some(place) = replaces else { continue };
            if let Err(error) = fs::rename(&path, &place) {
                let name = place.file_name().unwrap_or_default().to_string_lossy();
                let error = pin_error(
                    &name,
                    PinError::PinRefused {
                        path: place.clone(),
                        source: SyscallError {
                            call: "rename",
                            io_error: error,
                        },
                    },
                );
                self.0.push(Pin {
                    path,
                    replaces: None,
                });
                return Err(error);
            }
        }
        self.0.clear();
        Ok(())
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        for Pin { path, .. } in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                log::warn!(
                    "{}: the pin of a load that failed stays: {error}",
                    path.display()
                );
            }
        }
    }
}

/// A map that there is now.
pub(super) enum Provided {
    /// Made for this object.
    New(MapData),
    /// One that was there before, with contents of its own.
    Reused(MapData),
}

impl Provided {
    pub(super) const fn data(&self) -> &MapData {
        match self {
            Self::New(map) | Self::Reused(map) => map,
        }
    }

    pub(super) const fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }

    pub(super) fn into_data(self) -> MapData {
        match self {
            Self::New(map) | Self::Reused(map) => map,
        }
    }
}

/// What maps are made with.
pub(super) struct Provider<'a> {
    pub(super) loader: &'a EbpfLoader<'a>,
    /// The object's types, and as the kernel has them.
    pub(super) types: Option<&'a Btf>,
    pub(super) loaded_types: Option<&'a OwnedFd>,
}

impl Provider<'_> {
    fn wanted<'s>(&'s self, spec: &'s MapSpec) -> Wanted<'s> {
        Wanted {
            spec,
            types: self.types.map_or(Types::None, Types::Read),
            features: &self.loader.features,
        }
    }

    fn policy(&self, spec: &MapSpec) -> ReusePolicy {
        let options = self.loader.map_options.get(spec.name.as_str());
        let own = options.and_then(|options| options.reuse);
        own.unwrap_or(self.loader.reuse)
    }

    /// Takes the map that the caller gave, opens the one that is pinned where this one is to be, or
    /// creates it.
    pub(super) fn provide(&self, spec: &MapSpec) -> Result<Provided, EbpfError> {
        let (name, loader) = (spec.name.as_str(), self.loader);
        if aya_uapi::maps::map(spec.map_type).is_none() && !loader.allow_unsupported_maps {
            return Err(EbpfError::MapError(MapError::Unsupported {
                name: name.to_owned(),
                map_type: spec.map_type.0,
            }));
        }
        if let Some(fd) = loader.map_fds.get(name) {
            let fd = fd.try_clone_to_owned().map_err(MapError::IoError)?;
            let map = MapData::stand_in(fd, self.wanted(spec), name, None)?;
            return Ok(Provided::Reused(map));
        }
        if let Some(path) = self.pin_path(spec)?
            && let Some(map) = self.reuse(spec, &path)?
        {
            return Ok(Provided::Reused(map));
        }
        let btf = self.loaded_types.map(|fd| fd.as_fd());
        let created = MapData::create_on(&loader.features, spec, name, btf);
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

    fn reuse(&self, spec: &MapSpec, path: &Path) -> Result<Option<MapData>, MapError> {
        let name = spec.name.as_str();
        match self.policy(spec) {
            ReusePolicy::CreateOrReuse => MapData::reuse(path, self.wanted(spec), name),
            ReusePolicy::Reuse => {
                let fd = pin::open_as(path, pin::MAP).map_err(|error| pin_error(name, error))?;
                MapData::stand_in(fd, self.wanted(spec), name, Some(path)).map(Some)
            }
            // What is there is found out when the new map is pinned.
            ReusePolicy::Create => Ok(None),
            // Something else than a map is no older version of one.
            ReusePolicy::Replace => match pin::open_as(path, pin::MAP) {
                Ok(_) => Ok(None),
                Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
                Err(error) => Err(pin_error(name, error)),
            },
        }
    }

    /// Where a map is to be pinned, if it is.
    fn pin_path(&self, spec: &MapSpec) -> Result<Option<PathBuf>, MapError> {
        let (name, loader) = (spec.name.as_str(), self.loader);
        let directory = loader.default_pin_directory.as_deref();
        let directory = directory.unwrap_or_else(|| Path::new(PIN_DIRECTORY));
        match loader.pin_paths.get(name) {
            Some(path) => Ok(Some(path.to_path_buf())),
            None if spec.pinning == PinningType::ByName => {
                MapData::pin_path(directory, name).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Pins a new map where it is to be. It has its contents by then: from now on others may open it.
    pub(super) fn pin(
        &self,
        map: &mut Provided,
        spec: &MapSpec,
        pins: &mut Pins,
    ) -> Result<(), MapError> {
        let (Provided::New(new), Some(path)) = (&*map, self.pin_path(spec)?) else {
            return Ok(());
        };
        let policy = self.policy(spec);
        let pin = match policy {
            ReusePolicy::Replace => Pin {
                path: beside(&path),
                replaces: Some(path),
            },
            _ => Pin {
                path,
                replaces: None,
            },
        };
        if policy == ReusePolicy::CreateOrReuse {
            if let Some(first) = new.pin_first(&pin.path, self.wanted(spec))? {
                *map = Provided::Reused(first);
                return Ok(());
            }
        } else {
            let pinned = new.pin(&pin.path);
            pinned.map_err(|error| pin_error(&spec.name, error))?;
        }
        pins.0.push(pin);
        Ok(())
    }
}

/// A path in the same directory that nobody else has: a pin is renamed within its directory. (The kernel
/// takes no names with dots.)
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let random = RandomState::new().hash_one(std::process::id());
    name.push(format!("_new_{random:016x}"));
    path.with_file_name(name)
}

/// Puts the contents of a data section into its map, and makes it read-only if it is to be.
pub(super) fn fill(map: &MapData, spec: &MapSpec) -> Result<(), aya_sys::Error> {
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
