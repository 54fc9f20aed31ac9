//! What can be said before an object is loaded.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    btf::Btf,
    ebpf::Ebpf,
    error::EbpfError,
    features::Features,
    maps::{MapOptions, Pod, ReusePolicy, pod},
    pipeline,
    verifier::VerifierLogLevel,
};

/// Loads objects, with settings.
///
/// ```no_run
/// use aya::{EbpfLoader, VerifierLogLevel};
///
/// let ebpf = EbpfLoader::new()
///     .override_global("PORT", &8080u16, true)
///     .map_max_entries("FLOWS", 65536)
///     .verifier_log_level(VerifierLogLevel::VERBOSE)
///     .load_file("firewall.o")?;
/// # Ok::<(), aya::EbpfError>(())
/// ```
#[derive(Debug)]
pub struct EbpfLoader<'a> {
    pub(crate) btf: Option<&'a Btf>,
    pub(crate) default_pin_directory: Option<PathBuf>,
    pub(crate) pin_paths: HashMap<&'a str, Cow<'a, Path>>,
    pub(crate) globals: HashMap<&'a str, (GlobalData<'a>, bool)>,
    pub(crate) map_options: HashMap<&'a str, MapOptions>,
    pub(crate) map_fds: HashMap<&'a str, BorrowedFd<'a>>,
    pub(crate) reuse: ReusePolicy,
    pub(crate) extensions: Vec<&'a str>,
    pub(crate) log_level: VerifierLogLevel,
    pub(crate) allow_unsupported_maps: bool,
    pub(crate) features: Arc<Features>,
}

impl Default for EbpfLoader<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> EbpfLoader<'a> {
    /// A loader with nothing set: objects are loaded as they are.
    pub fn new() -> Self {
        Self {
            btf: None,
            default_pin_directory: None,
            pin_paths: HashMap::new(),
            globals: HashMap::new(),
            map_options: HashMap::new(),
            map_fds: HashMap::new(),
            reuse: ReusePolicy::default(),
            extensions: Vec::new(),
            log_level: VerifierLogLevel::default(),
            allow_unsupported_maps: false,
            features: Features::host(),
        }
    }

    /// The types of the kernel that programs are adapted to; without it those of the running
    /// kernel are read when the object needs them.
    pub fn btf(&mut self, btf: &'a Btf) -> &mut Self {
        self.btf = Some(btf);
        self
    }

    /// Where maps that are pinned by name go, `/sys/fs/bpf` if this is not set.
    pub fn default_map_pin_directory<P: AsRef<Path>>(&mut self, path: P) -> &mut Self {
        self.default_pin_directory = Some(path.as_ref().to_owned());
        self
    }

    /// Pins the map `name` at `path`, or uses the map that is pinned there if it is alike:
    /// [`map_reuse_policy`](Self::map_reuse_policy) can change that.
    pub fn map_pin_path<P: Into<Cow<'a, Path>>>(&mut self, name: &'a str, path: P) -> &mut Self {
        self.pin_paths.insert(name, path.into());
        self
    }

    /// Gives the global variable `name` a value before the object is loaded. Constants get to
    /// the verifier this way, so that it drops code that they rule out.
    ///
    /// Loading fails when the sizes differ, and, with `must_exist`, when there is no such
    /// variable.
    pub fn override_global<T: Into<GlobalData<'a>>>(
        &mut self,
        name: &'a str,
        value: T,
        must_exist: bool,
    ) -> &mut Self {
        self.globals.insert(name, (value.into(), must_exist));
        self
    }

    /// The older name of [`override_global`](Self::override_global).
    #[deprecated(note = "use `override_global`")]
    pub fn set_global<T: Into<GlobalData<'a>>>(
        &mut self,
        name: &'a str,
        value: T,
        must_exist: bool,
    ) -> &mut Self {
        self.override_global(name, value, must_exist)
    }

    /// Gives the map `name` room for `max_entries` elements, or bytes if it is a ring buffer.
    pub fn map_max_entries(&mut self, name: &'a str, max_entries: u32) -> &mut Self {
        self.map_options(name, MapOptions::new().max_entries(max_entries))
    }

    /// Changes the definition of the map `name`: type, sizes, flags, NUMA node and more. What is set
    /// later goes before what was set earlier.
    ///
    /// Loading fails when the object has no such map.
    pub fn map_options(&mut self, name: &'a str, options: MapOptions) -> &mut Self {
        self.map_options.entry(name).or_default().merge(options);
        self
    }

    /// Takes the map behind `map` for the map `name` of the object: both objects' programs share it then.
    /// It keeps its contents, and is not pinned.
    ///
    /// Loading fails when the object has no such map, or the two differ in type, sizes, flags, or the
    /// types of their keys and values ([`MapError::Incompatible`](crate::maps::MapError::Incompatible)).
    ///
    /// ```no_run
    /// use aya::{Ebpf, EbpfLoader};
    ///
    /// let first = Ebpf::load_file("collector.o")?;
    /// let flows = first.map("FLOWS").ok_or("no map FLOWS")?.data().fd();
    /// let second = EbpfLoader::new().map_fd("FLOWS", flows).load_file("firewall.o")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_fd<F: AsFd>(&mut self, name: &'a str, map: &'a F) -> &mut Self {
        self.map_fds.insert(name, map.as_fd());
        self.map_options(name, MapOptions::new())
    }

    /// What to do when a map is to be pinned where there is a pin already;
    /// [`MapOptions::reuse`] says otherwise for one map.
    pub const fn map_reuse_policy(&mut self, policy: ReusePolicy) -> &mut Self {
        self.reuse = policy;
        self
    }

    /// The older name of [`map_max_entries`](Self::map_max_entries).
    #[deprecated(note = "use `map_max_entries`")]
    pub fn set_max_entries(&mut self, name: &'a str, max_entries: u32) -> &mut Self {
        self.map_max_entries(name, max_entries)
    }

    /// Treats the program `name` as an extension (`freplace`), whatever its section says.
    pub fn extension(&mut self, name: &'a str) -> &mut Self {
        self.extensions.push(name);
        self
    }

    /// How much the verifier writes about a program that it rejects.
    pub const fn verifier_log_level(&mut self, level: VerifierLogLevel) -> &mut Self {
        self.log_level = level;
        self
    }

    /// Takes objects with maps that have no handle yet: they are created, for the programs, and
    /// are [`Map::Unsupported`](crate::maps::Map::Unsupported) here. Without it they are an error.
    pub const fn allow_unsupported_maps(&mut self) -> &mut Self {
        self.allow_unsupported_maps = true;
        self
    }

    /// What the kernel can do, instead of asking it: for tests of what happens on older ones.
    #[doc(hidden)]
    pub fn features(&mut self, features: Arc<Features>) -> &mut Self {
        self.features = features;
        self
    }

    /// Loads the object in the file `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and as [`load`](Self::load).
    pub fn load_file<P: AsRef<Path>>(&mut self, path: P) -> Result<Ebpf, EbpfError> {
        let path = path.as_ref();
        let data = fs::read(path).map_err(|error| EbpfError::FileError {
            path: path.to_owned(),
            error,
        })?;
        self.load(&data)
    }

    /// Loads an object: creates its maps and makes its programs ready to be loaded.
    ///
    /// # Errors
    ///
    /// When the bytes are no eBPF object, what was set does not fit it, or the kernel refuses
    /// one of its maps.
    pub fn load(&mut self, data: &[u8]) -> Result<Ebpf, EbpfError> {
        pipeline::run(data, self)
    }
}

/// The bytes of a global variable: made from a reference to a value, or to a slice of values.
#[derive(Debug, Clone)]
pub struct GlobalData<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a, T: Pod> From<&'a T> for GlobalData<'a> {
    fn from(value: &'a T) -> Self {
        Self {
            bytes: pod::bytes_of(value),
        }
    }
}

impl<'a, T: Pod> From<&'a [T]> for GlobalData<'a> {
    fn from(values: &'a [T]) -> Self {
        Self {
            bytes: pod::bytes_of_slice(values),
        }
    }
}
