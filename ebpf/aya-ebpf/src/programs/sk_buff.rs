//! The socket buffer, and the context of programs on sockets.

use core::{ffi::c_void, mem::MaybeUninit, ptr::NonNull};

use crate::{bindings::__sk_buff, cty::c_long, helpers::generated};

/// A packet as the network stack sees it.
///
/// Which members a program may read depends on its kind; the verifier says so.
pub struct SkBuff {
    /// The kernel's structure.
    pub skb: *mut __sk_buff,
}

/// Generates a reader per member of the structure.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $ty:ty = $member:ident,)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub const fn $name(&self) -> $ty {
            // SAFETY: the kernel's context lives as long as the program runs.
            unsafe { (*self.skb).$member as $ty }
        }
    )*};
}

#[expect(clippy::len_without_is_empty, reason = "a packet always has bytes")]
impl SkBuff {
    /// A socket buffer from a program's argument.
    #[inline(always)]
    pub const fn new(skb: NonNull<__sk_buff>) -> Self {
        Self { skb: skb.as_ptr() }
    }

    readers! {
        /// The packet's length in bytes, all fragments included.
        len: u32 = len,
        /// Address of the first byte that can be read directly (Linux 4.7).
        data: usize = data,
        /// Address after the last byte that can be read directly (Linux 4.7).
        data_end: usize = data_end,
        /// Ethernet protocol, in network byte order.
        protocol: u32 = protocol,
        /// The packet's mark.
        mark: u32 = mark,
        /// Index of the interface.
        ifindex: u32 = ifindex,
        /// Address family of the socket (Linux 4.14).
        family: u32 = family,
        /// Remote IPv4 address of the socket, in network byte order (Linux 4.14).
        remote_ipv4: u32 = remote_ip4,
        /// Local IPv4 address of the socket, in network byte order (Linux 4.14).
        local_ipv4: u32 = local_ip4,
        /// Remote port of the socket, in network byte order (Linux 4.14).
        remote_port: u32 = remote_port,
        /// Local port of the socket, in host byte order (Linux 4.14).
        local_port: u32 = local_port,
    }

    /// The kernel's structure, as helpers take it.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut c_void {
        self.skb.cast()
    }

    /// Sets the packet's mark.
    #[inline(always)]
    pub fn set_mark(&self, mark: u32) {
        // SAFETY: the kernel's context lives as long as the program runs.
        unsafe { (*self.skb).mark = mark }
    }

    /// Copies a value out of the packet, wherever its bytes are (`bpf_skb_load_bytes`, Linux 4.5).
    ///
    /// `T` must be plain data: any bytes must be a valid value.
    ///
    /// # Errors
    ///
    /// A negative error number when the packet ends before `offset + size_of::<T>()`.
    #[inline(always)]
    pub fn load<T>(&self, offset: usize) -> Result<T, c_long> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper writes `size_of::<T>()` bytes or fails.
        unsafe {
            match generated::bpf_skb_load_bytes(
                self.as_ptr().cast(),
                offset as u32,
                value.as_mut_ptr().cast(),
                size_of::<T>() as u32,
            ) {
                0 => Ok(value.assume_init()),
                error => Err(error),
            }
        }
    }

    /// Writes a value into the packet (`bpf_skb_store_bytes`, Linux 4.1).
    ///
    /// `flags` are `BPF_F_RECOMPUTE_CSUM` and `BPF_F_INVALIDATE_HASH`. Addresses taken from
    /// [`data`](Self::data) before are no longer valid.
    ///
    /// # Errors
    ///
    /// A negative error number when the packet ends before `offset + size_of::<T>()`.
    #[inline(always)]
    pub fn store<T>(&self, offset: usize, value: &T, flags: u64) -> Result<(), c_long> {
        // SAFETY: the helper reads `size_of::<T>()` bytes.
        let ret = unsafe {
            generated::bpf_skb_store_bytes(
                self.as_ptr().cast(),
                offset as u32,
                core::ptr::from_ref(value).cast(),
                size_of::<T>() as u32,
                flags,
            )
        };
        if ret == 0 { Ok(()) } else { Err(ret) }
    }

    /// Makes the first `len` bytes directly readable and writable, 0 for all that are linear
    /// (`bpf_skb_pull_data`, Linux 4.9).
    ///
    /// # Errors
    ///
    /// A negative error number when the packet is shorter or memory is short.
    #[inline(always)]
    pub fn pull_data(&self, len: u32) -> Result<(), c_long> {
        // SAFETY: the context is the kernel's.
        let ret = unsafe { generated::bpf_skb_pull_data(self.as_ptr().cast(), len) };
        if ret == 0 { Ok(()) } else { Err(ret) }
    }
}

/// Defines a context that is a socket buffer.
macro_rules! socket_buffer_context {
    ($(#[$doc:meta])* $name:ident returns $($(#[$ret_doc:meta])* $ret:ty),+) => {
        $(#[$doc])*
        pub struct $name {
            /// The socket buffer.
            pub skb: $crate::programs::sk_buff::SkBuff,
        }

        impl $name {
            /// A context from the program's argument.
            #[inline(always)]
            pub const fn new(skb: core::ptr::NonNull<$crate::bindings::__sk_buff>) -> Self {
                Self {
                    skb: $crate::programs::sk_buff::SkBuff::new(skb),
                }
            }
        }

        impl core::ops::Deref for $name {
            type Target = $crate::programs::sk_buff::SkBuff;

            #[inline(always)]
            fn deref(&self) -> &Self::Target {
                &self.skb
            }
        }

        impl $crate::EbpfContext for $name {
            #[inline(always)]
            fn as_ptr(&self) -> *mut core::ffi::c_void {
                self.skb.as_ptr()
            }
        }

        // SAFETY: the program table gives these programs a `struct __sk_buff`.
        unsafe impl $crate::programs::ProgramContext for $name {
            #[inline(always)]
            unsafe fn from_raw(ctx: *mut core::ffi::c_void) -> Self {
                // SAFETY: the caller passes the kernel's context, which is never null.
                Self::new(unsafe { core::ptr::NonNull::new_unchecked(ctx.cast()) })
            }
        }

        $(
            $(#[$ret_doc])*
            impl $crate::programs::ProgramReturn<$name> for $ret {}
        )+
    };
}
pub(crate) use socket_buffer_context;

socket_buffer_context! {
    /// A packet at a socket or a cgroup.
    ///
    /// What it offers is the socket buffer's, [`SkBuff`]. Since Linux 3.19.
    SkBuffContext returns
        /// Whether, or how much of, the packet passes.
        i32,
        /// As `i32`; older programs spell it so.
        u32,
        /// How much of the packet a socket keeps.
        i64
}
