//! Every helper as the kernel declares it.
//!
//! A helper is called by its number, which the kernel never changes. The functions exist only inside
//! the kernel and panic elsewhere.
#![allow(clippy::too_many_arguments, reason = "the kernel's signatures")]

use core::ffi::{c_char, c_long, c_void};

use crate::bindings::*;

/// Makes a function of each row.
macro_rules! helpers {
    ($($number:literal $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        #[doc = concat!("Helper ", $number, ", as the kernel declares it.")]
        ///
        /// # Safety
        ///
        /// The kernel's documentation of the helper says what the arguments must be.
        #[inline(always)]
        pub unsafe fn $name($($arg: $ty),*) -> $ret {
            #[cfg(any(aya_ebpf, target_arch = "bpf"))]
            {
                // SAFETY: in eBPF a call of a small number calls the helper of that number; the
                // arguments are the caller's promise.
                unsafe {
                    core::mem::transmute::<usize, unsafe extern "C" fn($($ty),*) -> $ret>($number)(
                        $($arg),*
                    )
                }
            }
            #[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
            {
                let _ = ($($arg,)*);
                crate::only_in_the_kernel(stringify!($name))
            }
        }
    )*};
}

helpers! {
    1 bpf_map_lookup_elem(map: *mut c_void, key: *const c_void) -> *mut c_void;
    2 bpf_map_update_elem(map: *mut c_void, key: *const c_void, value: *const c_void, flags: u64) -> c_long;
    3 bpf_map_delete_elem(map: *mut c_void, key: *const c_void) -> c_long;
    4 bpf_probe_read(dst: *mut c_void, size: u32, src: *const c_void) -> c_long;
    5 bpf_ktime_get_ns() -> u64;
    7 bpf_get_prandom_u32() -> u32;
    8 bpf_get_smp_processor_id() -> u32;
    9 bpf_skb_store_bytes(skb: *mut __sk_buff, offset: u32, from: *const c_void, len: u32, flags: u64) -> c_long;
    14 bpf_get_current_pid_tgid() -> u64;
    15 bpf_get_current_uid_gid() -> u64;
    16 bpf_get_current_comm(buf: *mut c_void, size: u32) -> c_long;
    25 bpf_perf_event_output(ctx: *mut c_void, map: *mut c_void, flags: u64, data: *mut c_void, size: u64) -> c_long;
    26 bpf_skb_load_bytes(skb: *const c_void, offset: u32, to: *mut c_void, len: u32) -> c_long;
    36 bpf_probe_write_user(dst: *mut c_void, src: *const c_void, len: u32) -> c_long;
    39 bpf_skb_pull_data(skb: *mut __sk_buff, len: u32) -> c_long;
    45 bpf_probe_read_str(dst: *mut c_void, size: u32, src: *const c_void) -> c_long;
    80 bpf_get_current_cgroup_id() -> u64;
    112 bpf_probe_read_user(dst: *mut c_void, size: u32, src: *const c_void) -> c_long;
    113 bpf_probe_read_kernel(dst: *mut c_void, size: u32, src: *const c_void) -> c_long;
    114 bpf_probe_read_user_str(dst: *mut c_void, size: u32, src: *const c_void) -> c_long;
    115 bpf_probe_read_kernel_str(dst: *mut c_void, size: u32, src: *const c_void) -> c_long;
    125 bpf_ktime_get_boot_ns() -> u64;
    130 bpf_ringbuf_output(ringbuf: *mut c_void, data: *mut c_void, size: u64, flags: u64) -> c_long;
    131 bpf_ringbuf_reserve(ringbuf: *mut c_void, size: u64, flags: u64) -> *mut c_void;
    132 bpf_ringbuf_submit(data: *mut c_void, flags: u64) -> ();
    133 bpf_ringbuf_discard(data: *mut c_void, flags: u64) -> ();
    134 bpf_ringbuf_query(ringbuf: *mut c_void, flags: u64) -> u64;
    177 bpf_trace_vprintk(fmt: *const c_char, fmt_size: u32, data: *const c_void, data_len: u32) -> c_long;
    182 bpf_strncmp(s1: *const c_char, s1_sz: u32, s2: *const c_char) -> c_long;
}
