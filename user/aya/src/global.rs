//! Global variables of a loaded object.

use std::os::fd::AsFd as _;

use aya_obj::spec::GlobalSpec;
use aya_uapi::bindings::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG};

use crate::{
    maps::{MapData, MapError, MapFd, Pod, pod, shared::Shared},
    sys::SyscallError,
};

/// A global variable of a loaded object: the one that its programs see. It lives as long as this value,
/// whatever becomes of the [`Ebpf`](crate::Ebpf).
///
/// ```no_run
/// # let ebpf = aya::Ebpf::load_file("firewall.o")?;
/// // eBPF side: `static LIMIT: GlobalMut<u32>` and `static DROPPED: GlobalMut<u64>`
/// let limit = ebpf.global("LIMIT").ok_or("no variable LIMIT")?;
/// limit.write(&100_u32)?;
/// let dropped = ebpf.global("DROPPED").ok_or("no variable DROPPED")?;
/// println!("{}", dropped.read::<u64>()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GlobalVariable {
    name: String,
    map: MapFd,
    flags: u32,
    offset: usize,
    size: usize,
}

impl GlobalVariable {
    pub(crate) fn new(name: &str, spec: &GlobalSpec, map: &MapData) -> Option<Self> {
        Some(Self {
            name: name.to_owned(),
            map: map.fd().try_clone().ok()?,
            flags: map.shape().flags,
            offset: usize::try_from(spec.offset).ok()?,
            size: usize::try_from(spec.size).ok()?,
        })
    }

    /// The variable's value now.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidValueSize`] when `T` has another size than the variable, and the
    /// kernel's refusal.
    pub fn read<T: Pod>(&self) -> Result<T, MapError> {
        self.check_size::<T>()?;
        let map = self.map.raw();
        let mut section = vec![0; map.value_size()];
        let read = map.lookup(&0_u32.to_ne_bytes(), &mut section, 0);
        read.map_err(SyscallError::from)?;
        let bytes = section.get(self.offset..).unwrap_or_default();
        pod::from_prefix(bytes).ok_or_else(|| self.wrong_size::<T>())
    }

    /// Gives the variable another value, which the programs see from now on. Since kernel 5.5.
    ///
    /// Other variables are left alone, whatever programs do to them meanwhile. Numbers of 1, 2, 4 or 8
    /// bytes change in one piece; of larger values a program may see parts.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidValueSize`] when `T` has another size than the variable,
    /// [`MapError::GlobalNotWritable`] for constants, which are set before loading
    /// ([`EbpfLoader::override_global`](crate::EbpfLoader::override_global)), and on older kernels.
    pub fn write<T: Pod>(&self, value: &T) -> Result<(), MapError> {
        self.check_size::<T>()?;
        let refused = |reason| MapError::GlobalNotWritable {
            name: self.name.clone(),
            reason,
        };
        if self.flags & BPF_F_RDONLY_PROG != 0 {
            return Err(refused(
                "constants cannot be changed once they are loaded, set them before with \
                 `EbpfLoader::override_global`, or make the variable a `GlobalMut`",
            ));
        }
        if self.flags & BPF_F_MMAPABLE == 0 {
            return Err(refused(
                "one variable cannot be changed alone before kernel 5.5, use a map",
            ));
        }
        let size = self.map.raw().value_size();
        let size = size.next_multiple_of(aya_sys::page_size());
        let section = Shared::map(self.map.as_fd(), 0, size, true)?;
        let stored = section.store(self.offset, pod::bytes_of(value));
        stored.ok_or_else(|| self.wrong_size::<T>())
    }

    fn check_size<T>(&self) -> Result<(), MapError> {
        match size_of::<T>() == self.size {
            true => Ok(()),
            false => Err(self.wrong_size::<T>()),
        }
    }

    fn wrong_size<T>(&self) -> MapError {
        MapError::InvalidValueSize {
            name: self.name.clone(),
            size: size_of::<T>(),
            expected: self.size,
        }
    }
}
