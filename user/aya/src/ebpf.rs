//! An object whose maps exist and whose programs can be loaded.

use std::{collections::BTreeMap, path::Path};

use aya_obj::similar::similar;

use crate::{
    error::EbpfError,
    global::{GlobalVariable, Place},
    loader::EbpfLoader,
    maps::{Map, MapError, Pod},
    programs::Program,
};

/// The maps and programs of an object.
///
/// It owns them: when it is dropped, programs are detached and given up, and maps are freed
/// unless something else (a taken map, a pin, a program that is still attached) holds them.
///
/// ```no_run
/// use aya::{Ebpf, maps::HashMap, programs::{Xdp, XdpMode}};
///
/// let mut ebpf = Ebpf::load_file("firewall.o")?;
/// let program: &mut Xdp = ebpf.program_mut("firewall").ok_or("no such program")?.try_into()?;
/// program.load()?;
/// program.attach("eth0", XdpMode::Default)?;
/// let mut blocked: HashMap<_, u32, u32> =
///     HashMap::try_from(ebpf.map_mut("BLOCKLIST").ok_or("no such map")?)?;
/// blocked.insert(u32::from(std::net::Ipv4Addr::new(1, 1, 1, 1)), 0, 0)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ebpf {
    pub(crate) maps: BTreeMap<String, Map>,
    pub(crate) programs: BTreeMap<String, Program>,
    /// What the object holds for user space: sections that are not loaded into the kernel.
    pub(crate) sections: BTreeMap<String, Vec<u8>>,
    pub(crate) globals: BTreeMap<String, Place>,
}

impl Ebpf {
    /// Loads the object in the file `path`, as it is.
    ///
    /// # Errors
    ///
    /// As [`EbpfLoader::load_file`].
    pub fn load_file<P: AsRef<Path>>(path: P) -> Result<Self, EbpfError> {
        EbpfLoader::new().load_file(path)
    }

    /// Loads an object, as it is; see
    /// [`include_bytes_aligned!`](crate::include_bytes_aligned) for one that is built in.
    ///
    /// # Errors
    ///
    /// As [`EbpfLoader::load`].
    pub fn load(data: &[u8]) -> Result<Self, EbpfError> {
        EbpfLoader::new().load(data)
    }

    /// The map `name`.
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.get(name)
    }

    /// The map `name`, to be changed.
    pub fn map_mut(&mut self, name: &str) -> Option<&mut Map> {
        self.maps.get_mut(name)
    }

    /// Hands over the map `name`, which lives as long as the caller keeps it. Programs still use
    /// it; [`map`](Self::map) no longer finds it.
    pub fn take_map(&mut self, name: &str) -> Option<Map> {
        self.maps.remove(name)
    }

    /// All maps that were not taken, by name.
    pub fn maps(&self) -> impl Iterator<Item = (&str, &Map)> {
        self.maps.iter().map(|(name, map)| (name.as_str(), map))
    }

    /// All maps that were not taken, by name, to be changed.
    pub fn maps_mut(&mut self) -> impl Iterator<Item = (&str, &mut Map)> {
        self.maps.iter_mut().map(|(name, map)| (name.as_str(), map))
    }

    /// Several maps to be changed at the same time, in the order of `names`. A name that occurs
    /// twice gives its map to the first place and `None` to the second.
    pub fn maps_disjoint_mut<const N: usize>(&mut self, names: [&str; N]) -> [Option<&mut Map>; N] {
        let mut found = [const { None }; N];
        for (name, map) in &mut self.maps {
            if let Some(place) = names.iter().position(|wanted| wanted == name)
                && let Some(slot) = found.get_mut(place)
            {
                *slot = Some(map);
            }
        }
        found
    }

    /// The program `name`: that of its function.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.get(name)
    }

    /// The program `name`, to be loaded and attached.
    pub fn program_mut(&mut self, name: &str) -> Option<&mut Program> {
        self.programs.get_mut(name)
    }

    /// All programs, by name.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        let programs = self.programs.iter();
        programs.map(|(name, program)| (name.as_str(), program))
    }

    /// All programs, by name, to be loaded and attached.
    pub fn programs_mut(&mut self) -> impl Iterator<Item = (&str, &mut Program)> {
        let programs = self.programs.iter_mut();
        programs.map(|(name, program)| (name.as_str(), program))
    }

    /// The bytes of a section that is in the object for user space and not loaded into the
    /// kernel: those called `.aya.*`, such as `.aya.log`.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        self.sections.get(name).map(Vec::as_slice)
    }

    /// The global variable `name`, which the programs and this process share. `T` is its type, as
    /// plain data: a `GlobalMut<u32>` is a `u32`.
    ///
    /// ```no_run
    /// # let ebpf = aya::Ebpf::load_file("firewall.o")?;
    /// let pid = ebpf.global::<u32>("PID")?.read()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MapError::GlobalNotFound`] when the object has no such variable,
    /// [`MapError::GlobalSize`] when `T` has another size.
    pub fn global<T: Pod>(&self, name: &str) -> Result<GlobalVariable<T>, MapError> {
        let place = self.globals.get(name);
        let place = place.ok_or_else(|| MapError::GlobalNotFound {
            name: name.to_owned(),
            similar: similar(name, self.globals.keys().map(String::as_str)),
        })?;
        GlobalVariable::new(name, place)
    }
}
