//! [`MapData`]: a map's descriptor with its shape; how maps are created and found.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use aya_obj::{btf::TypeId, spec::MapSpec};
use aya_sys::{
    Errno,
    bpf::{self, MapCreate},
};
use aya_uapi::{MapType, bindings::BPF_F_NUMA_NODE};

use super::{
    MapError, MapInfo, MapOptions, MapShape, Types, Wanted, arena, elements::ENOTSUPP,
    sock::SockMapFd, types,
};
use crate::{
    features::{Feature, Features, is_unknown},
    pin::{self, PinError},
    privilege,
    sys::{self, SyscallError},
};

/// The descriptor of a map.
///
/// The map exists as long as a descriptor, a pin or a loaded program refers to it.
#[derive(Debug)]
pub struct MapFd(SockMapFd);

impl MapFd {
    /// A second descriptor of the same map.
    ///
    /// # Errors
    ///
    /// When the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for MapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl MapFd {
    /// The map as the system calls know it.
    #[inline]
    pub(crate) const fn raw(&self) -> &bpf::Map {
        self.0.raw()
    }

    /// The descriptor as that of a map of sockets, for the handles of those.
    pub(super) const fn as_sock_map(&self) -> &SockMapFd {
        &self.0
    }

    /// A map's descriptor; the sizes of its elements are asked of the kernel.
    pub(crate) fn open(fd: OwnedFd) -> Result<Self, MapError> {
        let map = bpf::Map::open(fd).map_err(SyscallError::from)?;
        Ok(Self(SockMapFd::new(map)))
    }
}

/// A map, whatever its type: its descriptor, shape and name.
#[derive(Debug)]
pub struct MapData {
    name: String,
    shape: MapShape,
    fd: MapFd,
    features: Arc<Features>,
    template: Option<Template>,
}

/// What the maps in a map of maps look like.
#[derive(Debug)]
struct Template {
    spec: MapSpec,
    /// The loaded BTF that its type ids are of.
    btf: Option<OwnedFd>,
}

impl MapData {
    /// Creates a map. [`create_with`](Self::create_with) does it without a definition.
    ///
    /// `btf` is the loaded BTF that the spec's type ids are of. A kernel that does not take names
    /// (before 4.15) or BTF (before 4.18, and for some types of map ever) gets a map without.
    /// Values of sockets, tasks and the like must have types: without a description they are bytes.
    /// Initial contents are not written.
    ///
    /// # Errors
    ///
    /// [`MapError::CreateError`] when the kernel refuses, [`MapError::KernelTooOld`] when that is
    /// because it lacks the type, [`MapError::InvalidName`] for names with zero bytes,
    /// [`MapError::MissingInnerMapDefinition`].
    pub fn create(
        spec: &MapSpec,
        name: &str,
        btf: Option<BorrowedFd<'_>>,
    ) -> Result<Self, MapError> {
        Self::create_on(&Features::host(), spec, name, btf)
    }

    /// Creates a map that belongs to no object file, named `name` for people. `options` say all of it;
    /// handles know the type and the sizes ([`HashMap::create_with`](super::HashMap::create_with)).
    ///
    /// ```no_run
    /// use aya::maps::{MapData, MapOptions, MapType};
    ///
    /// let bytes = MapOptions::new().map_type(MapType::Hash).key_size(4).value_size(1500);
    /// let packets = MapData::create_with("PACKETS", bytes.max_entries(64))?;
    /// # Ok::<(), aya::maps::MapError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_with(name: &str, options: MapOptions) -> Result<Self, MapError> {
        let mut spec = MapSpec::new(name, "", MapType::UNSPEC);
        options.change.apply(&mut spec);
        let features = options.features.unwrap_or_else(Features::host);
        Self::create_on(&features, &spec, name, None)
    }

    /// [`create`](Self::create) on a kernel with these features.
    pub(crate) fn create_on(
        features: &Arc<Features>,
        spec: &MapSpec,
        name: &str,
        btf: Option<BorrowedFd<'_>>,
    ) -> Result<Self, MapError> {
        if name.contains('\0') {
            return Err(MapError::InvalidName {
                name: name.to_owned(),
            });
        }
        let mut shape = MapShape::as_created(spec)?;
        if shape.lacks_address() {
            shape.map_extra = arena::next_address();
        }
        let row = aya_uapi::maps::map(shape.map_type);
        let has_inner = row.is_some_and(|row| row.inner);
        let template = match &spec.inner {
            Some(inner) if has_inner => Some(Template::new(inner, btf)?),
            None if has_inner => {
                return Err(MapError::MissingInnerMapDefinition {
                    outer_name: name.to_owned(),
                });
            }
            _ => None,
        };
        let inner = template.as_ref().map(|inner| inner.create(features));
        let inner = inner.transpose()?;
        let described = spec.key_type != TypeId::VOID || spec.value_type != TypeId::VOID;
        let own = match row {
            Some(row) if row.has_owners() && !(described && btf.is_some()) => {
                let own = types::plain(shape.value_size);
                Some(own.map_err(|error| create_error(name, error))?)
            }
            _ => None,
        };
        let types = match &own {
            Some((own, value)) => Some((own.as_fd(), types::INT, *value)),
            None => btf
                .filter(|_| described)
                .map(|btf| (btf, spec.key_type, spec.value_type)),
        };
        let map = MapCreate {
            key_size: shape.key_size,
            value_size: shape.value_size,
            max_entries: shape.max_entries,
            flags: shape.flags,
            name,
            numa_node: (shape.flags & BPF_F_NUMA_NODE != 0).then_some(spec.numa_node),
            map_extra: shape.map_extra,
            btf: types.map(|(btf, ..)| btf),
            // Without the types their numbers mean nothing, and the kernel refuses them.
            key_type_id: types.map_or(0, |(_, key, _)| key.0),
            value_type_id: types.map_or(0, |(.., value)| value.0),
            inner: inner.as_ref().map(|inner| inner.fd.as_fd()),
            ..MapCreate::new(shape.map_type)
        };
        let refused = privilege::refuses_map(shape.map_type);
        let create = |map: MapCreate<'_>| {
            features.try_with(Feature::Names, |named| {
                let map = MapCreate {
                    name: if named { name } else { "" },
                    ..map
                };
                privilege::with_memory(&refused, || create_described(&map))
            })
        };
        let created = match shape.lesser(spec) {
            Some((feature, lesser)) => features.try_with(feature, |has| {
                if !has {
                    shape = lesser;
                }
                create(MapCreate {
                    flags: shape.flags,
                    value_size: shape.value_size,
                    ..map
                })
            }),
            None => create(map),
        };
        Ok(Self {
            fd: MapFd(SockMapFd::new(
                created.map_err(|error| not_created(name, shape.map_type, error))?,
            )),
            name: name.to_owned(),
            shape,
            features: Arc::clone(features),
            template,
        })
    }

    /// A new map like those that belong into this map of maps.
    pub(super) fn create_inner(&self) -> Result<Option<Self>, MapError> {
        let template = self.template.as_ref();
        template.map(|it| it.create(&self.features)).transpose()
    }

    /// A new map of this one's shape and name.
    pub(super) fn create_alike(&self) -> Result<Self, MapError> {
        let shape = self.shape;
        let spec = MapSpec {
            key_size: shape.key_size,
            value_size: shape.value_size,
            max_entries: shape.max_entries,
            flags: shape.lasting_flags(),
            map_extra: shape.map_extra,
            ..MapSpec::new(&self.name, "", shape.map_type)
        };
        Self::create_on(&self.features, &spec, &self.name, None)
    }

    /// What is known about the kernel that has the map.
    pub(super) const fn features(&self) -> &Arc<Features> {
        &self.features
    }

    /// Uses the map that is pinned as `name` in `directory`; creates and pins it when there is
    /// none.
    ///
    /// # Errors
    ///
    /// [`MapError::Incompatible`] when the pinned map is another one,
    /// [`MapError::InvalidName`] for names that are paths, besides the errors of [`create`](Self::create).
    pub fn create_pinned_by_name<P: AsRef<Path>>(
        directory: P,
        spec: &MapSpec,
        name: &str,
        btf: Option<BorrowedFd<'_>>,
    ) -> Result<Self, MapError> {
        let path = Self::pin_path(directory.as_ref(), name)?;
        let types = btf.map_or(Types::None, Types::Loaded);
        let wanted = Wanted {
            spec,
            types,
            features: &Features::host(),
        };
        if let Some(map) = Self::reuse(&path, wanted, name)? {
            return Ok(map);
        }
        let map = Self::create(spec, name, btf)?;
        Ok(map.pin_first(&path, wanted)?.unwrap_or(map))
    }

    /// Where a map that is pinned by name goes. A name comes from an object, so it must not lead out
    /// of the directory.
    pub(crate) fn pin_path(directory: &Path, name: &str) -> Result<PathBuf, MapError> {
        let mut parts = Path::new(name).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(part)), None) if part == name => Ok(directory.join(name)),
            _ => Err(MapError::InvalidName {
                name: name.to_owned(),
            }),
        }
    }

    /// Pins this new map, unless another process was faster: then its map is returned, the one to use.
    pub(crate) fn pin_first(
        &self,
        path: &Path,
        wanted: Wanted<'_>,
    ) -> Result<Option<Self>, MapError> {
        let name = self.name.as_str();
        match self.pin(path) {
            Ok(()) => Ok(None),
            Err(error @ PinError::PinRefused { .. }) if error.errno() == Some(Errno::EEXIST) => {
                let first = Self::reuse(path, wanted, name)?;
                first.map(Some).ok_or_else(|| pin_error(name, error))
            }
            Err(error) => Err(pin_error(name, error)),
        }
    }

    /// The map pinned at `path`, if there is one, called `name`.
    pub(crate) fn reuse(
        path: &Path,
        wanted: Wanted<'_>,
        name: &str,
    ) -> Result<Option<Self>, MapError> {
        match pin::open_as(path, pin::MAP) {
            Ok(fd) => Self::stand_in(fd, wanted, name, Some(path)).map(Some),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            Err(error) => Err(pin_error(name, error)),
        }
    }

    /// The map behind `fd`, called `name`, if it is what is wanted.
    pub(crate) fn stand_in(
        fd: OwnedFd,
        wanted: Wanted<'_>,
        name: &str,
        path: Option<&Path>,
    ) -> Result<Self, MapError> {
        let mut map = Self::from_fd(fd)?;
        wanted.check(&map, path)?;
        name.clone_into(&mut map.name);
        map.features = Arc::clone(wanted.features);
        Ok(map)
    }

    /// A loaded map by its id.
    ///
    /// Needs `CAP_SYS_ADMIN`. Since kernel 4.13.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`]: `ENOENT` when there is no such map.
    pub fn from_id(id: u32) -> Result<Self, MapError> {
        Self::from_fd(bpf::map_get_fd_by_id(id).map_err(SyscallError::from)?)
    }

    /// The map pinned at `path`.
    ///
    /// # Errors
    ///
    /// [`MapError::PinError`] when there is none.
    pub fn from_pin<P: AsRef<Path>>(path: P) -> Result<Self, MapError> {
        let path = path.as_ref();
        let fd = pin::open_as(path, pin::MAP)
            .map_err(|error| MapError::PinError { name: None, error })?;
        Self::from_fd(fd)
    }

    /// A map from its descriptor, which may come from elsewhere; its shape is asked of the
    /// kernel. Since kernel 4.13.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the descriptor is none of bpf(2). One of a program is not told
    /// apart by the kernel here: what is done with the map fails then.
    pub fn from_fd(fd: OwnedFd) -> Result<Self, MapError> {
        let info = MapInfo::from_fd(fd.as_fd())?;
        Ok(Self {
            name: String::from_utf8_lossy(info.name()).into_owned(),
            shape: info.shape(),
            fd: MapFd::open(fd)?,
            features: Features::host(),
            template: None,
        })
    }

    /// Pins the map: it outlives the process under `path`, a name in a BPF file system.
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        pin::pin(self.fd.as_fd(), path.as_ref())
    }

    /// The map's descriptor.
    #[inline]
    pub const fn fd(&self) -> &MapFd {
        &self.fd
    }

    /// What the kernel says about the map. Since kernel 4.13.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn info(&self) -> Result<MapInfo, MapError> {
        MapInfo::from_fd(self.fd.as_fd())
    }

    /// The map's name: that of its definition, or what the kernel kept of it (15 bytes) for a map
    /// that was found by id, pin or descriptor.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Type, sizes and flags, as created.
    #[inline]
    pub const fn shape(&self) -> &MapShape {
        &self.shape
    }

    pub(crate) const fn map_type(&self) -> MapType {
        self.shape.map_type
    }

    #[inline]
    pub(crate) const fn max_entries(&self) -> u32 {
        self.shape.max_entries
    }
}

impl Template {
    fn new(spec: &MapSpec, btf: Option<BorrowedFd<'_>>) -> Result<Self, MapError> {
        let btf = btf.map(|btf| btf.try_clone_to_owned()).transpose()?;
        let spec = spec.clone();
        Ok(Self { spec, btf })
    }

    fn create(&self, features: &Arc<Features>) -> Result<MapData, MapError> {
        let btf = self.btf.as_ref().map(AsFd::as_fd);
        MapData::create_on(features, &self.spec, &self.spec.name, btf)
    }
}

pub(crate) fn pin_error(name: &str, error: PinError) -> MapError {
    MapError::PinError {
        name: Some(name.to_owned()),
        error,
    }
}

/// Why the kernel did not create a map of this type.
pub(super) fn not_created(name: &str, map_type: MapType, error: aya_sys::Error) -> MapError {
    let known = super::MapType::try_from(map_type.0);
    match (aya_uapi::maps::map(map_type), known) {
        (Some(row), Ok(map_type))
            if is_unknown(&error) && matches!(sys::is_map_supported(map_type), Ok(false)) =>
        {
            MapError::KernelTooOld {
                name: name.to_owned(),
                what: format!("maps of type {}", row.map_type),
                since: row.since.into(),
            }
        }
        _ => create_error(name, error),
    }
}

/// The error of a map that cannot be created, or not be made what its definition says.
pub(crate) fn create_error(name: &str, error: aya_sys::Error) -> MapError {
    MapError::CreateError {
        name: name.to_owned(),
        error: error.into(),
    }
}

/// Puts the map or program behind `fd` at `index` of a map whose definition says so. `what` is its name,
/// for messages.
pub(crate) fn put_initial(
    name: &str,
    map: &MapFd,
    index: u32,
    fd: BorrowedFd<'_>,
    what: impl FnOnce() -> String,
) -> Result<(), MapError> {
    let value = fd.as_raw_fd().to_ne_bytes();
    let put = map.raw().update(&index.to_ne_bytes(), &value, 0);
    put.map_err(|error| MapError::InitialValue {
        name: name.to_owned(),
        index,
        what: what(),
        error: error.into(),
    })
}

/// Creates the map with its types; without them when the kernel does not take them. Some types of map
/// never have types, and a map without them works as well.
fn create_described(map: &MapCreate<'_>) -> Result<bpf::Map, aya_sys::Error> {
    match bpf::Map::create(map) {
        Err(aya_sys::Error { errno, .. })
            if map.btf.is_some() && matches!(errno, Errno::EINVAL | Errno::E2BIG | ENOTSUPP) =>
        {
            bpf::Map::create(&MapCreate {
                btf: None,
                key_type_id: 0,
                value_type_id: 0,
                ..*map
            })
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, mem::offset_of};

    use aya_sys::fake::{self, Call, Reply};
    use aya_uapi::{Cmd, attr};

    use super::*;

    fn spec(map_type: MapType) -> MapSpec {
        MapSpec {
            key_size: 4,
            value_size: 8,
            key_type: TypeId(1),
            value_type: TypeId(2),
            ..MapSpec::new("COUNTS", ".maps", map_type)
        }
    }

    /// What a kernel sees that answers like `kernel`: name and BTF key type of each attempt.
    fn attempts(kernel: fn(&Call) -> Reply) -> (Result<MapData, MapError>, Vec<(String, u32)>) {
        let btf = File::open("/dev/null").unwrap();
        let (map, calls) = fake::run(kernel, || {
            let features = Features::without(&[]);
            MapData::create_on(&features, &spec(MapType::HASH), "COUNTS", Some(btf.as_fd()))
        });
        let seen = |call: &Call| {
            assert_eq!(call.cmd, Some(Cmd::MAP_CREATE));
            let key_type = call.u32(offset_of!(attr::MapCreate, btf_key_type_id));
            (call.object_name(), key_type)
        };
        (map, calls.iter().map(seen).collect())
    }

    #[test]
    fn pins_by_name_stay_in_their_directory() {
        let path = |name| MapData::pin_path(Path::new("/sys/fs/bpf/app"), name);
        assert_eq!(path("COUNTS").unwrap(), Path::new("/sys/fs/bpf/app/COUNTS"));
        for bad in ["", ".", "..", "../other", "/etc/passwd", "a/b", "a/", "./a"] {
            let error = path(bad).unwrap_err();
            assert!(
                matches!(error, MapError::InvalidName { .. }),
                "{bad}: {error:?}"
            );
        }
    }

    #[test]
    fn old_kernels_get_what_they_know() {
        let full = ("COUNTS".to_owned(), 1);
        let no_btf = ("COUNTS".to_owned(), 0);
        let probe = ("probe".to_owned(), 0);
        let unnamed = (String::new(), 1);

        let (map, seen) = attempts(|_| Reply::Fd);
        assert_eq!(map.unwrap().name(), "COUNTS");
        assert_eq!(seen.first(), Some(&full));
        assert_eq!(seen.len(), 1);

        let (map, seen) =
            attempts(
                |call| match call.u32(offset_of!(attr::MapCreate, btf_key_type_id)) {
                    0 => Reply::Fd,
                    _ => Reply::Error(Errno(524)),
                },
            );
        assert!(map.is_ok());
        assert_eq!(seen, [full.clone(), no_btf.clone()]);

        let (map, seen) = attempts(|call| match call.object_name().as_str() {
            "" => Reply::Fd,
            _ => Reply::Error(Errno::E2BIG),
        });
        assert_eq!(map.unwrap().name(), "COUNTS");
        assert_eq!(seen, [full, no_btf, probe, unnamed]);

        // Without types a map keeps its name.
        let (map, calls) = fake::run(
            |_| Reply::Fd,
            || MapData::create(&spec(MapType::HASH), "COUNTS", None),
        );
        assert!(map.is_ok());
        let numbers = |call: &Call| call.u32(offset_of!(attr::MapCreate, btf_value_type_id));
        let seen: Vec<_> = calls
            .iter()
            .map(|call| (call.object_name(), numbers(call)))
            .collect();
        assert_eq!(seen, [("COUNTS".to_owned(), 0)]);

        // Nothing that leaving out names would cure.
        let (map, seen) = attempts(|_| Reply::Error(Errno::EPERM));
        assert!(matches!(map, Err(MapError::CreateError { name, .. }) if name == "COUNTS"));
        // Once, and again where the limit on locked memory was in the way.
        assert!(
            seen.iter()
                .all(|(name, key_type)| (name.as_str(), *key_type) == ("COUNTS", 1))
        );
        assert!((1..=2).contains(&seen.len()), "{seen:?}");
    }
}
