//! The context of programs on the addresses of sockets.

use crate::{
    bindings::{bpf_sock, bpf_sock_addr},
    programs::context::{context, socket_options},
};

context! {
    /// A call with the address of a socket, which the program may rewrite.
    ///
    /// ```
    /// use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
    ///
    /// /// Who connects to port 80 gets to port 8080.
    /// #[cgroup_sock_addr(connect4)]
    /// fn elsewhere(ctx: SockAddrContext) -> i32 {
    ///     if ctx.user_port() == u32::from(80u16.to_be()) {
    ///         ctx.set_user_port(u32::from(8080u16.to_be()));
    ///     }
    ///     1
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.17.
    SockAddrContext {
        /// The kernel's structure.
        sock_addr: bpf_sock_addr
    } returns
        /// 1 allows the call, 0 refuses it.
        i32,
        /// As `i32`.
        u32;
    /// Address family of the given address: `AF_INET` (2), `AF_INET6` (10).
    get user_family: u32 = user_family;
    /// The given IPv4 address, in network byte order.
    get user_ip4: u32 = user_ip4;
    /// The given port: a 16-bit number in network byte order.
    get user_port: u32 = user_port;
    /// Address family of the socket.
    get family: u32 = family;
    /// The socket's type, such as `SOCK_STREAM` (1).
    get sock_type: u32 = type_;
    /// The protocol, such as `IPPROTO_TCP` (6).
    get protocol: u32 = protocol;
    /// At `sendmsg`, the local IPv4 address, in network byte order (Linux 4.18).
    get msg_src_ip4: u32 = msg_src_ip4;
    /// The socket (Linux 5.3).
    get sk: *mut bpf_sock = sk;
    /// The given IPv6 address, in network byte order.
    words user_ip6: [u32; 4] = user_ip6;
    /// At `sendmsg`, the local IPv6 address, in network byte order (Linux 4.18).
    words msg_src_ip6: [u32; 4] = msg_src_ip6;
    /// Puts another IPv4 address in the place of the given one.
    set set_user_ip4: u32 = user_ip4;
    /// Puts another port in the place of the given one.
    set set_user_port: u32 = user_port;
    /// At `sendmsg`, sends from another IPv4 address (Linux 4.18).
    set set_msg_src_ip4: u32 = msg_src_ip4;
}

socket_options!(SockAddrContext);

impl SockAddrContext {
    /// Puts another IPv6 address in the place of the given one.
    #[inline(always)]
    pub fn set_user_ip6(&self, address: [u32; 4]) {
        // SAFETY: the kernel's context lives as long as the program runs, and the member has four
        // words, which are written one by one.
        unsafe {
            let words = (&raw mut (*self.sock_addr).user_ip6).cast::<u32>();
            words.write_volatile(address[0]);
            words.add(1).write_volatile(address[1]);
            words.add(2).write_volatile(address[2]);
            words.add(3).write_volatile(address[3]);
        }
    }
}
