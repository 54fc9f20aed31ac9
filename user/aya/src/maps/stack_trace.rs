//! [`StackTraceMap`]: call stacks that programs recorded.

use std::{
    borrow::{Borrow, BorrowMut},
    mem::offset_of,
    path::Path,
};

use aya_uapi::bindings::{
    BPF_F_STACK_BUILD_ID, bpf_stack_build_id,
    bpf_stack_build_id_status::{BPF_STACK_BUILD_ID_IP, BPF_STACK_BUILD_ID_VALID},
};

use super::{
    IterableMap, Map, MapData, MapError, MapIter, MapKeys,
    handle::{create, from_map, iterable},
    pod,
};
use crate::pin::PinError;

/// Call stacks by the id that `bpf_get_stackid` gave, of type `BPF_MAP_TYPE_STACK_TRACE` (since
/// kernel 4.6). With the cargo feature `symbols` the module `symbols` finds the functions.
///
/// ```no_run
/// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::StackTraceMap;
///
/// let stacks = StackTraceMap::try_from(&map)?;
/// for entry in stacks.iter() {
///     let (id, stack) = entry?;
///     println!("{id}: {:x?}", stack.frames());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StackTraceMap<T> {
    pub(crate) inner: T,
}

from_map!(StackTraceMap<> from StackTraceMap);
create!(StackTraceMap<>, key: u32, value: [u64; MAX_DEPTH], StackTrace);
iterable!(StackTraceMap<>, key: u32, value: StackTrace);

impl<T: Borrow<MapData>> StackTraceMap<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        let data = map.borrow();
        let size = data.shape().value_size as usize;
        let stride = frame_size(data);
        data.check_sizes(size_of::<u32>(), size)?;
        if !size.is_multiple_of(stride) {
            return Err(MapError::InvalidValueStride {
                name: data.name().to_owned(),
                size,
                stride,
            });
        }
        Ok(Self { inner: map })
    }

    /// The stack with this id. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn get(&self, stack_id: &u32, flags: u64) -> Result<StackTrace, MapError> {
        let map = self.inner.borrow();
        let mut buffer = vec![0; map.shape().value_size as usize];
        map.lookup(pod::bytes_of(stack_id), &mut buffer, flags)?;
        let read = match frame_size(map) {
            ADDRESS => StackFrame::from_address,
            _ => StackFrame::from_file,
        };
        // What the stack does not fill is zero.
        let frames = buffer.chunks_exact(frame_size(map)).map_while(read);
        let frames = frames.collect();
        Ok(StackTrace {
            id: *stack_id,
            frames,
        })
    }

    /// Walks the stacks with their ids.
    pub fn iter(&self) -> MapIter<'_, u32, StackTrace, Self> {
        MapIter::new(self)
    }

    /// Walks the ids.
    pub fn stack_ids(&self) -> MapKeys<'_, u32> {
        MapKeys::new(self.inner.borrow())
    }

    /// Pins the map: it outlives the process under `path`, a name in a BPF file system.
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        self.inner.borrow().pin(path)
    }
}

impl<T: BorrowMut<MapData>> StackTraceMap<T> {
    /// Removes a stack, so that its id can be used for another one.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn remove(&mut self, stack_id: &u32) -> Result<(), MapError> {
        self.inner.borrow_mut().remove(stack_id)
    }
}

/// A call stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackTrace {
    /// What `bpf_get_stackid` returned for it.
    pub id: u32,
    frames: Vec<StackFrame>,
}

impl StackTrace {
    /// The frames, the innermost first.
    pub fn frames(&self) -> &[StackFrame] {
        &self.frames
    }
}

/// A place in a call stack: an address, or what is there in a map with the flag
/// `BPF_F_STACK_BUILD_ID`, where the kernel found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackFrame {
    /// The address of the instruction, 0 where there is a [`file`](Self::file). But for the innermost
    /// frame it is the one behind the call.
    pub ip: u64,
    /// The file that is executed, and where. Since kernel 4.17.
    pub file: Option<FilePlace>,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePlace {
    /// The file's build id (the note `.note.gnu.build-id`); a shorter one ends in zeros.
    pub build_id: [u8; 20],
    /// Where the instruction is in the file, in bytes.
    pub offset: u64,
}

/// As many frames the kernel records unless the sysctl `kernel.perf_event_max_stack` says more.
const MAX_DEPTH: usize = 127;

/// Bytes of a frame that is an address.
const ADDRESS: usize = size_of::<u64>();

fn frame_size(map: &MapData) -> usize {
    match map.shape().flags & BPF_F_STACK_BUILD_ID {
        0 => ADDRESS,
        _ => size_of::<bpf_stack_build_id>(),
    }
}

impl StackFrame {
    fn from_address(bytes: &[u8]) -> Option<Self> {
        let ip = pod::from_prefix(bytes).filter(|ip| *ip != 0)?;
        Some(Self { ip, file: None })
    }

    /// A `bpf_stack_build_id`.
    fn from_file(bytes: &[u8]) -> Option<Self> {
        let status = pod::from_prefix::<i32>(bytes)?;
        let build_id = pod::from_prefix(bytes.get(offset_of!(bpf_stack_build_id, build_id)..)?)?;
        let offset = pod::from_prefix(bytes.get(offset_of!(bpf_stack_build_id, offset)..)?)?;
        match u32::try_from(status) {
            Ok(BPF_STACK_BUILD_ID_VALID) => Some(Self {
                ip: 0,
                file: Some(FilePlace { build_id, offset }),
            }),
            // The file could not be found out: the address stands in the place of the offset.
            Ok(BPF_STACK_BUILD_ID_IP) => Some(Self {
                ip: offset,
                file: None,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_files() {
        let frame = |status: i32, fill: u8, offset: u64| {
            let bytes = [
                &status.to_ne_bytes()[..],
                &[fill; 20],
                &offset.to_ne_bytes(),
            ];
            StackFrame::from_file(&bytes.concat())
        };
        let place = FilePlace {
            build_id: [7; 20],
            offset: 0x1234,
        };
        let found = StackFrame {
            ip: 0,
            file: Some(place),
        };
        assert_eq!(frame(1, 7, 0x1234), Some(found));
        let address = StackFrame {
            ip: 0xffff,
            file: None,
        };
        assert_eq!(frame(2, 0, 0xffff), Some(address));
        assert_eq!((frame(0, 0, 0), frame(-1, 0, 0)), (None, None));
        assert_eq!(
            StackFrame::from_address(&0xffff_u64.to_ne_bytes()),
            Some(address)
        );
        assert_eq!(StackFrame::from_address(&[0; 8]), None);
    }
}
