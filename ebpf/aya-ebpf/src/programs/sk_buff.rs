//! The socket buffer, and the context of programs on sockets.

use core::{ffi::c_void, mem::MaybeUninit, ptr::NonNull};

use crate::{
    bindings::{__sk_buff, bpf_sock},
    cty::c_long,
    helpers::generated,
    programs::context::member,
};

/// Invalid argument.
const EINVAL: i32 = 22;

/// A packet as the network stack sees it.
///
/// Which members a program may read depends on its kind; the verifier says so.
pub struct SkBuff {
    /// The kernel's structure.
    pub skb: *mut __sk_buff,
}

/// Generates readers and writers of members of the structure.
macro_rules! members {
    ($($(#[$doc:meta])* $how:ident $access:ident: $ty:ty = $member:ident;)*) => {
        $(member! { $how $(#[$doc])* $access: $ty = skb.$member })*
    };
}

/// Generates a reader per member of the structure that is an array.
macro_rules! array_readers {
    ($($(#[$doc:meta])* $name:ident: $len:literal = $member:ident,)*) => {$(
        $(#[$doc])*
        ///
        /// The verifier takes constant indices alone.
        #[inline(always)]
        pub const fn $name(&self) -> &[u32; $len] {
            // SAFETY: the kernel's context lives as long as the program runs.
            unsafe { &(*self.skb).$member }
        }
    )*};
}

/// Generates a method per helper that takes the packet and returns 0 or an error.
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) = $helper:ident($($value:expr),*);)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// A negative error number, when the kernel refuses.
        #[inline(always)]
        pub fn $name(&self, $($arg: $ty),*) -> Result<(), c_long> {
            // SAFETY: the context is the kernel's, which checks the numbers.
            done(unsafe { generated::$helper(self.as_ptr().cast(), $($value),*) })
        }
    )*};
}

/// `Ok` for 0, the error otherwise.
#[inline(always)]
fn done(ret: c_long) -> Result<(), c_long> {
    if ret == 0 { Ok(()) } else { Err(ret) }
}

/// What all contexts with a packet offer: a value out of it.
#[inline(always)]
pub(crate) fn load<T>(ctx: *const c_void, offset: usize) -> Result<T, c_long> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes `size_of::<T>()` bytes or fails.
    unsafe {
        done(generated::bpf_skb_load_bytes(
            ctx,
            offset as u32,
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        ))
        .map(|()| value.assume_init())
    }
}

#[expect(clippy::len_without_is_empty, reason = "a packet always has bytes")]
impl SkBuff {
    /// A socket buffer from a program's argument.
    #[inline(always)]
    pub const fn new(skb: NonNull<__sk_buff>) -> Self {
        Self { skb: skb.as_ptr() }
    }

    members! {
        /// The packet's length in bytes, all fragments included.
        once len: u32 = len;
        /// Whom the packet is for: `PACKET_HOST` (0), `PACKET_BROADCAST`, …
        get pkt_type: u32 = pkt_type;
        /// The packet's mark.
        get mark: u32 = mark;
        /// The queue of the device.
        get queue_mapping: u32 = queue_mapping;
        /// Ethernet protocol, in network byte order.
        once protocol: u32 = protocol;
        /// Whether the packet has a VLAN tag that is not among its bytes.
        get vlan_present: u32 = vlan_present;
        /// The VLAN tag.
        get vlan_tci: u32 = vlan_tci;
        /// The VLAN protocol, in network byte order.
        get vlan_proto: u32 = vlan_proto;
        /// The packet's priority.
        get priority: u32 = priority;
        /// Index of the interface that the packet arrived at.
        get ingress_ifindex: u32 = ingress_ifindex;
        /// Index of the interface.
        get ifindex: u32 = ifindex;
        /// Number that queueing disciplines and filters hand on.
        get tc_index: u32 = tc_index;
        /// Hash of the flow, if somebody has computed it.
        get hash: u32 = hash;
        /// The class that the packet belongs to.
        get tc_classid: u32 = tc_classid;
        /// Address of the first byte that can be read directly (Linux 4.7).
        once data: usize = data;
        /// Address after the last byte that can be read directly (Linux 4.7).
        once data_end: usize = data_end;
        /// Address of the metadata in front of [`data`](Self::data), which an XDP program has left
        /// (Linux 4.15).
        once data_meta: usize = data_meta;
        /// The receive queue's polling context (Linux 4.12).
        get napi_id: u32 = napi_id;
        /// Address family of the socket (Linux 4.14).
        once family: u32 = family;
        /// Remote IPv4 address of the socket, in network byte order (Linux 4.14).
        once remote_ipv4: u32 = remote_ip4;
        /// Local IPv4 address of the socket, in network byte order (Linux 4.14).
        once local_ipv4: u32 = local_ip4;
        /// Remote port of the socket, in network byte order (Linux 4.14).
        once remote_port: u32 = remote_port;
        /// Local port of the socket, in host byte order (Linux 4.14).
        once local_port: u32 = local_port;
        /// Time stamp in nanoseconds, of the clock that [`tstamp_type`](Self::tstamp_type) says; on
        /// egress, when the packet may leave (Linux 5.0).
        get tstamp: u64 = tstamp;
        /// `BPF_SKB_TSTAMP_DELIVERY_MONO` and the like (Linux 5.18).
        get tstamp_type: u8 = tstamp_type;
        /// The packet's length on the wire, with the headers of all its segments (Linux 5.0).
        get wire_len: u32 = wire_len;
        /// How many segments the packet will become (Linux 5.1).
        get gso_segs: u32 = gso_segs;
        /// The socket that the packet belongs to; null where there is none (Linux 5.1).
        get sk: *mut bpf_sock = sk;
        /// The size of a segment; 0 for a packet that stays whole (Linux 5.7).
        get gso_size: u32 = gso_size;
        /// Time stamp of the device, in nanoseconds (Linux 5.16).
        get hwtstamp: u64 = hwtstamp;
    }

    array_readers! {
        /// Numbers for the programs along the packet's way to hand on.
        cb: 5 = cb,
        /// Remote IPv6 address of the socket, in network byte order (Linux 4.14).
        remote_ipv6: 4 = remote_ip6,
        /// Local IPv6 address of the socket, in network byte order (Linux 4.14).
        local_ipv6: 4 = local_ip6,
    }

    /// As [`cb`](Self::cb), to be changed.
    #[inline(always)]
    pub fn cb_mut(&mut self) -> &mut [u32; 5] {
        // SAFETY: the kernel's context lives as long as the program runs, which is not shared.
        unsafe { &mut (*self.skb).cb }
    }

    /// The kernel's structure, as helpers take it.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut c_void {
        self.skb.cast()
    }

    members! {
        /// Sets the packet's mark.
        set set_mark: u32 = mark;
        /// Sets the packet's priority.
        set set_priority: u32 = priority;
        /// Sets the device's queue (Linux 5.1).
        set set_queue_mapping: u32 = queue_mapping;
        /// Sets the number that queueing disciplines and filters hand on.
        set set_tc_index: u32 = tc_index;
        /// Sets the class that the packet belongs to.
        set set_tc_classid: u32 = tc_classid;
        /// Sets the time stamp, in nanoseconds (Linux 5.0).
        set set_tstamp: u64 = tstamp;
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
        load(self.as_ptr(), offset)
    }

    /// Copies the packet's bytes from `offset` on: as many as there are, and as `dst` has room for.
    /// Returns their number (`bpf_skb_load_bytes`, Linux 4.5).
    ///
    /// # Errors
    ///
    /// A negative error number when the packet has no byte there, or `dst` no room.
    #[inline(always)]
    pub fn load_bytes(&self, offset: usize, dst: &mut [u8]) -> Result<usize, c_long> {
        let there = i64::from(self.len()) - offset as i64;
        // The verifier wants to see that the helper gets no length of 0, and older ones learn it from
        // signed numbers that are compared before they are cut off.
        if there <= 0 || dst.is_empty() {
            return Err(-c_long::from(EINVAL));
        }
        let len = (there as usize).min(dst.len());
        // SAFETY: the helper writes `len` bytes, for which there is room, or fails.
        done(unsafe {
            generated::bpf_skb_load_bytes(
                self.as_ptr().cast(),
                offset as u32,
                dst.as_mut_ptr().cast(),
                len as u32,
            )
        })
        .map(|()| len)
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
        done(unsafe {
            generated::bpf_skb_store_bytes(
                self.as_ptr().cast(),
                offset as u32,
                core::ptr::from_ref(value).cast(),
                size_of::<T>() as u32,
                flags,
            )
        })
    }

    changes! {
        /// Makes the first `len` bytes directly readable and writable, 0 for all that are linear
        /// (`bpf_skb_pull_data`, Linux 4.9). Addresses taken from [`data`](Self::data) before are no
        /// longer valid.
        pull_data(len: u32) = bpf_skb_pull_data(len);
        /// Adjusts the checksum at `offset` in the IPv4 header for bytes that change from `from` to
        /// `to`, `size` of them, 2 or 4; with 0, `to` is a difference (`bpf_l3_csum_replace`,
        /// Linux 4.1).
        l3_csum_replace(offset: usize, from: u64, to: u64, size: u64)
            = bpf_l3_csum_replace(offset as u32, from, to, size);
        /// Adjusts the checksum at `offset` in the TCP, UDP or ICMP header for bytes that change from
        /// `from` to `to` (`bpf_l4_csum_replace`, Linux 4.1).
        ///
        /// `flags` hold their number, 2 or 4, or 0 where `to` is a difference, and
        /// `BPF_F_PSEUDO_HDR` for bytes of the addresses, `BPF_F_MARK_MANGLED_0` for UDP.
        l4_csum_replace(offset: usize, from: u64, to: u64, flags: u64)
            = bpf_l4_csum_replace(offset as u32, from, to, flags);
        /// Makes the packet `len_diff` bytes longer (or shorter) at its network header; `mode` and
        /// `flags` say where (`bpf_skb_adjust_room`, Linux 4.13).
        adjust_room(len_diff: i32, mode: u32, flags: u64)
            = bpf_skb_adjust_room(len_diff, mode, flags);
        /// Sends a copy of the packet out of the interface with this index, or with `BPF_F_INGRESS`
        /// into it (`bpf_clone_redirect`, Linux 4.2).
        clone_redirect(if_index: u32, flags: u64) = bpf_clone_redirect(if_index, flags);
        /// Makes an IPv4 packet an IPv6 one or back; `proto` is in network byte order, and the
        /// program fills the new header in (`bpf_skb_change_proto`, Linux 4.8).
        change_proto(proto: u16, flags: u64) = bpf_skb_change_proto(proto, flags);
        /// Changes whom the packet is for: `PACKET_HOST` (0) and the like
        /// (`bpf_skb_change_type`, Linux 4.8).
        change_type(ty: u32) = bpf_skb_change_type(ty);
        /// Makes the packet `len` bytes long, at its end (`bpf_skb_change_tail`, Linux 4.9).
        change_tail(len: u32, flags: u64) = bpf_skb_change_tail(len, flags);
        /// Makes `len` bytes of room in front of the packet (`bpf_skb_change_head`, Linux 4.10).
        change_head(len: u32, flags: u64) = bpf_skb_change_head(len, flags);
        /// Gives the packet a VLAN tag; `proto` is in network byte order
        /// (`bpf_skb_vlan_push`, Linux 4.3).
        vlan_push(proto: u16, tci: u16) = bpf_skb_vlan_push(proto, tci);
        /// Takes the packet's VLAN tag away (`bpf_skb_vlan_pop`, Linux 4.3).
        vlan_pop() = bpf_skb_vlan_pop();
    }

    /// The packet's flow hash, computed if nobody has (`bpf_get_hash_recalc`, Linux 4.8).
    #[inline(always)]
    pub fn get_hash_recalc(&self) -> u32 {
        // SAFETY: the context is the kernel's.
        unsafe { generated::bpf_get_hash_recalc(self.as_ptr().cast()) }
    }

    /// The user who owns the packet's socket; 65534 (`overflowuid`) when nobody does
    /// (`bpf_get_socket_uid`, Linux 4.12).
    #[inline(always)]
    pub fn get_socket_uid(&self) -> u32 {
        // SAFETY: the context is the kernel's.
        unsafe { generated::bpf_get_socket_uid(self.as_ptr().cast()) }
    }
}

/// Defines a context that is a socket buffer.
macro_rules! socket_buffer_context {
    ($(#[$doc:meta])* $name:ident returns $($(#[$ret_doc:meta])* $ret:ty),*) => {
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

        impl core::ops::DerefMut for $name {
            #[inline(always)]
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.skb
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
        )*
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
