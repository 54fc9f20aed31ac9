//! Values for each socket and each inode.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global, GlobalMut,
    bindings::BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    macros::{btf_map, cgroup_skb, cgroup_sock, cgroup_sock_addr, lsm, map, sock_ops},
    maps::{InodeStorage, SkStorage},
    programs::{LsmContext, SkBuffContext, SockAddrContext, SockContext, SockOpsContext},
};

/// What is known of a socket.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Socket {
    /// Who made it.
    process: u32,
    /// Calls of `connect`, at most as many as user space allows.
    connects: u32,
    allowed: u32,
    /// Connections that came about.
    connected: u32,
    /// Packets it has sent.
    sent: u64,
}

#[map]
static SOCKETS: SkStorage<Socket> = SkStorage::new();
/// The same, in the other form: what was allowed at the last `connect`.
#[btf_map]
static ALLOWED: SkStorage<u32> = SkStorage::new();

/// The value at an address that the kernel gave, if it is one.
#[inline(always)]
fn at<'a, T>(place: *mut T) -> Option<&'a mut T> {
    // SAFETY: valid while the program runs; nobody else writes it while a test waits for the program.
    unsafe { place.as_mut() }
}

#[cgroup_sock(sock_create)]
fn create(ctx: SockContext) -> i32 {
    let mut socket = Socket {
        process: ctx.tgid(),
        connects: 0,
        allowed: 1,
        connected: 0,
        sent: 0,
    };
    i32::from(
        !SOCKETS
            .get_or_insert_ptr_mut(&ctx, Some(&mut socket))
            .is_null(),
    )
}

#[cgroup_sock_addr(connect4)]
fn connect(ctx: SockAddrContext) -> i32 {
    let Some(socket) = at(SOCKETS.get_ptr_mut(&ctx)) else {
        return 0;
    };
    socket.connects += 1;
    if let Some(allowed) = at(ALLOWED.get_or_insert_ptr_mut(&ctx, None)) {
        *allowed = socket.allowed;
    }
    i32::from(socket.connects <= socket.allowed)
}

#[sock_ops]
fn established(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
        && let Some(socket) = at(SOCKETS.get_ptr_mut(&ctx))
    {
        socket.connected += 1;
        let sk = ctx.sk();
        if !sk.is_null() {
            // It was made at `connect`; a second time there is none.
            let first = ALLOWED.delete(sk);
            let second = ALLOWED.delete(sk);
            DELETED.store(match (first, second) {
                (Ok(()), Err(error)) => error.into(),
                _ => 0,
            });
        }
    }
    1
}

/// What came of removing a value twice: the second error.
#[unsafe(no_mangle)]
static DELETED: GlobalMut<i64> = GlobalMut::new(0);

#[cgroup_skb(egress)]
fn sent(ctx: SkBuffContext) -> i32 {
    if let Some(socket) = at(SOCKETS.get_ptr_mut(&ctx)) {
        socket.sent += 1;
    }
    1
}

/// How many folders may be made in a folder, and how many have been asked for.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Folder {
    allowed: u32,
    asked: u32,
}

#[map]
static FOLDERS: InodeStorage<Folder> = InodeStorage::new();
/// The thread that makes folders.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);

const EPERM: i32 = 1;

/// `inode_mkdir(dir, dentry, mode)`.
#[lsm(hook = "inode_mkdir")]
fn make_folder(ctx: LsmContext) -> i32 {
    let before: i32 = ctx.arg(3);
    if ctx.pid() != THREAD.load() || before != 0 {
        return before;
    }
    let mut first = Folder {
        allowed: 2,
        asked: 0,
    };
    let folder = FOLDERS.get_or_insert_ptr_mut(ctx.arg(0), Some(&mut first));
    match at(folder) {
        Some(folder) => {
            folder.asked += 1;
            if folder.asked <= folder.allowed {
                0
            } else {
                -EPERM
            }
        }
        None => -EPERM,
    }
}

/// `inode_rmdir(dir, dentry)`: the folder starts anew.
#[lsm(hook = "inode_rmdir")]
fn remove_folder(ctx: LsmContext) -> i32 {
    let before: i32 = ctx.arg(2);
    if ctx.pid() == THREAD.load() {
        // There is none if no folder was made.
        let _ = FOLDERS.delete(ctx.arg(0));
    }
    before
}

aya_ebpf::panic_handler!();
