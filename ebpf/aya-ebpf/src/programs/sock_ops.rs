//! The context of programs on the events of TCP connections.

use crate::{
    bindings::{bpf_sock, bpf_sock_ops},
    helpers::generated as raw,
    programs::context::{context, socket_options},
};

context! {
    /// An event of a TCP connection.
    ///
    /// ```
    /// use aya_ebpf::{bindings::BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, macros::sock_ops, programs::SockOpsContext};
    ///
    /// const SOL_SOCKET: i32 = 1;
    /// const SO_RCVBUF: i32 = 8;
    ///
    /// /// Connections to port 80 get a large buffer.
    /// #[sock_ops]
    /// fn tune(ctx: SockOpsContext) -> u32 {
    ///     let port = u32::from_be(ctx.remote_port());
    ///     if ctx.op() == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && port == 80 {
    ///         // The connection works as well with the buffer it has.
    ///         let _ = ctx.set_sockopt(SOL_SOCKET, SO_RCVBUF, &(1i32 << 20));
    ///     }
    ///     1
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.13.
    SockOpsContext {
        /// The kernel's structure.
        ops: bpf_sock_ops
    } returns
        /// 1.
        u32,
        /// As `u32`.
        i32;
    /// The event: one of `BPF_SOCK_OPS_*`.
    get op: u32 = op;
    /// Address family: `AF_INET` (2) or `AF_INET6` (10).
    get family: u32 = family;
    /// Remote IPv4 address, in network byte order.
    get remote_ip4: u32 = remote_ip4;
    /// Local IPv4 address, in network byte order.
    get local_ip4: u32 = local_ip4;
    /// Remote port, in network byte order: `u32::from_be` makes it a number.
    get remote_port: u32 = remote_port;
    /// Local port, as a number.
    get local_port: u32 = local_port;
    /// Whether the socket is a whole one: of others (requests for a connection), only addresses,
    /// ports and state are to be had (Linux 4.16).
    get is_fullsock: u32 = is_fullsock;
    /// Which events the program is called for on this connection: `BPF_SOCK_OPS_*_CB_FLAG`
    /// (Linux 4.16).
    get cb_flags: u32 = bpf_sock_ops_cb_flags;
    /// The connection's state: one of `BPF_TCP_*` (Linux 4.16).
    get state: u32 = state;
    /// Congestion window, in packets (Linux 4.16).
    get snd_cwnd: u32 = snd_cwnd;
    /// Threshold of slow start, in packets (Linux 4.16).
    get snd_ssthresh: u32 = snd_ssthresh;
    /// Smoothed round trip time, in microseconds times 8 (Linux 4.16).
    get srtt_us: u32 = srtt_us;
    /// Least round trip time, in microseconds (Linux 4.16).
    get rtt_min: u32 = rtt_min;
    /// Segment size used (Linux 4.16).
    get mss_cache: u32 = mss_cache;
    /// Packets in flight (Linux 4.16).
    get packets_out: u32 = packets_out;
    /// Packets sent again, in all (Linux 4.16).
    get total_retrans: u32 = total_retrans;
    /// Bytes received (Linux 4.16).
    get bytes_received: u64 = bytes_received;
    /// Bytes sent and acknowledged (Linux 4.16).
    get bytes_acked: u64 = bytes_acked;
    /// The socket; null where there is no whole one (Linux 5.3).
    get sk: *mut bpf_sock = sk;
    /// Remote IPv6 address, in network byte order.
    words remote_ip6: [u32; 4] = remote_ip6;
    /// Local IPv6 address, in network byte order.
    words local_ip6: [u32; 4] = local_ip6;
}

socket_options!(SockOpsContext);

impl SockOpsContext {
    /// An argument of the event: at `BPF_SOCK_OPS_STATE_CB`, for instance, the old state is at 0 and
    /// the new one at 1. There are four; the others are 0.
    #[inline(always)]
    pub fn arg(&self, index: usize) -> u32 {
        if index >= 4 {
            return 0;
        }
        // SAFETY: the kernel's context lives as long as the program runs, and has four arguments.
        unsafe {
            (&raw const (*self.ops).args)
                .cast::<u32>()
                .add(index)
                .read_volatile()
        }
    }

    /// Answers an event that asks for a number, such as `BPF_SOCK_OPS_TIMEOUT_INIT`.
    #[inline(always)]
    pub fn set_reply(&self, reply: u32) {
        // SAFETY: as above; the answer has the place of the first argument.
        unsafe {
            (&raw mut (*self.ops).args)
                .cast::<u32>()
                .write_volatile(reply)
        }
    }

    /// Says which events the program is called for on this connection: `BPF_SOCK_OPS_*_CB_FLAG`
    /// (`bpf_sock_ops_cb_flags_set`, Linux 4.16).
    ///
    /// # Errors
    ///
    /// `-EINVAL` when the socket is no whole one; the flags that the kernel does not know.
    #[inline(always)]
    pub fn set_cb_flags(&self, flags: i32) -> Result<(), i32> {
        // SAFETY: the context is the kernel's.
        crate::maps::check(unsafe { raw::bpf_sock_ops_cb_flags_set(self.ops, flags) })
    }
}
