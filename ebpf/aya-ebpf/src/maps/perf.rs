//! Perf event arrays: records to user space through one buffer per CPU.
//!
//! Where kernels since 5.8 suffice, a [`RingBuf`](crate::maps::RingBuf) keeps the order across CPUs and
//! needs less memory.

use core::{borrow::Borrow, ffi::c_void};

use crate::{
    EbpfContext,
    bindings::BPF_F_CURRENT_CPU,
    helpers::generated as raw,
    maps::{def::map_type, ops::check},
};

map_type! {
    /// A perf event array whose records are of one type. The map type is there since Linux 4.3, and programs
    /// can send through it since 4.4.
    PerfEventArray<T>: u32 => u32, PERF_EVENT_ARRAY,
    /// An array with a buffer for each CPU; `flags` are creation flags.
    new(flags) = (0, flags)
}

map_type! {
    /// A perf event array whose records are strings of bytes. The map type is there since Linux 4.3, and
    /// programs can send through it since 4.4.
    PerfEventByteArray: u32 => u32, PERF_EVENT_ARRAY,
    /// An array with a buffer for each CPU; `flags` are creation flags.
    new(flags) = (0, flags)
}

impl<T> PerfEventArray<T> {
    /// Sends `data`, given by reference or by value, through this CPU's buffer.
    ///
    /// The upper half of the kernel's flags is `flags`: how many bytes of the packet follow the record, 0
    /// for none. Programs on sockets, `classifier` and `xdp` have a packet; of one that is shorter
    /// nothing is sent. The reader gets both as one piece, with padding behind it: where the number of
    /// bytes varies, let `T` hold it.
    ///
    /// ```
    /// use aya_ebpf::{macros::map, maps::PerfEventArray, programs::XdpContext};
    ///
    /// #[repr(C)]
    /// struct Header {
    ///     len: u32,
    /// }
    ///
    /// #[map]
    /// static PACKETS: PerfEventArray<Header> = PerfEventArray::new(0);
    ///
    /// fn send_packet(ctx: &XdpContext) {
    ///     let len = (ctx.data_end() - ctx.data()) as u32;
    ///     PACKETS.output(ctx, Header { len }, len);
    /// }
    /// ```
    ///
    /// A record that finds no room is lost, and counted for the reader. [`try_output`](Self::try_output)
    /// tells of that, and of what else can go wrong.
    #[inline(always)]
    pub fn output<C: EbpfContext>(&self, ctx: &C, data: impl Borrow<T>, flags: u32) {
        let _ = self.try_output(ctx, data, flags);
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
        let _ = output(self.as_ptr(), ctx, index, data.borrow(), flags);
    }

    /// Sends `data` as [`output`](Self::output) does.
    ///
    /// # Errors
    ///
    /// The kernel's number: `-ENOSPC` where the record finds no room, `-ENOENT` where user space has not
    /// opened this CPU's buffer, `-EFAULT` where the packet has fewer bytes than are asked for.
    #[inline(always)]
    pub fn try_output<C: EbpfContext>(
        &self,
        ctx: &C,
        data: impl Borrow<T>,
        flags: u32,
    ) -> Result<(), i32> {
        output(self.as_ptr(), ctx, CURRENT_CPU, data.borrow(), flags)
    }
}

impl PerfEventByteArray {
    /// Sends `data` through this CPU's buffer. `flags` as for [`PerfEventArray::output`].
    #[inline(always)]
    pub fn output<C: EbpfContext>(&self, ctx: &C, data: &[u8], flags: u32) {
        let _ = self.try_output(ctx, data, flags);
    }

    /// Sends `data` through the buffer at `index`, which must belong to this CPU.
    #[inline(always)]
    pub fn output_at_index<C: EbpfContext>(&self, ctx: &C, index: u32, data: &[u8], flags: u32) {
        let _ = output(self.as_ptr(), ctx, index, data, flags);
    }

    /// Sends `data` as [`output`](Self::output) does.
    ///
    /// # Errors
    ///
    /// As those of [`PerfEventArray::try_output`].
    #[inline(always)]
    pub fn try_output<C: EbpfContext>(&self, ctx: &C, data: &[u8], flags: u32) -> Result<(), i32> {
        output(self.as_ptr(), ctx, CURRENT_CPU, data, flags)
    }
}

/// The index that means the running CPU's.
pub(crate) const CURRENT_CPU: u32 = BPF_F_CURRENT_CPU as u32;

#[inline(always)]
pub(crate) fn output<C: EbpfContext, T: ?Sized>(
    map: *mut c_void,
    ctx: &C,
    index: u32,
    data: &T,
    flags: u32,
) -> Result<(), i32> {
    let flags = u64::from(flags) << 32 | u64::from(index);
    let (data, size) = (core::ptr::from_ref(data), size_of_val(data) as u64);
    // SAFETY: the helper reads `size` bytes.
    check(unsafe {
        raw::bpf_perf_event_output(ctx.as_ptr(), map, flags, data.cast_mut().cast(), size)
    })
}
