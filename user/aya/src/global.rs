//! Global variables of a loaded object.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::AsFd as _,
    sync::{Arc, OnceLock},
};

use aya_obj::spec::GlobalSpec;
use aya_uapi::bindings::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG};

use crate::{
    maps::{MapError, MapFd, MapShape, Pod, pod, shared::Shared},
    sys::SyscallError,
};

/// A section of variables: the only element of an array.
#[derive(Debug)]
pub(crate) struct Section {
    map: Arc<MapFd>,
    flags: u32,
    /// The element in this process's memory, once somebody has asked for it.
    memory: OnceLock<Shared>,
}

impl Section {
    pub(crate) const fn new(map: Arc<MapFd>, shape: &MapShape) -> Self {
        Self {
            map,
            flags: shape.flags,
            memory: OnceLock::new(),
        }
    }

    const fn is_mappable(&self) -> bool {
        self.flags & BPF_F_MMAPABLE != 0
    }

    const fn is_constant(&self) -> bool {
        self.flags & BPF_F_RDONLY_PROG != 0
    }

    fn memory(&self) -> Result<&Shared, SyscallError> {
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let size = self.map.raw().value_size();
        let size = size.next_multiple_of(aya_sys::page_size());
        let memory = Shared::map(self.map.as_fd(), 0, size, !self.is_constant())?;
        Ok(self.memory.get_or_init(|| memory))
    }

    /// Copies what is at `offset`; `None` when it is not all inside.
    fn load(&self, offset: usize, bytes: &mut [u8]) -> Result<Option<()>, SyscallError> {
        if self.is_mappable() {
            return Ok(self.memory()?.load(offset, bytes));
        }
        let map = self.map.raw();
        let mut section = vec![0; map.value_size()];
        map.lookup(&0_u32.to_ne_bytes(), &mut section, 0)?;
        let end = offset.checked_add(bytes.len());
        let found = end.and_then(|end| section.get(offset..end));
        Ok(found.map(|found| bytes.copy_from_slice(found)))
    }
}

/// A variable in its section.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    section: Arc<Section>,
    offset: usize,
    size: usize,
}

impl Place {
    pub(crate) fn new(section: Arc<Section>, spec: GlobalSpec) -> Self {
        // Numbers past what the machine can address lie in no section.
        let number = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            section,
            offset: number(spec.offset),
            size: number(spec.size),
        }
    }
}

/// A global variable of a loaded object: the one that its programs see. It lives as long as this value,
/// whatever becomes of the [`Ebpf`](crate::Ebpf).
///
/// Its section is mapped into memory when the first of its variables is read or written, and shared by
/// all: reading and writing take no system call (before kernel 5.5 reading takes one).
///
/// ```no_run
/// # let ebpf = aya::Ebpf::load_file("firewall.o")?;
/// // eBPF side: `static LIMIT: GlobalMut<u32>` and `static DROPPED: GlobalMut<u64>`
/// let limit = ebpf.global::<u32>("LIMIT")?;
/// limit.write(&100)?;
/// let dropped = ebpf.global::<u64>("DROPPED")?;
/// println!("{}", dropped.read()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GlobalVariable<T> {
    name: String,
    place: Place,
    value: PhantomData<fn(T) -> T>,
}

impl<T: Pod> GlobalVariable<T> {
    pub(crate) fn new(name: &str, place: &Place) -> Result<Self, MapError> {
        if size_of::<T>() != place.size {
            return Err(wrong_size::<T>(name, place.size));
        }
        Ok(Self {
            name: name.to_owned(),
            place: place.clone(),
            value: PhantomData,
        })
    }

    /// The variable's value now.
    ///
    /// Numbers of 1, 2, 4 or 8 bytes are read in one piece; larger values may be half of what a program
    /// is just writing.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn read(&self) -> Result<T, MapError> {
        let mut value = pod::zeroed();
        let read = self
            .place
            .section
            .load(self.place.offset, pod::bytes_of_mut(&mut value))?;
        read.map(|()| value).ok_or_else(|| self.outside())
    }

    /// Gives the variable another value, which the programs see from now on. Since kernel 5.5.
    ///
    /// Other variables are left alone, whatever programs do to them meanwhile. Numbers of 1, 2, 4 or 8
    /// bytes change in one piece; of larger values a program may see parts.
    ///
    /// # Errors
    ///
    /// [`MapError::GlobalNotWritable`] for constants, which are set before loading
    /// ([`EbpfLoader::override_global`](crate::EbpfLoader::override_global)), and on older kernels.
    pub fn write(&self, value: &T) -> Result<(), MapError> {
        let refused = |reason| MapError::GlobalNotWritable {
            name: self.name.clone(),
            reason,
        };
        if self.place.section.is_constant() {
            return Err(refused(
                "constants cannot be changed once they are loaded, set them before with \
                 `EbpfLoader::override_global`, or make the variable a `GlobalMut`",
            ));
        }
        if !self.place.section.is_mappable() {
            return Err(refused(
                "one variable cannot be changed alone before kernel 5.5, use a map",
            ));
        }
        let memory = self.place.section.memory()?;
        let stored = memory.store(self.place.offset, pod::bytes_of(value));
        stored.ok_or_else(|| self.outside())
    }

    /// The error of a map that is smaller than the section of its object.
    fn outside(&self) -> MapError {
        wrong_size::<T>(&self.name, 0)
    }
}

fn wrong_size<T>(name: &str, expected: usize) -> MapError {
    MapError::GlobalSize {
        name: name.to_owned(),
        size: size_of::<T>(),
        expected,
    }
}

impl<T> fmt::Debug for GlobalVariable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalVariable")
            .field("name", &self.name)
            .field("place", &self.place)
            .finish()
    }
}

impl<T> Clone for GlobalVariable<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            place: self.place.clone(),
            value: PhantomData,
        }
    }
}
