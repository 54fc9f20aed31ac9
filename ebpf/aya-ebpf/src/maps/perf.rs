//! Perf event arrays: records to user space through one buffer per CPU.
//!
//! Where kernels since 5.8 suffice, a [`RingBuf`](crate::maps::RingBuf) keeps the order across CPUs and
//! needs less memory.

use core::{borrow::Borrow, ffi::c_void};

use crate::{
    EbpfContext, bindings::BPF_F_CURRENT_CPU, helpers::generated as raw, maps::def::map_type,
};

map_type! {
    /// A perf event array whose records are of one type. Since Linux 4.4.
    PerfEventArray<T>: u32 => u32, PERF_EVENT_ARRAY,
    /// An array with a buffer for each CPU; `flags` are creation flags.
    new(flags) = (0, flags)
}

map_type! {
    /// A perf event array whose records are strings of bytes. Since Linux 4.4.
    PerfEventByteArray: u32 => u32, PERF_EVENT_ARRAY,
    /// An array with a buffer for each CPU; `flags` are creation flags.
    new(flags) = (0, flags)
}

impl<T> PerfEventArray<T> {
    /// Sends `data`, given by reference or by value, through this CPU's buffer.
    ///
    /// The upper half of the kernel's flags is `flags`: the number of packet bytes that follow the
    /// record, 0 for none. A record that finds no room is lost, and counted for the reader.
    #[inline(always)]
    pub fn output<C: EbpfContext>(&self, ctx: &C, data: impl Borrow<T>, flags: u32) {
        self.output_at_index(ctx, CURRENT_CPU, data, flags);
    }

    /// Sends `data` through the buffer at `index`, which must belong to this CPU.
    #[inline(always)]
    pub fn output_at_index<C: EbpfContext>(
        &self,
        ctx: &C,
        index: u32,
        data: impl Borrow<T>,
        flags: u32,
    ) {
        output(self.as_ptr(), ctx, index, data.borrow(), flags);
    }
}

impl PerfEventByteArray {
    /// Sends `data` through this CPU's buffer. `flags` as for [`PerfEventArray::output`].
    #[inline(always)]
    pub fn output<C: EbpfContext>(&self, ctx: &C, data: &[u8], flags: u32) {
        self.output_at_index(ctx, CURRENT_CPU, data, flags);
    }

    /// Sends `data` through the buffer at `index`, which must belong to this CPU.
    #[inline(always)]
    pub fn output_at_index<C: EbpfContext>(&self, ctx: &C, index: u32, data: &[u8], flags: u32) {
        output(self.as_ptr(), ctx, index, data, flags);
    }
}

/// The index that means the running CPU's.
const CURRENT_CPU: u32 = BPF_F_CURRENT_CPU as u32;

#[inline(always)]
fn output<C: EbpfContext, T: ?Sized>(map: *mut c_void, ctx: &C, index: u32, data: &T, flags: u32) {
    let flags = u64::from(flags) << 32 | u64::from(index);
    let (data, size) = (core::ptr::from_ref(data), size_of_val(data) as u64);
    // The result says that a record was lost; the kernel counts those, and the reader is told.
    // SAFETY: the helper reads `size` bytes.
    let _ = unsafe {
        raw::bpf_perf_event_output(ctx.as_ptr(), map, flags, data.cast_mut().cast(), size)
    };
}
