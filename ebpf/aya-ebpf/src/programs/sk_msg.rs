//! The context of programs on data that is sent.

use crate::{
    bindings::{bpf_sock, sk_msg_md},
    helpers::generated as raw,
    programs::context::context,
};

context! {
    /// Data that is sent on a socket of a socket map.
    ///
    /// Bounds must be checked against [`data_end`](Self::data_end) before the data is read. After
    /// data was pulled, pushed or popped, addresses taken before are no longer valid.
    ///
    /// ```
    /// use aya_ebpf::{bindings::sk_action, macros::{map, sk_msg}, maps::SockHash, programs::SkMsgContext};
    ///
    /// #[map]
    /// static SOCKETS: SockHash<u32> = SockHash::with_max_entries(16, 0);
    ///
    /// /// Hands data to the socket that is registered for the local port.
    /// #[sk_msg]
    /// fn redirect(ctx: SkMsgContext) -> u32 {
    ///     let mut port = ctx.local_port();
    ///     SOCKETS.redirect_msg(&ctx, &mut port, 0) as u32
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.17.
    SkMsgContext {
        /// The kernel's structure.
        msg: sk_msg_md
    } returns
        /// `SK_PASS` or `SK_DROP` ([`sk_action`](crate::bindings::sk_action)).
        u32,
        /// As `u32`.
        i32;
    /// Address of the first byte that can be read.
    get data: usize = data;
    /// Address after the last byte that can be read.
    get data_end: usize = data_end;
    /// Address family: `AF_INET` (2) or `AF_INET6` (10) (Linux 4.18).
    get family: u32 = family;
    /// Remote IPv4 address, in network byte order (Linux 4.18).
    get remote_ip4: u32 = remote_ip4;
    /// Local IPv4 address, in network byte order (Linux 4.18).
    get local_ip4: u32 = local_ip4;
    /// Remote port, in network byte order: `u32::from_be` makes it a number (Linux 4.18).
    get remote_port: u32 = remote_port;
    /// Local port, as a number (Linux 4.18).
    get local_port: u32 = local_port;
    /// Bytes in all (Linux 5.0).
    get size: u32 = size;
    /// The socket (Linux 5.8).
    get sk: *mut bpf_sock = sk;
    /// Remote IPv6 address, in network byte order (Linux 4.18).
    words remote_ip6: [u32; 4] = remote_ip6;
    /// Local IPv6 address, in network byte order (Linux 4.18).
    words local_ip6: [u32; 4] = local_ip6;
}

/// Generates the calls of helpers that take numbers.
macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) = $helper:ident;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(&self, $($arg: $ty),*) -> Result<(), i32> {
            // SAFETY: the context is the kernel's.
            crate::maps::check(unsafe { raw::$helper(self.msg, $($arg),*) })
        }
    )*};
}

impl SkMsgContext {
    calls! {
        /// Makes room for `len` bytes at `start`, which hold what was there before
        /// (`bpf_msg_push_data`, Linux 4.20). `flags` is 0.
        ///
        /// # Errors
        ///
        /// `-EINVAL` when `start` is beyond the data, `-ENOMEM`.
        push_data(start: u32, len: u32, flags: u64) = bpf_msg_push_data;
        /// Takes `len` bytes out at `start` (`bpf_msg_pop_data`, Linux 5.0). `flags` is 0.
        ///
        /// # Errors
        ///
        /// `-EINVAL` when they are beyond the data, `-ENOMEM`.
        pop_data(start: u32, len: u32, flags: u64) = bpf_msg_pop_data;
        /// Makes the bytes from `start` up to `end` directly readable and writable: `data` begins
        /// there afterwards (`bpf_msg_pull_data`). `flags` is 0.
        ///
        /// # Errors
        ///
        /// `-EINVAL` when they are beyond the data, `-ENOMEM`.
        pull_data(start: u32, end: u32, flags: u64) = bpf_msg_pull_data;
        /// Makes the verdict hold for the next `bytes` bytes of the stream, the program not being
        /// called for them again (`bpf_msg_apply_bytes`).
        ///
        /// # Errors
        ///
        /// None by the kernel's documentation.
        apply_bytes(bytes: u32) = bpf_msg_apply_bytes;
        /// Keeps the data back until `bytes` bytes are there, when the program is called again
        /// (`bpf_msg_cork_bytes`).
        ///
        /// # Errors
        ///
        /// None by the kernel's documentation.
        cork_bytes(bytes: u32) = bpf_msg_cork_bytes;
    }
}
