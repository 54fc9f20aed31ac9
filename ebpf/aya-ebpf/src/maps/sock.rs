//! Maps of sockets: whose data programs see and hand from one to another, or that share a port.

use crate::{
    EbpfContext as _,
    bindings::bpf_sock_ops,
    cty::c_long,
    helpers::generated as raw,
    maps::{check, def::map_type},
    programs::{SkBuffContext, SkMsgContext, SkReuseportContext},
};

map_type! {
    /// Sockets by slot. Since Linux 4.14.
    SockMap: u32 => u32, SOCKMAP,
    /// Room for `max_entries` sockets; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl SockMap {
    /// Puts the socket of a TCP event into slot `index`. `flags` are `BPF_ANY`, `BPF_NOEXIST`,
    /// `BPF_EXIST`.
    ///
    /// # Errors
    ///
    /// `-E2BIG` for an index beyond the map, `-EOPNOTSUPP` when the socket is not connected yet,
    /// `-EEXIST` or `-ENOENT` by `flags`.
    ///
    /// # Safety
    ///
    /// `sk_ops` must be that of the program's [`SockOpsContext`](crate::programs::SockOpsContext).
    #[inline(always)]
    pub unsafe fn update(
        &self,
        index: u32,
        sk_ops: *mut bpf_sock_ops,
        flags: u64,
    ) -> Result<(), i32> {
        let mut index = index;
        // SAFETY: the map's keys are `u32`; the rest is the caller's promise.
        check(unsafe {
            raw::bpf_sock_map_update(sk_ops, self.as_ptr(), (&raw mut index).cast(), flags)
        })
    }

    /// Hands the message to the socket in slot `index`, once the program returns what this returns:
    /// to its output, or with `BPF_F_INGRESS` (1) in `flags` to those who read from it. Since Linux
    /// 4.17.
    ///
    /// Returns `SK_PASS`, or `SK_DROP` when there is no socket.
    #[inline(always)]
    pub fn redirect_msg(&self, ctx: &SkMsgContext, index: u32, flags: u64) -> c_long {
        // SAFETY: a map of sockets and the kernel's context.
        unsafe { raw::bpf_msg_redirect_map(ctx.msg, self.as_ptr(), index, flags) }
    }

    /// Hands the data to the socket in slot `index`, as [`redirect_msg`](Self::redirect_msg) does.
    #[inline(always)]
    pub fn redirect_skb(&self, ctx: &SkBuffContext, index: u32, flags: u64) -> c_long {
        // SAFETY: a map of sockets and the kernel's context.
        unsafe { raw::bpf_sk_redirect_map(ctx.as_ptr().cast(), self.as_ptr(), index, flags) }
    }
}

map_type! {
    /// Sockets by key. Since Linux 4.18.
    SockHash<K>: K => u32, SOCKHASH,
    /// Room for `max_entries` sockets; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl<K> SockHash<K> {
    /// Puts the socket of a TCP event behind `key`. `flags` are `BPF_ANY`, `BPF_NOEXIST`,
    /// `BPF_EXIST`.
    ///
    /// `sk_ops` is what the program's
    /// [`SockOpsContext::ops`](crate::programs::SockOpsContext::ops) points to.
    ///
    /// # Errors
    ///
    /// `-E2BIG` when the map is full, `-EOPNOTSUPP` when the socket is not connected yet, `-EEXIST`
    /// or `-ENOENT` by `flags`.
    #[inline(always)]
    pub fn update(&self, key: &mut K, sk_ops: &mut bpf_sock_ops, flags: u64) -> Result<(), i32> {
        // SAFETY: the map's keys are `K`.
        check(unsafe {
            raw::bpf_sock_hash_update(
                sk_ops,
                self.as_ptr(),
                core::ptr::from_mut(key).cast(),
                flags,
            )
        })
    }

    /// Hands the message to the socket behind `key`, once the program returns what this returns: to
    /// its output, or with `BPF_F_INGRESS` (1) in `flags` to those who read from it.
    ///
    /// Returns `SK_PASS`, or `SK_DROP` when there is no socket.
    #[inline(always)]
    pub fn redirect_msg(&self, ctx: &SkMsgContext, key: &mut K, flags: u64) -> c_long {
        let key = core::ptr::from_mut(key).cast();
        // SAFETY: the map's keys are `K`.
        unsafe { raw::bpf_msg_redirect_hash(ctx.msg, self.as_ptr(), key, flags) }
    }

    /// Hands the data to the socket behind `key`, as [`redirect_msg`](Self::redirect_msg) does.
    #[inline(always)]
    pub fn redirect_skb(&self, ctx: &SkBuffContext, key: &mut K, flags: u64) -> c_long {
        let key = core::ptr::from_mut(key).cast();
        // SAFETY: the map's keys are `K`.
        unsafe { raw::bpf_sk_redirect_hash(ctx.as_ptr().cast(), self.as_ptr(), key, flags) }
    }
}

map_type! {
    /// Sockets that share ports, by slot. A socket that is closed leaves its slot. Since Linux 4.19.
    ReusePortSockArray: u32 => u32, REUSEPORT_SOCKARRAY,
    /// Room for `max_entries` sockets, which user space puts in; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl ReusePortSockArray {
    /// User space puts sockets in as numbers of this size, and gets cookies where they have 8 bytes.
    pub(crate) const fn value_size(mut self, size: u32) -> Self {
        assert!(size == 4 || size == 8, "sockets' values are `u32` or `u64`");
        self.definition().set_value_size(size);
        self
    }
}

/// Generates how a program that chooses among sockets with one port chooses from a map.
macro_rules! selects {
    ($($(#[$doc:meta])* $map:ident $(<$param:ident>)?: $key:ty;)*) => {$(
        impl $(<$param>)? $map $(<$param>)? {
            /// Gives the flow to the socket at `key`, once the program returns `SK_PASS`
            /// (`bpf_sk_select_reuseport`).
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// `-ENOENT` when there is no socket, `-EBADFD` when it is none of those that share the
            /// packet's port, `-EPROTOTYPE` when it is of another kind (UDP, TCP; IPv4, IPv6).
            #[inline(always)]
            pub fn select_reuseport(&self, ctx: &SkReuseportContext, key: $key) -> Result<(), c_long> {
                let mut key = key;
                // SAFETY: the kernel's context, and the map's keys are of this type.
                match unsafe {
                    raw::bpf_sk_select_reuseport(ctx.md, self.as_ptr(), (&raw mut key).cast(), 0)
                } {
                    0 => Ok(()),
                    error => Err(error),
                }
            }
        }
    )*};
}

selects! {
    ReusePortSockArray: u32;
    /// Since Linux 5.7.
    SockMap: u32;
    /// Since Linux 5.7.
    SockHash<K>: K;
}
