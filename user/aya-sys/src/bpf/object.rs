//! What maps, programs, links and BTF have in common: pins, ids, information.

use std::{
    ffi::CStr,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_uapi::{
    Cmd, LinkType, attr,
    bindings::{self, bpf_btf_info, bpf_link_info, bpf_map_info, bpf_prog_info},
};

use super::number;
use crate::{
    Errno, Result,
    call::{address, address_mut, bpf, bpf_fd, length},
};

/// Gives an object a name in a BPF file system (`BPF_OBJ_PIN`); `EEXIST` if it is taken.
/// Since kernel 4.4, links 5.7.
pub fn obj_pin(fd: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    let mut attr = attr::Obj {
        pathname: address(path.to_bytes_with_nul()),
        bpf_fd: number(fd),
        ..attr::Obj::ZEROED
    };
    // SAFETY: the path ends with a zero byte and is only read.
    unsafe { bpf(Cmd::OBJ_PIN, &mut attr) }.map(drop)
}

/// Opens the object with a name in a BPF file system (`BPF_OBJ_GET`); `flags` may be `BPF_F_RDONLY`.
/// Since kernel 4.4.
pub fn obj_get(path: &CStr, flags: u32) -> Result<OwnedFd> {
    let mut attr = attr::Obj {
        pathname: address(path.to_bytes_with_nul()),
        file_flags: flags,
        ..attr::Obj::ZEROED
    };
    // SAFETY: the path ends with a zero byte and is only read.
    unsafe { bpf_fd(Cmd::OBJ_GET, &mut attr) }
}

fn next_id(cmd: Cmd, after: u32) -> Result<Option<u32>> {
    let mut attr = attr::GetId {
        start_id: after,
        ..attr::GetId::ZEROED
    };
    // SAFETY: no addresses.
    match unsafe { bpf(cmd, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(error) if error.errno == Errno::ENOENT => Ok(None),
        Err(error) => Err(error),
    }
}

fn by_id(cmd: Cmd, id: u32, open_flags: u32) -> Result<OwnedFd> {
    let mut attr = attr::GetId {
        start_id: id,
        open_flags,
        ..attr::GetId::ZEROED
    };
    // SAFETY: no addresses.
    unsafe { bpf_fd(cmd, &mut attr) }
}

/// The id of the loaded program with the smallest id above `after`. Needs `CAP_SYS_ADMIN`.
/// Since kernel 4.13.
pub fn prog_get_next_id(after: u32) -> Result<Option<u32>> {
    next_id(Cmd::PROG_GET_NEXT_ID, after)
}

/// The id of the map with the smallest id above `after`. Needs `CAP_SYS_ADMIN`. Since kernel 4.13.
pub fn map_get_next_id(after: u32) -> Result<Option<u32>> {
    next_id(Cmd::MAP_GET_NEXT_ID, after)
}

/// The id of the BTF with the smallest id above `after`. Needs `CAP_SYS_ADMIN`. Since kernel 5.3.
pub fn btf_get_next_id(after: u32) -> Result<Option<u32>> {
    next_id(Cmd::BTF_GET_NEXT_ID, after)
}

/// The id of the link with the smallest id above `after`. Needs `CAP_SYS_ADMIN`. Since kernel 5.8.
pub fn link_get_next_id(after: u32) -> Result<Option<u32>> {
    next_id(Cmd::LINK_GET_NEXT_ID, after)
}

/// Opens a program by id; `ENOENT` if it is gone. Needs `CAP_SYS_ADMIN`. Since kernel 4.13.
pub fn prog_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    by_id(Cmd::PROG_GET_FD_BY_ID, id, 0)
}

/// Opens a map by id; `ENOENT` if it is gone. Needs `CAP_SYS_ADMIN`. Since kernel 4.13.
pub fn map_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    by_id(Cmd::MAP_GET_FD_BY_ID, id, 0)
}

/// Opens BTF by id; `ENOENT` if it is gone. Needs `CAP_SYS_ADMIN`. Since kernel 4.18.
pub fn btf_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    by_id(Cmd::BTF_GET_FD_BY_ID, id, 0)
}

/// Opens a link by id; `ENOENT` if it is gone. Needs `CAP_SYS_ADMIN`. Since kernel 5.8.
pub fn link_get_fd_by_id(id: u32) -> Result<OwnedFd> {
    by_id(Cmd::LINK_GET_FD_BY_ID, id, 0)
}

/// Information structs of the kernel.
///
/// # Safety
///
/// Any bytes are a valid value.
unsafe trait Info {}

macro_rules! infos {
    ($($name:ident)*) => {$(
        // SAFETY: integers and arrays of them, without references or pointers.
        unsafe impl Info for bindings::$name {}
    )*};
}

infos! {
    bpf_prog_info bpf_map_info bpf_btf_info bpf_link_info bpf_link_info_raw_tracepoint
    bpf_link_info_tracing bpf_link_info_cgroup bpf_link_info_iter bpf_link_info_netns
    bpf_link_info_xdp bpf_link_info_struct_ops bpf_link_info_netfilter bpf_link_info_tcx
    bpf_link_info_netkit bpf_link_info_sockmap
}

/// Fills `info` in. What an older kernel does not know stays as it was.
///
/// # Safety
///
/// Addresses in `info` are 0, or those of memory that the kernel may write to, with their lengths.
unsafe fn info<T: Info>(fd: BorrowedFd<'_>, info: &mut T) -> Result<()> {
    let mut attr = attr::GetInfo {
        bpf_fd: number(fd),
        info_len: size_of::<T>() as u32,
        info: address_mut(std::slice::from_mut(info)),
    };
    // SAFETY: the kernel writes `info_len` bytes to `info`, for which any bytes are valid, and to the
    // addresses that the caller vouches for.
    unsafe { bpf(Cmd::OBJ_GET_INFO_BY_FD, &mut attr) }.map(drop)
}

macro_rules! plain_info {
    ($(#[$doc:meta])* $name:ident -> $info:ident) => {
        $(#[$doc])*
        pub fn $name(fd: BorrowedFd<'_>) -> Result<$info> {
            let mut result = $info::ZEROED;
            // SAFETY: no addresses.
            unsafe { info(fd, &mut result) }?;
            Ok(result)
        }
    };
}

plain_info! {
    /// What the kernel knows of a program, without its lists. Since kernel 4.13.
    prog_info -> bpf_prog_info
}
plain_info! {
    /// What the kernel knows of a map. Since kernel 4.13.
    map_info -> bpf_map_info
}
plain_info! {
    /// What the kernel knows of BTF, without its bytes. Since kernel 4.18.
    btf_info -> bpf_btf_info
}
plain_info! {
    /// What the kernel knows of any link; [`link_details`] has what its type adds. Since kernel 5.8.
    link_info -> bpf_link_info
}

/// The name of BTF that describes the kernel (`vmlinux`) or a module of it; `None` of a program's.
/// Since kernel 5.11.
pub fn kernel_btf_name(fd: BorrowedFd<'_>) -> Result<Option<Vec<u8>>> {
    // The kernel's limit for names of modules is below.
    let mut name = vec![0u8; 64];
    let mut with_name = bpf_btf_info {
        name_len: length(Cmd::OBJ_GET_INFO_BY_FD, &name)?,
        name: address_mut(&mut name),
        ..bpf_btf_info::ZEROED
    };
    // SAFETY: `name` has the length said.
    unsafe { info(fd, &mut with_name) }?;
    if with_name.kernel_btf == 0 {
        return Ok(None);
    }
    // The kernel tells the length without the zero byte behind it.
    name.truncate(with_name.name_len as usize);
    Ok(Some(name))
}

/// The bytes of loaded BTF. Since kernel 4.18.
pub fn btf_data(fd: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut data = vec![0u8; btf_info(fd)?.btf_size as usize];
    let mut with_data = bpf_btf_info {
        btf: address_mut(&mut data),
        btf_size: length(Cmd::OBJ_GET_INFO_BY_FD, &data)?,
        ..bpf_btf_info::ZEROED
    };
    // SAFETY: `data` has the length said.
    unsafe { info(fd, &mut with_data) }?;
    Ok(data)
}

/// The ids of the maps that a program uses. Since kernel 4.15.
pub fn prog_map_ids(fd: BorrowedFd<'_>) -> Result<Vec<u32>> {
    let count = prog_info(fd)?.nr_map_ids as usize;
    let mut ids = vec![0u32; count];
    let mut with_ids = bpf_prog_info {
        nr_map_ids: length(Cmd::OBJ_GET_INFO_BY_FD, &ids)?,
        map_ids: address_mut(&mut ids),
        ..bpf_prog_info::ZEROED
    };
    // SAFETY: `ids` has room for as many as said.
    unsafe { info(fd, &mut with_ids) }?;
    // A program's maps do not change, but the count may say more than there was room for.
    ids.truncate(with_ids.nr_map_ids as usize);
    Ok(ids)
}

/// What a link's type adds to what all have.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LinkDetails {
    /// A tracing or extension program.
    Tracing(bindings::bpf_link_info_tracing),
    /// A cgroup.
    Cgroup(bindings::bpf_link_info_cgroup),
    /// An iterator, without the name of what it goes through.
    Iter(bindings::bpf_link_info_iter),
    /// A network namespace.
    Netns(bindings::bpf_link_info_netns),
    /// A network interface.
    Xdp(bindings::bpf_link_info_xdp),
    /// A structure of callbacks.
    StructOps(bindings::bpf_link_info_struct_ops),
    /// A netfilter hook.
    Netfilter(bindings::bpf_link_info_netfilter),
    /// Traffic control.
    Tcx(bindings::bpf_link_info_tcx),
    /// A netkit device.
    Netkit(bindings::bpf_link_info_netkit),
    /// A socket map.
    SockMap(bindings::bpf_link_info_sockmap),
    /// A type that has no details here.
    Other(LinkType),
}

/// What the kernel knows of a link by its type. Since kernel 5.8.
pub fn link_details(fd: BorrowedFd<'_>) -> Result<LinkDetails> {
    macro_rules! details {
        ($variant:ident, $info:ident) => {{
            let mut result = bindings::$info::ZEROED;
            // SAFETY: no addresses.
            unsafe { info(fd, &mut result) }?;
            LinkDetails::$variant(result)
        }};
    }
    Ok(match LinkType(link_info(fd)?.type_) {
        LinkType::TRACING => details!(Tracing, bpf_link_info_tracing),
        LinkType::CGROUP => details!(Cgroup, bpf_link_info_cgroup),
        LinkType::ITER => details!(Iter, bpf_link_info_iter),
        LinkType::NETNS => details!(Netns, bpf_link_info_netns),
        LinkType::XDP => details!(Xdp, bpf_link_info_xdp),
        LinkType::STRUCT_OPS => details!(StructOps, bpf_link_info_struct_ops),
        LinkType::NETFILTER => details!(Netfilter, bpf_link_info_netfilter),
        LinkType::TCX => details!(Tcx, bpf_link_info_tcx),
        LinkType::NETKIT => details!(Netkit, bpf_link_info_netkit),
        LinkType::SOCKMAP => details!(SockMap, bpf_link_info_sockmap),
        other => LinkDetails::Other(other),
    })
}

/// Loads BTF (`BPF_BTF_LOAD`); with `log`, what the kernel has to say goes there, ended by a zero byte.
/// Since kernel 4.18.
pub fn btf_load(btf: &[u8], log: Option<&mut [u8]>) -> Result<OwnedFd> {
    let cmd = Cmd::BTF_LOAD;
    let mut attr = attr::BtfLoad {
        btf: address(btf),
        btf_size: length(cmd, btf)?,
        ..attr::BtfLoad::ZEROED
    };
    if let Some(log) = log {
        attr.btf_log_level = 1;
        attr.btf_log_size = length(cmd, log)?;
        attr.btf_log_buf = address_mut(log);
    }
    // SAFETY: addresses of slices, with their lengths; only the log is written.
    unsafe { bpf_fd(cmd, &mut attr) }
}

/// Makes the kernel measure the run time of programs, as long as the descriptor is open
/// (`BPF_ENABLE_STATS` with `BPF_STATS_RUN_TIME`). Needs `CAP_SYS_ADMIN`. Since kernel 5.8.
pub fn enable_stats() -> Result<OwnedFd> {
    let mut attr = attr::EnableStats {
        type_: bindings::bpf_stats_type::BPF_STATS_RUN_TIME,
    };
    // SAFETY: no addresses.
    unsafe { bpf_fd(Cmd::ENABLE_STATS, &mut attr) }
}

/// What [`task_fd_query`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFd {
    /// Id of the program at the event.
    pub prog_id: u32,
    /// `BPF_FD_TYPE_*`.
    pub fd_type: u32,
    /// Tracepoint, function or file; cut to 4095 bytes.
    pub name: Vec<u8>,
    /// Offset of the probe.
    pub offset: u64,
    /// Address of the probe.
    pub address: u64,
}

/// The program and probe behind a perf event descriptor of a process (`BPF_TASK_FD_QUERY`).
/// Since kernel 4.18.
pub fn task_fd_query(pid: u32, fd: u32) -> Result<TaskFd> {
    let cmd = Cmd::TASK_FD_QUERY;
    let mut name = vec![0u8; 4096];
    let mut attr = attr::TaskFdQuery {
        pid,
        fd,
        buf_len: length(cmd, &name)?,
        buf: address_mut(&mut name),
        ..attr::TaskFdQuery::ZEROED
    };
    // SAFETY: `name` has the length said. The other descriptor number is the other process's.
    match unsafe { bpf(cmd, &mut attr) } {
        // The name is cut.
        Err(error) if error.errno != Errno::ENOSPC => return Err(error),
        _ => {}
    }
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    Ok(TaskFd {
        prog_id: attr.prog_id,
        fd_type: attr.fd_type,
        name,
        offset: attr.probe_offset,
        address: attr.probe_addr,
    })
}
