//! [`StackTraceMap`]: call stacks that programs recorded.

use std::borrow::{Borrow, BorrowMut};
use std::path::Path;

use aya_uapi::bindings::BPF_F_STACK_BUILD_ID;

use super::{
    IterableMap, Map, MapData, MapError, MapIter, MapKeys,
    handle::{from_map, iterable},
    pod,
};
use crate::pin::PinError;

/// Call stacks by the id that `bpf_get_stackid` gave, of type `BPF_MAP_TYPE_STACK_TRACE` (since
/// kernel 4.6).
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
iterable!(StackTraceMap<>, key: u32, value: StackTrace);

impl<T: Borrow<MapData>> StackTraceMap<T> {
    pub(crate) fn new(map: T) -> Result<Self, MapError> {
        const FRAME: usize = size_of::<u64>();
        let data = map.borrow();
        let shape = data.shape();
        if shape.flags & BPF_F_STACK_BUILD_ID != 0 {
            return Err(MapError::UnsupportedMapFlags {
                name: data.name().to_owned(),
                flags: shape.flags,
                reason: "stacks of build ids and offsets cannot be read yet, create the map \
                         without BPF_F_STACK_BUILD_ID",
            });
        }
        let size = shape.value_size as usize;
        data.check_sizes(size_of::<u32>(), size)?;
        if !size.is_multiple_of(FRAME) {
            return Err(MapError::InvalidValueStride {
                name: data.name().to_owned(),
                size,
                stride: FRAME,
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
        let frames = buffer
            .chunks_exact(size_of::<u64>())
            .filter_map(pod::from_prefix)
            // What the stack does not fill is zero.
            .take_while(|ip| *ip != 0)
            .map(|ip| StackFrame { ip })
            .collect();
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

/// A place in a call stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackFrame {
    /// The address of the instruction.
    pub ip: u64,
}
