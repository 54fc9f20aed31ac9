//! Stage 3: an object made fit for this machine and this run, before anything is created.

use alloc::{boxed::Box, vec::Vec};

use aya_uapi::{MapType, bindings::BPF_F_NUMA_NODE};
use object::Endianness;

use crate::{
    Error, ObjectSpec,
    btf::{TypeId, usize_of},
    spec::MapSpec,
};

/// What to change in an object before it is loaded.
///
/// ```
/// use aya_obj::{Config, Global, MapChange};
///
/// let mut config = Config::default();
/// let change = MapChange { max_entries: Some(4096), ..MapChange::default() };
/// config.maps.push(("BLOCKLIST", change));
/// config.globals.push(Global { name: "LEVEL", value: &[3], must_exist: true });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config<'a> {
    /// Changes of maps, by name. A change that changes nothing still asks for the map.
    pub maps: Vec<(&'a str, MapChange)>,
    /// Values of global variables.
    pub globals: Vec<Global<'a>>,
}

/// What to change in the definition of a map. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapChange {
    /// Its type.
    pub map_type: Option<MapType>,
    /// Bytes of a key.
    pub key_size: Option<u32>,
    /// Bytes of a value.
    pub value_size: Option<u32>,
    /// Number of elements; for ring buffers bytes.
    pub max_entries: Option<u32>,
    /// Flags for `BPF_MAP_CREATE`.
    pub flags: Option<u32>,
    /// The NUMA node to allocate on; brings the flag `BPF_F_NUMA_NODE` with it.
    pub numa_node: Option<u32>,
    /// What the type makes of it (`map_extra`).
    pub map_extra: Option<u64>,
    /// What to change in the definition of the maps in this map of maps; without one, all there is to it.
    pub inner: Option<Box<MapChange>>,
}

impl MapChange {
    /// Takes over what `later` changes.
    pub fn merge(&mut self, later: Self) {
        fn put<T>(place: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *place = later;
            }
        }
        put(&mut self.map_type, later.map_type);
        put(&mut self.key_size, later.key_size);
        put(&mut self.value_size, later.value_size);
        put(&mut self.max_entries, later.max_entries);
        put(&mut self.flags, later.flags);
        put(&mut self.numa_node, later.numa_node);
        put(&mut self.map_extra, later.map_extra);
        put(&mut self.inner, later.inner);
    }

    /// Changes the definition of a map.
    pub fn apply(&self, map: &mut MapSpec) {
        fn put<T: Copy>(place: &mut T, change: Option<T>) {
            *place = change.unwrap_or(*place);
        }
        put(&mut map.map_type, self.map_type);
        put(&mut map.max_entries, self.max_entries);
        put(&mut map.flags, self.flags);
        put(&mut map.map_extra, self.map_extra);
        // A type of another size would be refused.
        if self.key_size.is_some_and(|size| size != map.key_size) {
            map.key_type = TypeId::VOID;
        }
        put(&mut map.key_size, self.key_size);
        if self.value_size.is_some_and(|size| size != map.value_size) {
            map.value_type = TypeId::VOID;
        }
        put(&mut map.value_size, self.value_size);
        if let Some(node) = self.numa_node {
            map.numa_node = node;
            map.flags |= BPF_F_NUMA_NODE;
        }
        if let Some(change) = &self.inner {
            let (name, section) = (&map.name, &map.section);
            let new = || Box::new(MapSpec::new(name, section, MapType::UNSPEC));
            change.apply(map.inner.get_or_insert_with(new));
        }
    }
}

/// The value of a global variable.
#[derive(Clone, Copy, Debug)]
pub struct Global<'a> {
    /// The variable's symbol.
    pub name: &'a str,
    /// Its bytes, in the byte order of the machine.
    pub value: &'a [u8],
    /// Is it an error if the object has no such variable?
    pub must_exist: bool,
}

/// An object that is ready to be linked: of this machine's byte order, with the caller's values in
/// place.
#[derive(Clone, Debug)]
pub struct Configured(ObjectSpec);

impl ObjectSpec {
    /// Puts the caller's values in.
    ///
    /// # Errors
    ///
    /// [`Error::ByteOrder`] for an object of the other byte order, [`Error::NoMap`] and
    /// [`Error::NoGlobal`] for names that the object does not have, [`Error::GlobalSize`] for a
    /// value of another size than the variable's, [`Error::Map`] for a section of variables that is to
    /// be smaller than they are.
    pub fn configure(mut self, config: &Config<'_>) -> Result<Configured, Error> {
        if self.endian != HOST {
            return Err(Error::ByteOrder {
                object: self.endian,
            });
        }
        for (name, change) in &config.maps {
            let map = self.maps.iter_mut().find(|map| map.name == *name);
            let map = map.ok_or_else(|| Error::NoMap {
                map: (*name).into(),
            })?;
            change.apply(map);
            let contents = map.contents.as_ref().map_or(0, Vec::len);
            if contents > usize_of(map.value_size) {
                return Err(Error::Map {
                    map: (*name).into(),
                    member: "value_size".into(),
                    problem: "is smaller than the section's variables",
                });
            }
        }
        for global in &config.globals {
            self.set_global(global)?;
        }
        Ok(Configured(self))
    }

    /// Sets the initial value of a global variable.
    fn set_global(&mut self, global: &Global<'_>) -> Result<(), Error> {
        let Some(spec) = self.globals.get(global.name) else {
            return match global.must_exist {
                true => Err(Error::NoGlobal {
                    global: global.name.into(),
                    known: self.globals.keys().cloned().collect(),
                }),
                false => Ok(()),
            };
        };
        let size = usize_of(spec.size);
        if size != global.value.len() {
            return Err(Error::GlobalSize {
                global: global.name.into(),
                expected: spec.size,
                given: global.value.len(),
            });
        }
        let start = usize_of(spec.offset);
        let end = start.saturating_add(size);
        let map = self.maps.get_mut(usize_of(spec.map.0));
        let map = map.filter(|map| end <= usize_of(map.value_size));
        let contents = map.and_then(|map| map.contents.as_mut());
        // The parser keeps variables that lie inside of their section.
        let contents = contents.ok_or_else(|| Error::NoGlobal {
            global: global.name.into(),
            known: Vec::new(),
        })?;
        if contents.len() < end {
            contents.resize(end, 0);
        }
        if let Some(place) = contents.get_mut(start..end) {
            place.copy_from_slice(global.value);
        }
        Ok(())
    }
}

impl Configured {
    /// The object as it will be linked.
    pub fn spec(&self) -> &ObjectSpec {
        &self.0
    }

    pub(crate) fn into_spec(self) -> ObjectSpec {
        self.0
    }
}

/// The byte order of this machine.
pub(crate) const HOST: Endianness = if cfg!(target_endian = "little") {
    Endianness::Little
} else {
    Endianness::Big
};
