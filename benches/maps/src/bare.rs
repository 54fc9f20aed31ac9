//! bpf(2) with nothing around it: what the kernel takes.

use std::{
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
    ptr,
};

use aya::maps::MapData;
use aya_benches::Result;

/// Commands, from `enum bpf_cmd`.
const MAP_LOOKUP_ELEM: libc::c_long = 1;
const MAP_UPDATE_ELEM: libc::c_long = 2;

/// The arguments of commands on elements, from `union bpf_attr`.
#[repr(C)]
struct Element {
    map_fd: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The map's descriptor, if its keys are `u32` and its values `u64`.
pub(crate) fn table(map: &MapData) -> Result<RawFd> {
    let shape = map.shape();
    if (shape.key_size, shape.value_size) != (4, 8) {
        return Err(format!("{}: not a map of u32 and u64", map.name()).into());
    }
    Ok(map.fd().as_fd().as_raw_fd())
}

/// A map of `u32` and `u64`, no per-CPU one.
pub(crate) struct Table(RawFd);

impl Table {
    pub(crate) fn new(map: &MapData) -> Result<Self> {
        table(map).map(Self)
    }

    #[inline]
    pub(crate) fn get(&self, key: u32) -> Option<u64> {
        let mut value = 0;
        self.element(MAP_LOOKUP_ELEM, &key, &mut value)
            .then_some(value)
    }

    #[inline]
    pub(crate) fn set(&self, key: u32, mut value: u64) -> bool {
        self.element(MAP_UPDATE_ELEM, &key, &mut value)
    }

    #[inline]
    fn element(&self, command: libc::c_long, key: &u32, value: &mut u64) -> bool {
        let mut attr = Element {
            map_fd: self.0 as u32,
            _pad: 0,
            key: ptr::from_ref(key).expose_provenance() as u64,
            value: ptr::from_mut(value).expose_provenance() as u64,
            flags: 0,
        };
        // SAFETY: key and value have the sizes that `table` has found to be the map's, and live as long as
        // the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                command,
                ptr::from_mut(&mut attr),
                size_of::<Element>(),
            )
        };
        result == 0
    }
}
