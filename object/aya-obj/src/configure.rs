//! Stage 3: an object made fit for this machine and this run, before anything is created.

use alloc::vec::Vec;

use object::Endianness;

use crate::{Error, ObjectSpec, btf::usize_of};

/// What to change in an object before it is loaded.
///
/// ```
/// use aya_obj::{Config, Global};
///
/// let mut config = Config::default();
/// config.max_entries.push(("BLOCKLIST", 4096));
/// config.globals.push(Global { name: "LEVEL", value: &[3], must_exist: true });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config<'a> {
    /// Numbers of elements by name of the map.
    pub max_entries: Vec<(&'a str, u32)>,
    /// Values of global variables.
    pub globals: Vec<Global<'a>>,
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
    /// value of another size than the variable's.
    pub fn configure(mut self, config: &Config<'_>) -> Result<Configured, Error> {
        if self.endian != HOST {
            return Err(Error::ByteOrder {
                object: self.endian,
            });
        }
        for &(name, max_entries) in &config.max_entries {
            let map = self.maps.iter_mut().find(|map| map.name == name);
            let map = map.ok_or_else(|| Error::NoMap { map: name.into() })?;
            map.max_entries = max_entries;
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
