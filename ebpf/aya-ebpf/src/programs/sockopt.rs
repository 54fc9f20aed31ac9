//! The context of programs on socket options.

use crate::{
    bindings::{bpf_sock, bpf_sockopt},
    programs::context::context,
};

context! {
    /// A call of `getsockopt(2)`, after the kernel has made it, or of `setsockopt(2)`, before.
    ///
    /// The value is memory between [`optval`](Self::optval) and [`optval_end`](Self::optval_end);
    /// bounds must be checked before it is read or written, as with packets. A program that does not
    /// look at values longer than a page must [set their length](Self::set_optlen) to 0, which leaves
    /// them alone.
    ///
    /// ```
    /// use aya_ebpf::{macros::cgroup_sockopt, programs::SockoptContext};
    ///
    /// const SOL_SOCKET: i32 = 1;
    /// const SO_MARK: i32 = 36;
    ///
    /// #[cgroup_sockopt(setsockopt)]
    /// fn no_marks(ctx: SockoptContext) -> i32 {
    ///     i32::from((ctx.level(), ctx.optname()) != (SOL_SOCKET, SO_MARK))
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 5.3.
    SockoptContext {
        /// The kernel's structure.
        sockopt: bpf_sockopt
    } returns
        /// 1 allows the call, 0 refuses it.
        i32,
        /// As `i32`.
        u32;
    /// The socket.
    get sk: *mut bpf_sock = sk;
    /// Address of the value's first byte.
    get optval: usize = optval;
    /// Address after the value's last byte.
    get optval_end: usize = optval_end;
    /// The level, such as `SOL_SOCKET`.
    get level: i32 = level;
    /// The option, such as `SO_MARK`.
    get optname: i32 = optname;
    /// The value's length in bytes.
    get optlen: i32 = optlen;
    /// What the kernel's `getsockopt` returned.
    get retval: i32 = retval;
    /// Sets the level that the kernel's `setsockopt` is called with.
    set set_level: i32 = level;
    /// Sets the option that the kernel's `setsockopt` is called with.
    set set_optname: i32 = optname;
    /// Sets the value's length. In `setsockopt`, -1 keeps the kernel from handling the call: it
    /// succeeds without.
    set set_optlen: i32 = optlen;
    /// Sets what `getsockopt` returns: 0, or what the kernel returned.
    set set_retval: i32 = retval;
}
