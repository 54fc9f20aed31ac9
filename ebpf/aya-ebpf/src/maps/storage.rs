//! Local storages: a value for each of the kernel's sockets, inodes, tasks or cgroups, kept with it and
//! gone with it.
//!
//! There is nothing to size and nothing to clean up: a value is made when a program asks for one, and
//! freed with its owner. User space names the owner by a file descriptor.

use crate::{
    EbpfContext as _,
    bindings::{
        BPF_F_NO_PREALLOC, BPF_LOCAL_STORAGE_GET_F_CREATE, bpf_sock, cgroup, inode, task_struct,
    },
    helpers::generated as raw,
    maps::{def::map_type, ops},
    programs::{
        SkBuffContext, SkMsgContext, SockAddrContext, SockContext, SockOpsContext, SockoptContext,
        TcContext,
    },
};

/// What programs may keep a value for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no socket whose storage a program could use",
    label = "give the context of a program on sockets, or a `*mut bpf_sock`"
)]
pub trait SocketOwner {
    /// The socket; null where there is none.
    #[doc(hidden)]
    fn socket(&self) -> *mut bpf_sock;
}

/// Contexts that have their socket as a member.
macro_rules! sockets {
    ($($context:ident, $sk:ident => $member:expr;)*) => {$(
        impl SocketOwner for $context {
            #[inline(always)]
            fn socket(&self) -> *mut bpf_sock {
                let $sk = self;
                $member
            }
        }
    )*};
}

sockets! {
    SockAddrContext, ctx => ctx.sk();
    SockOpsContext, ctx => ctx.sk();
    SockoptContext, ctx => ctx.sk();
    SkMsgContext, ctx => ctx.sk();
    // The kernel takes the context itself for the socket.
    SockContext, ctx => ctx.as_ptr().cast();
    SkBuffContext, ctx => ctx.skb.sk();
    TcContext, ctx => ctx.skb.sk();
}

impl SocketOwner for *mut bpf_sock {
    #[inline(always)]
    fn socket(&self) -> *mut bpf_sock {
        *self
    }
}

/// Defines storages, one row each: what owns a value, and the two helpers.
macro_rules! storages {
    ($(
        $(#[$doc:meta])*
        $name:ident: $map_type:ident, $owner:ident: $ty:ty => $object:expr, $get:ident,
        $delete:ident($own:ident: $pointer:ty)
    )*) => {$(
        map_type! {
            $(#[$doc])*
            $name<T>: i32 => T, $map_type,
            /// A storage. It has no size: there is a value for each owner that a program makes one for.
            new() = (0, BPF_F_NO_PREALLOC)
        }

        impl<T> $name<T> {
            /// The address of the owner's value, null if there is none.
            ///
            /// It stays valid while the program runs, but other programs and CPUs are not kept out.
            #[inline(always)]
            pub fn get_ptr_mut(&self, $owner: $ty) -> *mut T {
                self.find($object, core::ptr::null_mut(), 0)
            }

            /// The address of the owner's value. If there is none, it is made: as a copy of `value`, or
            /// as zeros. Null when that fails, for want of memory, or because the owner is being freed.
            #[inline(always)]
            pub fn get_or_insert_ptr_mut(&self, $owner: $ty, value: Option<&mut T>) -> *mut T {
                let value = value.map_or(core::ptr::null_mut(), core::ptr::from_mut);
                self.find($object, value, BPF_LOCAL_STORAGE_GET_F_CREATE)
            }

            /// Removes the owner's value.
            ///
            /// # Errors
            ///
            /// `-ENOENT` when there is none.
            #[inline(always)]
            pub fn delete(&self, $own: $pointer) -> Result<(), i32> {
                // SAFETY: a storage of this kind; the verifier checks where the owner comes from.
                ops::check(unsafe { raw::$delete(self.as_ptr(), $own.cast()) } as i64)
            }

            #[inline(always)]
            fn find(&self, owner: $pointer, value: *mut T, flags: u32) -> *mut T {
                // Some kinds of programs have events without a socket, and the verifier wants to see
                // that this is none of them.
                if owner.is_null() {
                    return core::ptr::null_mut();
                }
                // SAFETY: the map's values are `T`; the verifier checks where the owner comes from.
                unsafe {
                    raw::$get(self.as_ptr(), owner.cast(), value.cast(), flags.into()).cast()
                }
            }
        }
    )*};
}

storages! {
    /// A value per socket. Since Linux 5.2.
    ///
    /// Its owner is given as the context of a program on sockets, or as a socket that a helper
    /// returned. Not every kind of program may use it on every kernel: traffic control, socket
    /// operations and `cgroup_skb` since 5.2, `cgroup_sock_addr` and `cgroup_sock` since 5.8.
    ///
    /// ```
    /// use aya_ebpf::{macros::{cgroup_sock_addr, map}, maps::SkStorage, programs::SockAddrContext};
    ///
    /// #[map]
    /// static CONNECTS: SkStorage<u64> = SkStorage::new();
    ///
    /// #[cgroup_sock_addr(connect4)]
    /// fn connect(ctx: SockAddrContext) -> i32 {
    ///     let count = CONNECTS.get_or_insert_ptr_mut(&ctx, None);
    ///     if !count.is_null() {
    ///         // SAFETY: the value is valid while the program runs.
    ///         unsafe { *count += 1 };
    ///     }
    ///     1
    /// }
    /// # fn main() {}
    /// ```
    SkStorage: SK_STORAGE, owner: &impl SocketOwner => owner.socket(), bpf_sk_storage_get,
    bpf_sk_storage_delete(socket: *mut bpf_sock)

    /// A value per inode, for security modules ([`lsm`](macro@crate::macros::lsm)). Since Linux 5.10.
    InodeStorage: INODE_STORAGE, inode: *mut inode => inode, bpf_inode_storage_get,
    bpf_inode_storage_delete(inode: *mut inode)

    /// A value per task. Since Linux 5.11 for security modules, 5.13 for programs at functions and
    /// tracepoints.
    ///
    /// The running task is [`bpf_get_current_task_btf`](crate::helpers::bpf_get_current_task_btf)'s.
    TaskStorage: TASK_STORAGE, task: *mut task_struct => task, bpf_task_storage_get,
    bpf_task_storage_delete(task: *mut task_struct)

    /// A value per cgroup of version 2. Since Linux 6.2.
    CgrpStorage: CGRP_STORAGE, cgroup: *mut cgroup => cgroup, bpf_cgrp_storage_get,
    bpf_cgrp_storage_delete(cgroup: *mut cgroup)
}
