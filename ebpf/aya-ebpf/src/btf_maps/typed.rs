//! What the types say beyond what their namesakes in [`maps`](crate::maps) do.

use super::{
    Array, ArrayOfMaps, HashOfMaps, MapDef, PerCpuArray, PerfEventArray, ProgramArray, RingBuf,
};
use crate::{
    EbpfContext,
    maps::{
        SafeInnerLookup,
        perf::{CURRENT_CPU, output},
        program_array::Program,
        ring_buf::RingBufEntry,
    },
};

// SAFETY: those of the map that it is.
unsafe impl<T, const MAX_ENTRIES: usize, const FLAGS: usize> SafeInnerLookup
    for Array<T, MAX_ENTRIES, FLAGS>
{
}

// SAFETY: those of the map that it is.
unsafe impl<T, const MAX_ENTRIES: usize, const FLAGS: usize> SafeInnerLookup
    for PerCpuArray<T, MAX_ENTRIES, FLAGS>
{
}

impl<const MAX_ENTRIES: usize, const FLAGS: usize> ProgramArray<MAX_ENTRIES, FLAGS> {
    /// Holds these programs from the start:
    /// see [`ProgramArray::programs`](crate::maps::ProgramArray::programs).
    pub const fn programs(mut self, programs: &'static [Option<Program>]) -> Self {
        self.map.definition().content().values = programs;
        self
    }
}

impl<V: MapDef, const MAX_ENTRIES: usize, const FLAGS: usize> ArrayOfMaps<V, MAX_ENTRIES, FLAGS> {
    /// Holds these maps from the start, from index 0 on.
    pub const fn values(mut self, maps: &'static [&'static V]) -> Self {
        self.map.definition().content().values = maps;
        self
    }
}

impl<V: MapDef, const MAX_ENTRIES: usize, const FLAGS: usize>
    HashOfMaps<u32, V, MAX_ENTRIES, FLAGS>
{
    /// Holds these maps from the start, behind the keys 0, 1, 2 and so on.
    pub const fn values(mut self, maps: &'static [&'static V]) -> Self {
        self.map.definition().content().values = maps;
        self
    }
}

impl<const FLAGS: usize> PerfEventArray<FLAGS> {
    /// Sends `data` through this CPU's buffer: see
    /// [`PerfEventArray::output`](crate::maps::PerfEventArray::output).
    #[inline(always)]
    pub fn output<T, C: EbpfContext>(&self, ctx: &C, data: &T, flags: u32) {
        let _ = output(self.as_ptr(), ctx, CURRENT_CPU, data, flags);
    }

    /// Sends `data` through the buffer at `index`, which must belong to this CPU.
    #[inline(always)]
    pub fn output_at_index<T, C: EbpfContext>(&self, ctx: &C, index: u32, data: &T, flags: u32) {
        let _ = output(self.as_ptr(), ctx, index, data, flags);
    }

    /// Sends `data` as [`output`](Self::output) does.
    ///
    /// # Errors
    ///
    /// As those of [`PerfEventArray::try_output`](crate::maps::PerfEventArray::try_output).
    #[inline(always)]
    pub fn try_output<T, C: EbpfContext>(&self, ctx: &C, data: &T, flags: u32) -> Result<(), i32> {
        output(self.as_ptr(), ctx, CURRENT_CPU, data, flags)
    }
}

/// The buffer's own type of records, and any other as `…_untyped`.
impl<T, const MAX_ENTRIES: usize, const FLAGS: usize> RingBuf<T, MAX_ENTRIES, FLAGS> {
    /// Copies `data` into the buffer as one record: see
    /// [`RingBuf::output`](crate::maps::RingBuf::output).
    ///
    /// # Errors
    ///
    /// `-EAGAIN` when the buffer is full.
    #[inline(always)]
    pub fn output(&self, data: &T, flags: u64) -> Result<(), i32> {
        self.map.output(data, flags)
    }

    /// As [`output`](Self::output), of a record of another type.
    ///
    /// # Errors
    ///
    /// `-EAGAIN` when the buffer is full.
    #[inline(always)]
    pub fn output_untyped<U: ?Sized>(&self, data: &U, flags: u64) -> Result<(), i32> {
        self.map.output(data, flags)
    }

    /// Room for a record: see [`RingBuf::reserve`](crate::maps::RingBuf::reserve).
    #[inline(always)]
    pub fn reserve(&self, flags: u64) -> Option<RingBufEntry<T>>
    where
        T: 'static,
    {
        self.map.reserve(flags)
    }

    /// Room for a record of another type.
    #[inline(always)]
    pub fn reserve_untyped<U: 'static>(&self, flags: u64) -> Option<RingBufEntry<U>> {
        self.map.reserve(flags)
    }
}
