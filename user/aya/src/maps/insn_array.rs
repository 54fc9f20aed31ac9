//! [`InsnArray`]: positions of instructions, followed through what the kernel makes of a program.

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    path::Path,
};

use super::{
    IterableMap, Map, MapData, MapError, MapIter,
    handle::{create, handle, iterable},
};
use crate::pin::PinError;

/// An element as the kernel has it (`struct bpf_insn_array_value`), the last word unused.
type Value = [u32; 4];

handle! {
    /// Positions of instructions in a program, of type `BPF_MAP_TYPE_INSN_ARRAY` (since kernel 6.19).
    ///
    /// The verifier moves, adds and removes instructions, and the compiler makes others of them. Where
    /// those are then that stood at some place of the program as it was loaded, this map tells: its
    /// positions are set, it is frozen, and [bound](crate::programs::TypedProgram::bind_map) to a program
    /// before that is loaded.
    ///
    /// ```no_run
    /// # fn example(program: &mut aya::programs::Xdp) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::InsnArray;
    ///
    /// let mut positions = InsnArray::create(1, 0)?;
    /// positions.set(0, 12)?;
    /// positions.data().freeze()?;
    /// program.bind_map(positions.data().fd())?;
    /// program.load()?;
    /// println!("{:?}", positions.get(&0, 0)?);
    /// # Ok(())
    /// # }
    /// ```
    InsnArray[], key: u32, value: Value, from InsnArray
}
create!(InsnArray<>, key: u32, value: Value, InsnArray);
iterable!(InsnArray<>, key: u32, value: InsnPosition);

/// Where an instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsnPosition {
    /// Its number in the program as it was given to the kernel.
    pub original: u32,
    /// Its number after the verifier; `None` when it has removed it.
    pub translated: Option<u32>,
    /// Where its machine code begins, in bytes from the begin of the program's; 0 where the kernel does
    /// not compile programs.
    pub compiled: u32,
}

impl<T: Borrow<MapData>> InsnArray<T> {
    /// The number of positions, which is the map's `max_entries`.
    #[allow(
        clippy::len_without_is_empty,
        reason = "the kernel allows no empty array"
    )]
    pub fn len(&self) -> u32 {
        self.inner.borrow().max_entries()
    }

    /// The position at `index`, true once the program is loaded. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses.
    pub fn get(&self, index: &u32, flags: u64) -> Result<InsnPosition, MapError> {
        let map = self.inner.borrow();
        map.check_bounds(*index)?;
        let [original, translated, compiled, _] = map.get::<_, Value>(index, flags)?;
        Ok(InsnPosition {
            original,
            translated: (translated != u32::MAX).then_some(translated),
            compiled,
        })
    }

    /// Walks the positions in order.
    pub fn iter(&self) -> MapIter<'_, u32, InsnPosition, Self> {
        MapIter::new(self)
    }
}

impl<T: BorrowMut<MapData>> InsnArray<T> {
    /// Follows the instruction with this number, in slots of 8 bytes from the program's begin; the second
    /// half of a 64-bit load has none.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], [`MapError::AccessDenied`] when the map is frozen, or
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn set(&mut self, index: u32, instruction: u32) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(index)?;
        map.set::<_, Value>(&index, &[instruction, 0, 0, 0], 0)
    }
}
