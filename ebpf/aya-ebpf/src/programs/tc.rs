//! The context of traffic control programs.

use crate::{
    bindings::{TC_ACT_PIPE, TC_ACT_UNSPEC},
    cty::c_long,
    helpers::generated,
    maps::cgroup_array::{CgroupArray, is_under},
    programs::{ContextOf, ProgramReturn, SkBuffContext, sk_buff::socket_buffer_context},
};

socket_buffer_context! {
    /// A packet on its way in or out of an interface, past the driver.
    ///
    /// What it offers is the socket buffer's, [`SkBuff`](crate::programs::sk_buff::SkBuff): its bytes
    /// can be copied ([`load`](crate::programs::sk_buff::SkBuff::load)), or read and written in place
    /// between [`data`](crate::programs::sk_buff::SkBuff::data) and
    /// [`data_end`](crate::programs::sk_buff::SkBuff::data_end).
    ///
    /// ```
    /// use aya_ebpf::{
    ///     bindings::{TC_ACT_PIPE, TC_ACT_SHOT},
    ///     macros::classifier,
    ///     programs::TcContext,
    /// };
    ///
    /// /// Drops packets with more than a kilobyte.
    /// #[classifier]
    /// fn small(ctx: TcContext) -> i32 {
    ///     if ctx.len() > 1024 { TC_ACT_SHOT } else { TC_ACT_PIPE }
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.1.
    TcContext returns
}

/// One of the `TC_ACT_*` values.
impl ProgramReturn<TcContext> for i32 {
    /// `TC_ACT_PIPE` means that the next program is asked. A classifier's filter takes it for
    /// `TC_ACT_UNSPEC`; since Linux 6.6 links know that value alone, and end at others.
    #[inline(always)]
    fn for_kernel(self) -> Self {
        if self == TC_ACT_PIPE {
            TC_ACT_UNSPEC
        } else {
            self
        }
    }
}

// SAFETY: both are a `struct __sk_buff`.
unsafe impl ContextOf<TcContext> for SkBuffContext {}

/// Generates a method per helper that sends the packet elsewhere when the program has ended.
macro_rules! redirects {
    ($($(#[$doc:meta])* $name:ident = $helper:ident($($argument:expr),*);)*) => {$(
        $(#[$doc])*
        ///
        /// The value to return: `TC_ACT_REDIRECT`, or `TC_ACT_SHOT` when the helper refuses. Interfaces
        /// that do not exist show only then, and the packet is dropped.
        #[inline(always)]
        pub fn $name(&self, if_index: u32, flags: u64) -> i32 {
            // SAFETY: numbers, and no parameters.
            unsafe { generated::$helper(if_index, $($argument,)* flags) as i32 }
        }
    )*};
}

/// A map of cgroups.
pub trait CgroupArrayMap: sealed::CgroupArrayMap {}

impl<M: sealed::CgroupArrayMap> CgroupArrayMap for M {}

mod sealed {
    pub trait CgroupArrayMap {
        fn as_ptr(&self) -> *mut core::ffi::c_void;
    }

    impl CgroupArrayMap for super::CgroupArray {
        #[inline(always)]
        fn as_ptr(&self) -> *mut core::ffi::c_void {
            self.as_ptr()
        }
    }

    impl<M: core::ops::Deref<Target = super::CgroupArray>> CgroupArrayMap for M {
        #[inline(always)]
        fn as_ptr(&self) -> *mut core::ffi::c_void {
            (**self).as_ptr()
        }
    }
}

impl TcContext {
    /// Whether the packet's socket is in the cgroup at `index` of `map` or below it
    /// (`bpf_skb_under_cgroup`, Linux 4.8).
    ///
    /// # Errors
    ///
    /// `-ENOENT` when the packet has no socket, `-EAGAIN` when the map has no cgroup there, `-E2BIG`
    /// for an index beyond it.
    #[inline(always)]
    pub fn skb_under_cgroup<M: CgroupArrayMap>(&self, map: &M, index: u32) -> Result<bool, c_long> {
        // SAFETY: the kernel's context, and a map of cgroups.
        is_under(unsafe {
            generated::bpf_skb_under_cgroup(
                self.skb.skb,
                sealed::CgroupArrayMap::as_ptr(map),
                index,
            )
        })
    }

    redirects! {
        /// Sends the packet out of the interface with this index, or with `BPF_F_INGRESS` into it
        /// (`bpf_redirect`, Linux 4.4).
        redirect = bpf_redirect();
        /// Sends the packet out of the interface with this index, to the neighbour that the routing
        /// tables say (`bpf_redirect_neigh`, Linux 5.10).
        redirect_neigh = bpf_redirect_neigh(core::ptr::null_mut(), 0);
        /// Hands the packet to the other end of the pair that the interface belongs to, in its
        /// network namespace; on ingress alone (`bpf_redirect_peer`, Linux 5.10).
        redirect_peer = bpf_redirect_peer();
    }
}
