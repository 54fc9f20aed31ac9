//! Maps.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use aya_uapi::{
    Cmd, MapType, attr,
    bindings::{BPF_F_CPU, BPF_F_NUMA_NODE},
    maps,
};

use super::{number, object, optional};
use crate::{
    Errno, Error, Result,
    call::{self, address, address_mut, bpf, bpf_fd},
    possible_cpus,
};

/// What a map is created with. [`MapCreate::new`] has the rest empty.
#[derive(Clone, Copy, Debug)]
pub struct MapCreate<'a> {
    /// Type.
    pub map_type: MapType,
    /// Size of a key in bytes.
    pub key_size: u32,
    /// Size of a value in bytes; of one CPU's where there are several.
    pub value_size: u32,
    /// Number of elements, or what the type makes of it.
    pub max_entries: u32,
    /// `BPF_F_*`; [`numa_node`](Self::numa_node) adds its own.
    pub flags: u32,
    /// Name for people, cut to 15 bytes; empty on kernels before 4.15.
    pub name: &'a str,
    /// NUMA node to hold the map. Since kernel 4.14.
    pub numa_node: Option<u32>,
    /// What the type makes of it. Since kernel 5.16.
    pub map_extra: u64,
    /// Types of key and value. Since kernel 4.18.
    pub btf: Option<BorrowedFd<'a>>,
    /// Type id of the key in [`btf`](Self::btf).
    pub key_type_id: u32,
    /// Type id of the value in [`btf`](Self::btf).
    pub value_type_id: u32,
    /// Type id, in the kernel's BTF, of the structure that a struct_ops map holds. Since kernel 5.6.
    pub vmlinux_value_type_id: u32,
    /// Template for the maps that are this map's values. Since kernel 4.12.
    pub inner: Option<BorrowedFd<'a>>,
    /// Interface whose device holds the map. Since kernel 4.16.
    pub interface: u32,
}

impl MapCreate<'_> {
    /// A map of a type, all else zero.
    pub const fn new(map_type: MapType) -> Self {
        Self {
            map_type,
            key_size: 0,
            value_size: 0,
            max_entries: 0,
            flags: 0,
            name: "",
            numa_node: None,
            map_extra: 0,
            btf: None,
            key_type_id: 0,
            value_type_id: 0,
            vmlinux_value_type_id: 0,
            inner: None,
            interface: 0,
        }
    }
}

/// Creates a map (`BPF_MAP_CREATE`). Since kernel 3.18.
///
/// A kernel that does not know something answers `E2BIG` or `EINVAL`; before 5.11 `EPERM` may mean that
/// locked memory is used up ([`memlock`](crate::memlock)).
pub fn map_create(map: &MapCreate<'_>) -> Result<OwnedFd> {
    let numa = if map.numa_node.is_some() {
        BPF_F_NUMA_NODE
    } else {
        0
    };
    let mut attr = attr::MapCreate {
        map_type: map.map_type.0,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        map_flags: map.flags | numa,
        inner_map_fd: optional(map.inner),
        numa_node: map.numa_node.unwrap_or(0),
        map_name: call::object_name(map.name),
        map_ifindex: map.interface,
        btf_fd: optional(map.btf),
        btf_key_type_id: map.key_type_id,
        btf_value_type_id: map.value_type_id,
        btf_vmlinux_value_type_id: map.vmlinux_value_type_id,
        map_extra: map.map_extra,
        ..attr::MapCreate::ZEROED
    };
    // SAFETY: no addresses.
    unsafe { bpf_fd(Cmd::MAP_CREATE, &mut attr) }
}

/// A map's descriptor with the sizes of its elements, without which the kernel would write past the end
/// of buffers that are too small: element operations on buffers of other sizes fail with `EINVAL`.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
    /// Bytes from one CPU's value to the next one's; those of a value where there is only one.
    stride: usize,
}

/// The two buffers of a batch operation, and how much of them counts.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Keys, one after the other.
    pub keys: &'a mut [u8],
    /// Values, one after the other.
    pub values: &'a mut [u8],
}

impl Map {
    /// Creates a map.
    pub fn create(map: &MapCreate<'_>) -> Result<Self> {
        let (value_size, stride) = value_bytes(map.map_type, map.value_size)?;
        Ok(Self {
            fd: map_create(map)?,
            key_size: map.key_size as usize,
            value_size,
            stride,
        })
    }

    /// A map that exists; asks the kernel for its sizes. Since kernel 4.13.
    pub fn open(fd: OwnedFd) -> Result<Self> {
        let info = object::map_info(fd.as_fd())?;
        let (value_size, stride) = value_bytes(MapType(info.type_), info.value_size)?;
        Ok(Self {
            fd,
            key_size: info.key_size as usize,
            value_size,
            stride,
        })
    }

    /// Size of a key in bytes.
    #[inline]
    pub const fn key_size(&self) -> usize {
        self.key_size
    }

    /// Size in bytes of what one element takes in a buffer: its value, or the values of all possible
    /// CPUs, each padded to a multiple of 8 bytes.
    #[inline]
    pub const fn value_size(&self) -> usize {
        self.value_size
    }

    /// Size in bytes of what one CPU's value takes in a buffer, padding included.
    #[inline]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Another descriptor of the same map.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self {
            fd: self.fd.try_clone()?,
            ..*self
        })
    }

    /// Copies an element's value into `value` (`BPF_MAP_LOOKUP_ELEM`); `ENOENT` if there is none.
    ///
    /// Of a queue or stack it is the next one, and `key` is empty; of a bloom filter `value` is what is
    /// looked for.
    #[inline]
    pub fn lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<()> {
        let value = address_mut(self.value(Cmd::MAP_LOOKUP_ELEM, value)?);
        self.element(Cmd::MAP_LOOKUP_ELEM, Some(key), value, flags)
    }

    /// Sets an element's value (`BPF_MAP_UPDATE_ELEM`); `flags` is `BPF_ANY`, `BPF_NOEXIST`
    /// (`EEXIST` if there is one) or `BPF_EXIST` (`ENOENT` if there is none). `E2BIG` if the map is full.
    #[inline]
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        if value.len() != self.value_size {
            return Err(wrong_size(Cmd::MAP_UPDATE_ELEM));
        }
        self.element(Cmd::MAP_UPDATE_ELEM, Some(key), address(value), flags)
    }

    /// Copies one CPU's value into `value`, of the size of [`stride`](Self::stride) (`BPF_F_CPU`). Since
    /// kernel 7.0; `EINVAL` before.
    pub fn lookup_on(&self, key: &[u8], cpu: u32, value: &mut [u8]) -> Result<()> {
        let cmd = Cmd::MAP_LOOKUP_ELEM;
        // A kernel that knows the flag writes one value, with or without its padding; one that does not
        // refuses it.
        if value.len() != self.stride {
            return Err(wrong_size(cmd));
        }
        self.element(cmd, Some(key), address_mut(value), on_cpu(cpu))
    }

    /// Sets one CPU's value (`BPF_F_CPU`); `value` has the size of [`stride`](Self::stride). Since kernel
    /// 7.0; `EINVAL` before.
    pub fn update_on(&self, key: &[u8], cpu: u32, value: &[u8], flags: u64) -> Result<()> {
        let cmd = Cmd::MAP_UPDATE_ELEM;
        if value.len() != self.stride {
            return Err(wrong_size(cmd));
        }
        self.element(cmd, Some(key), address(value), flags | on_cpu(cpu))
    }

    /// Removes an element (`BPF_MAP_DELETE_ELEM`); `ENOENT` if there is none.
    #[inline]
    pub fn delete(&self, key: &[u8]) -> Result<()> {
        self.element(Cmd::MAP_DELETE_ELEM, Some(key), 0, 0)
    }

    /// Takes an element out (`BPF_MAP_LOOKUP_AND_DELETE_ELEM`); of a queue or stack the next one, with
    /// an empty `key`. Since kernel 4.20, of hash maps 5.14.
    #[inline]
    pub fn take(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<()> {
        let cmd = Cmd::MAP_LOOKUP_AND_DELETE_ELEM;
        let value = address_mut(self.value(cmd, value)?);
        self.element(cmd, Some(key), value, flags)
    }

    /// Copies the key behind `key` into `next` (`BPF_MAP_GET_NEXT_KEY`), the first one for `None` or a
    /// key that is gone; `false` if there is none.
    pub fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<bool> {
        let cmd = Cmd::MAP_GET_NEXT_KEY;
        if next.len() != self.key_size {
            return Err(wrong_size(cmd));
        }
        match self.element(cmd, key, address_mut(next), 0) {
            Ok(()) => Ok(true),
            Err(error) if error.errno == Errno::ENOENT => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forbids user space to change the map from now on (`BPF_MAP_FREEZE`). Since kernel 5.2.
    pub fn freeze(&self) -> Result<()> {
        let mut attr = attr::MapElem {
            map_fd: number(self.fd.as_fd()),
            ..attr::MapElem::ZEROED
        };
        // SAFETY: no addresses.
        unsafe { bpf(Cmd::MAP_FREEZE, &mut attr) }.map(drop)
    }

    /// Copies elements, as many as the buffers hold (`BPF_MAP_LOOKUP_BATCH`), or takes them out with
    /// `take` (`BPF_MAP_LOOKUP_AND_DELETE_BATCH`). Since kernel 5.6, of per-CPU arrays 5.13.
    ///
    /// `position` is where to go on and moves behind what was copied. Returns how many were. `ENOSPC` if
    /// the buffers are too small for what stands together in the map; with larger ones it goes on.
    /// `EINTR` if the next key has no value, as free slots have none: nothing behind it is got like this.
    pub fn lookup_batch(
        &self,
        position: &mut Position,
        batch: Batch<'_>,
        take: bool,
        flags: u64,
    ) -> Result<usize> {
        let cmd = if take {
            Cmd::MAP_LOOKUP_AND_DELETE_BATCH
        } else {
            Cmd::MAP_LOOKUP_BATCH
        };
        let count = self.batch_count(cmd, batch.keys.len(), batch.values.len())?;
        if position.ended {
            return Ok(0);
        }
        // Hash maps write 4 bytes of position, others a key. Where the kernel reads it, it reads it
        // before it writes the next one.
        position.at.resize(self.key_size.max(size_of::<u32>()), 0);
        let at = address_mut(&mut position.at);
        let mut attr = attr::MapBatch {
            in_batch: if position.begun { at } else { 0 },
            out_batch: at,
            keys: address_mut(batch.keys),
            values: address_mut(batch.values),
            count,
            map_fd: number(self.fd.as_fd()),
            elem_flags: flags,
            flags: 0,
        };
        // SAFETY: keys and values have room for `count` elements of the map's sizes; a position has the
        // size of the largest the kernel writes.
        let result = unsafe { bpf(cmd, &mut attr) };
        // The kernel sets it to what it has copied, whatever ended that.
        let copied = attr.count as usize;
        match result {
            Ok(_) => {}
            Err(error) if error.errno == Errno::ENOENT => position.ended = true,
            // Behind those that were copied is a key without a value.
            Err(error) if error.errno == Errno::EINTR && copied > 0 => {}
            Err(error) => return Err(error),
        }
        position.begun = true;
        Ok(copied)
    }

    /// Sets elements (`BPF_MAP_UPDATE_BATCH`), in order; returns how many, and why not more. Since
    /// kernel 5.6, of per-CPU arrays 5.13, of maps of maps 5.14.
    pub fn update_batch(&self, keys: &[u8], values: &[u8], flags: u64) -> (usize, Result<()>) {
        let cmd = Cmd::MAP_UPDATE_BATCH;
        match self.batch_count(cmd, keys.len(), values.len()) {
            Ok(count) => self.write_batch(cmd, count, keys, values, flags),
            Err(error) => (0, Err(error)),
        }
    }

    /// Removes elements (`BPF_MAP_DELETE_BATCH`), in order; returns how many, and why not more: `ENOENT`
    /// at the first that is not there. Since kernel 5.6.
    pub fn delete_batch(&self, keys: &[u8]) -> (usize, Result<()>) {
        let cmd = Cmd::MAP_DELETE_BATCH;
        match self.key_count(cmd, keys.len()) {
            Ok(count) => self.write_batch(cmd, count, keys, &[], 0),
            Err(error) => (0, Err(error)),
        }
    }

    fn write_batch(
        &self,
        cmd: Cmd,
        count: u32,
        keys: &[u8],
        values: &[u8],
        flags: u64,
    ) -> (usize, Result<()>) {
        let mut attr = attr::MapBatch {
            keys: address(keys),
            values: address(values),
            count,
            map_fd: number(self.fd.as_fd()),
            elem_flags: flags,
            ..attr::MapBatch::ZEROED
        };
        // SAFETY: the kernel only reads, `count` elements of the map's sizes.
        let result = unsafe { bpf(cmd, &mut attr) };
        let done = match result {
            // It refused before it began: with all of them done there is nothing to refuse.
            Err(_) if attr.count == count => 0,
            _ => attr.count as usize,
        };
        (done, result.map(drop))
    }

    fn batch_count(&self, cmd: Cmd, keys: usize, values: usize) -> Result<u32> {
        let count = self.key_count(cmd, keys)?;
        if (count as usize).checked_mul(self.value_size) != Some(values) {
            return Err(wrong_size(cmd));
        }
        Ok(count)
    }

    fn key_count(&self, cmd: Cmd, keys: usize) -> Result<u32> {
        let count = keys.checked_div(self.key_size).unwrap_or(0);
        if count * self.key_size != keys {
            return Err(wrong_size(cmd));
        }
        u32::try_from(count).map_err(|_| wrong_size(cmd))
    }

    #[inline]
    fn value<'v>(&self, cmd: Cmd, value: &'v mut [u8]) -> Result<&'v mut [u8]> {
        if value.len() == self.value_size {
            Ok(value)
        } else {
            Err(wrong_size(cmd))
        }
    }

    /// `value` is 0, or the address of memory that the command may use as far as it does.
    #[inline]
    fn element(&self, cmd: Cmd, key: Option<&[u8]>, value: u64, flags: u64) -> Result<()> {
        if key.is_some_and(|key| key.len() != self.key_size) {
            return Err(wrong_size(cmd));
        }
        let mut attr = attr::MapElem {
            map_fd: number(self.fd.as_fd()),
            key: key.map_or(0, address),
            value,
            flags,
            ..attr::MapElem::ZEROED
        };
        // SAFETY: the key has the map's size and is only read; the callers, all above, checked the size
        // of what is at `value` and hold it for the call.
        unsafe { bpf(cmd, &mut attr) }.map(drop)
    }
}

/// How far [`Map::lookup_batch`] has come.
#[derive(Clone, Debug, Default)]
pub struct Position {
    /// As the kernel wrote it. Its memory serves all calls.
    at: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl Position {
    /// Before the first element.
    pub const fn new() -> Self {
        Self {
            at: Vec::new(),
            begun: false,
            ended: false,
        }
    }

    /// Goes behind the last element.
    pub const fn end(&mut self) {
        self.ended = true;
    }

    /// Whether something was copied, and `lookup_batch` goes on behind it.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// The key that was copied last; of hash maps, which know no `EINTR`, something else.
    pub fn last_key(&self) -> Option<&[u8]> {
        self.begun.then_some(&self.at)
    }

    /// Whether it is behind the last element.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }
}

/// Bytes that the kernel copies for one element, and for one CPU's value of it. A type that the table does
/// not know may be per-CPU: the larger size is safe for both.
fn value_bytes(map_type: MapType, value_size: u32) -> Result<(usize, usize)> {
    let value_size = value_size as usize;
    match maps::map(map_type) {
        Some(def) if !def.per_cpu => Ok((value_size, value_size)),
        _ => {
            let cpus = possible_cpus()?;
            let stride = value_size.checked_next_multiple_of(8);
            stride
                .and_then(|stride| Some((stride.checked_mul(cpus)?, stride)))
                .ok_or(wrong_size(Cmd::MAP_CREATE))
        }
    }
}

/// The flags that name a CPU.
fn on_cpu(cpu: u32) -> u64 {
    u64::from(BPF_F_CPU) | u64::from(cpu) << 32
}

fn wrong_size(cmd: Cmd) -> Error {
    Error::new(call::name(cmd), Errno::EINVAL)
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Map {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl From<Map> for OwnedFd {
    fn from(map: Map) -> Self {
        map.fd
    }
}
