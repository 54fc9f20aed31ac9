//! The context of XDP programs.

use crate::{bindings::xdp_md, programs::context::context};

context! {
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
    XdpContext {
        /// The kernel's structure.
        ctx: xdp_md
    } returns
        /// One of [`xdp_action`](crate::bindings::xdp_action).
        u32;
    /// Address of the packet's first byte.
    once data: usize = data;
    /// Address after the packet's last byte, or of its first fragment's in a program with `frags`.
    once data_end: usize = data_end;
    /// Address of the metadata in front of the packet, if there is any
    /// (`bpf_xdp_adjust_meta`, Linux 4.15).
    once metadata: usize = data_meta;
    /// Address after the metadata, which is [`data`](Self::data).
    once metadata_end: usize = data;
    /// Index of the interface that received the packet (Linux 4.16).
    get ingress_ifindex: usize = ingress_ifindex;
    /// Index of the receive queue, within the interface (Linux 4.16).
    get rx_queue_index: u32 = rx_queue_index;
    /// Index of the interface that the packet goes out of, in programs that run from a devmap
    /// (Linux 5.8).
    get egress_ifindex: u32 = egress_ifindex;
}
