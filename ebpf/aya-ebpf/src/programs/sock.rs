//! The context of programs on sockets being made, bound and released.

use crate::{bindings::bpf_sock, programs::context::context};

context! {
    /// A socket.
    ///
    /// Which members a program may read and write depends on its kind; the verifier says so.
    /// Since Linux 4.10.
    SockContext {
        /// The kernel's structure.
        sock: bpf_sock
    } returns
        /// 1 allows what is done, 0 refuses it.
        i32,
        /// As `i32`.
        u32;
    /// Address family: `AF_INET` (2) or `AF_INET6` (10).
    get family: u32 = family;
    /// The socket's type, such as `SOCK_STREAM` (1).
    get sock_type: u32 = type_;
    /// The protocol, such as `IPPROTO_TCP` (6).
    get protocol: u32 = protocol;
    /// Index of the interface that the socket is bound to, or 0.
    get bound_dev_if: u32 = bound_dev_if;
    /// The mark of the socket's packets (Linux 4.14).
    get mark: u32 = mark;
    /// The priority of the socket's packets (Linux 4.14).
    get priority: u32 = priority;
    /// Local IPv4 address, in network byte order (Linux 4.17).
    get src_ip4: u32 = src_ip4;
    /// Local port, as a number (Linux 4.17).
    get src_port: u32 = src_port;
    /// Local IPv6 address, in network byte order (Linux 4.17).
    words src_ip6: [u32; 4] = src_ip6;
    /// Binds the socket to the interface of this index.
    set set_bound_dev_if: u32 = bound_dev_if;
    /// Sets the mark of the socket's packets (Linux 4.14).
    set set_mark: u32 = mark;
    /// Sets the priority of the socket's packets (Linux 4.14).
    set set_priority: u32 = priority;
}
