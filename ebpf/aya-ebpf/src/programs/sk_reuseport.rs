//! The context of programs that choose among sockets that share a port.

use crate::{
    EbpfContext as _,
    bindings::sk_reuseport_md,
    cty::c_long,
    programs::{SockContext, context::context, sk_buff},
};

context! {
    /// A packet that begins a flow, from its transport header (UDP, TCP) on; or, in a program with
    /// `migrate`, a connection whose listener is closed.
    ///
    /// Bounds must be checked against [`data_end`](Self::data_end) before the data is read; it cannot be
    /// written. [`load`](Self::load) reads what is not directly there too.
    ///
    /// ```
    /// use aya_ebpf::{
    ///     bindings::sk_action, macros::{map, sk_reuseport}, maps::ReusePortSockArray,
    ///     programs::SkReuseportContext,
    /// };
    ///
    /// #[map]
    /// static WORKERS: ReusePortSockArray = ReusePortSockArray::with_max_entries(4, 0);
    ///
    /// /// All flows of a hash go to the same worker.
    /// #[sk_reuseport]
    /// fn select(ctx: SkReuseportContext) -> u32 {
    ///     match WORKERS.select_reuseport(&ctx, ctx.hash() % 4) {
    ///         Ok(()) => sk_action::SK_PASS,
    ///         Err(_) => sk_action::SK_DROP,
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.19.
    SkReuseportContext {
        /// The kernel's structure.
        md: sk_reuseport_md
    } returns
        /// `SK_PASS` or `SK_DROP` ([`sk_action`](crate::bindings::sk_action)).
        u32,
        /// As `u32`.
        i32;
    /// Address of the first byte that can be read: the transport header's.
    get data: usize = data;
    /// Address after the last byte that can be read.
    get data_end: usize = data_end;
    /// Bytes in all, from the transport header on.
    get len: usize = len;
    /// The packet's protocol (`ETH_P_IP`, `ETH_P_IPV6`), in network byte order: `u16::from_be` of its
    /// lower half makes it a number.
    get eth_protocol: u32 = eth_protocol;
    /// The transport protocol, such as `IPPROTO_UDP` (17).
    get ip_protocol: u32 = ip_protocol;
    /// Whether the sockets are bound to no address of their own: 1 or 0.
    get bind_inany: u32 = bind_inany;
    /// A hash of the packet's addresses and ports.
    get hash: u32 = hash;
}

impl SkReuseportContext {
    /// Whether there is no packet, as when a connection's listener is closed.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of the sockets that share the port (Linux 5.14).
    #[inline(always)]
    pub fn sk(&self) -> SockContext {
        // SAFETY: the kernel's context lives as long as the program runs.
        SockContext::new(unsafe { (&raw const (*self.md).sk).read_volatile() })
    }

    /// The connection whose listener is closed; `None` for a new flow (Linux 5.14, with `migrate`).
    #[inline(always)]
    pub fn migrating_sk(&self) -> Option<SockContext> {
        // SAFETY: the kernel's context lives as long as the program runs.
        let sk = unsafe { (&raw const (*self.md).migrating_sk).read_volatile() };
        if sk.is_null() {
            None
        } else {
            Some(SockContext::new(sk))
        }
    }

    /// Copies a value out of the packet, `offset` bytes behind the begin of its transport header.
    ///
    /// `T` must be plain data: any bytes must be a valid value.
    ///
    /// # Errors
    ///
    /// A negative error number when the packet ends before `offset + size_of::<T>()`.
    #[inline(always)]
    pub fn load<T>(&self, offset: usize) -> Result<T, c_long> {
        sk_buff::load(self.as_ptr(), offset)
    }
}
