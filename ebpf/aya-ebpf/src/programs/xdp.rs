//! The context of XDP programs.

use core::ffi::c_void;

use crate::{
    EbpfContext,
    bindings::xdp_md,
    programs::{ProgramContext, ProgramReturn},
};

/// A packet as the network driver sees it, before the kernel makes a socket buffer of it.
///
/// Bounds must be checked against [`data_end`](Self::data_end) before the packet is read; the
/// verifier follows the comparison:
///
/// ```
/// use aya_ebpf::programs::XdpContext;
///
/// /// The packet's bytes from `offset`, if there are as many as `T` has.
/// #[inline(always)]
/// fn ptr_at<T>(ctx: &XdpContext, offset: usize) -> Option<*const T> {
///     let start = ctx.data() + offset;
///     (start + size_of::<T>() <= ctx.data_end()).then_some(start as *const T)
/// }
/// ```
///
/// Since Linux 4.8.
pub struct XdpContext {
    /// The kernel's structure.
    pub ctx: *mut xdp_md,
}

impl XdpContext {
    /// A context from the program's argument.
    #[inline(always)]
    pub const fn new(ctx: *mut xdp_md) -> Self {
        Self { ctx }
    }

    /// Address of the packet's first byte.
    #[inline(always)]
    pub fn data(&self) -> usize {
        // SAFETY: the kernel's context lives as long as the program runs.
        unsafe { (*self.ctx).data as usize }
    }

    /// Address after the packet's last byte, or of its first fragment's in a program with `frags`.
    #[inline(always)]
    pub fn data_end(&self) -> usize {
        // SAFETY: as in `data`.
        unsafe { (*self.ctx).data_end as usize }
    }

    /// Address of the metadata in front of the packet, if there is any
    /// (`bpf_xdp_adjust_meta`, Linux 4.15).
    #[inline(always)]
    pub fn metadata(&self) -> usize {
        // SAFETY: as in `data`.
        unsafe { (*self.ctx).data_meta as usize }
    }

    /// Address after the metadata, which is [`data`](Self::data).
    #[inline(always)]
    pub fn metadata_end(&self) -> usize {
        self.data()
    }

    /// Index of the interface that received the packet (Linux 4.16).
    #[inline(always)]
    pub fn ingress_ifindex(&self) -> usize {
        // SAFETY: as in `data`.
        unsafe { (*self.ctx).ingress_ifindex as usize }
    }

    /// Index of the receive queue, within the interface (Linux 4.16).
    #[inline(always)]
    pub fn rx_queue_index(&self) -> u32 {
        // SAFETY: as in `data`.
        unsafe { (*self.ctx).rx_queue_index }
    }

    /// Index of the interface that the packet goes out of, in programs that run from a devmap
    /// (Linux 5.8).
    #[inline(always)]
    pub fn egress_ifindex(&self) -> u32 {
        // SAFETY: as in `data`.
        unsafe { (*self.ctx).egress_ifindex }
    }
}

impl EbpfContext for XdpContext {
    #[inline(always)]
    fn as_ptr(&self) -> *mut c_void {
        self.ctx.cast()
    }
}

// SAFETY: XDP programs are given a `struct xdp_md`.
unsafe impl ProgramContext for XdpContext {
    #[inline(always)]
    unsafe fn from_raw(ctx: *mut c_void) -> Self {
        Self::new(ctx.cast())
    }
}

/// One of [`xdp_action`](crate::bindings::xdp_action).
impl ProgramReturn<XdpContext> for u32 {}
