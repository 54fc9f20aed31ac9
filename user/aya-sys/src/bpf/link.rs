//! Links: what ties a program to its hook as long as a descriptor or a pin of it exists.

use std::{
    ffi::CStr,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_uapi::{
    AttachType, Cmd, attr,
    bindings::{
        BPF_F_AFTER, BPF_F_BEFORE, BPF_F_ID, BPF_F_LINK, BPF_F_REPLACE, bpf_iter_link_info_cgroup,
        bpf_iter_link_info_map, bpf_iter_link_info_task,
    },
};

use super::{number, optional};
use crate::{
    Errno, Error, Result,
    call::{self, Attr, address, bpf, bpf_fd, length},
};

/// What a program attaches to.
#[derive(Clone, Copy, Debug)]
pub enum LinkTarget<'a> {
    /// Nothing: the program or the options say it.
    None,
    /// A cgroup, network namespace, map, perf event or program.
    Fd(BorrowedFd<'a>),
    /// A network interface by index.
    Interface(u32),
}

impl LinkTarget<'_> {
    pub(super) fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Fd(fd) => number(fd),
            Self::Interface(index) => index,
        }
    }
}

/// Where a program goes among those already there.
#[derive(Clone, Copy, Debug, Default)]
pub enum Place<'a> {
    /// Behind all others.
    #[default]
    Last,
    /// Before all others.
    First,
    /// Just before this one.
    Before(Neighbour<'a>),
    /// Just behind this one.
    After(Neighbour<'a>),
}

/// A program that is attached already.
#[derive(Clone, Copy, Debug)]
pub enum Neighbour<'a> {
    /// The program with this descriptor.
    Program(BorrowedFd<'a>),
    /// The program with this id.
    ProgramId(u32),
    /// The program that the link with this descriptor holds.
    Link(BorrowedFd<'a>),
}

impl Neighbour<'_> {
    /// The flags that say what the number is, and the number.
    fn number(self) -> (u32, u32) {
        match self {
            Self::Program(fd) => (0, number(fd)),
            Self::ProgramId(id) => (BPF_F_ID, id),
            Self::Link(fd) => (BPF_F_LINK, number(fd)),
        }
    }
}

/// What an iterator goes through.
#[derive(Clone, Copy, Debug)]
pub enum IterTarget {
    /// The elements of a map, by descriptor.
    Map(bpf_iter_link_info_map),
    /// Cgroups. Since kernel 6.1.
    Cgroup(bpf_iter_link_info_cgroup),
    /// Tasks. Since kernel 6.1.
    Task(bpf_iter_link_info_task),
}

/// What a kind of link needs beside program, target and hook.
#[derive(Clone, Copy, Debug, Default)]
pub enum LinkOptions<'a> {
    /// Nothing.
    #[default]
    None,
    /// A function of the target program, by BTF id; the cookie since kernel 5.18.
    Tracing {
        /// Type id of the function; 0 for the one that was said at load.
        btf_id: u32,
        /// Value that the program can ask for.
        cookie: u64,
    },
    /// A perf event. Since kernel 5.15.
    PerfEvent {
        /// Value that the program can ask for.
        cookie: u64,
    },
    /// An iterator. Since kernel 5.8; without a target it goes through all there are.
    Iter(IterTarget),
    /// Many kernel functions. Since kernel 5.18.
    KprobeMulti {
        /// Their addresses.
        addresses: &'a [u64],
        /// A value for each that the program can ask for, or none.
        cookies: &'a [u64],
        /// `BPF_F_KPROBE_MULTI_RETURN`.
        flags: u32,
    },
    /// Many places in a file. Since kernel 6.6.
    UprobeMulti {
        /// The file.
        path: &'a CStr,
        /// Offsets in the file.
        offsets: &'a [u64],
        /// Offsets of the counters of static probes, for each, or none.
        reference_counters: &'a [u64],
        /// A value for each that the program can ask for, or none.
        cookies: &'a [u64],
        /// `BPF_F_UPROBE_MULTI_RETURN`.
        flags: u32,
        /// Process to watch; 0 for all.
        pid: u32,
    },
    /// A netfilter hook. Since kernel 6.4.
    Netfilter {
        /// `NFPROTO_IPV4`, …
        family: u32,
        /// `NF_INET_LOCAL_IN`, …
        hook: u32,
        /// Place among others.
        priority: i32,
        /// `BPF_F_NETFILTER_IP_DEFRAG` (6.6).
        flags: u32,
    },
    /// A place beside other programs: TCX (6.6), netkit (6.7), cgroup (6.16).
    Place {
        /// Where.
        place: Place<'a>,
        /// Number of changes to the hook that the caller knows of; 0 for any.
        expected_revision: u64,
    },
}

/// Attaches a program and returns the link (`BPF_LINK_CREATE`). Since kernel 5.7; which hooks have links
/// came later one by one, and a kernel without answers `EINVAL`.
#[allow(clippy::needless_update)] // some forms have padding to fill, others not
pub fn link_create(
    prog: BorrowedFd<'_>,
    target: LinkTarget<'_>,
    attach_type: AttachType,
    flags: u32,
    options: LinkOptions<'_>,
) -> Result<OwnedFd> {
    // The members that all forms begin with.
    macro_rules! form {
        ($form:ident { $($member:ident $(: $value:expr)?),* $(,)? }) => {
            create(attr::$form {
                prog_fd: number(prog),
                target_fd: target.number(),
                attach_type: attach_type.0,
                flags,
                $($member $(: $value)?,)*
                ..attr::$form::ZEROED
            })
        };
    }
    let cmd = Cmd::LINK_CREATE;
    let invalid = Error::new(call::name(cmd), Errno::EINVAL);
    let for_each = |main: &[u64], others: &[&[u64]]| {
        let fits = |other: &&[u64]| other.is_empty() || other.len() == main.len();
        if others.iter().all(fits) {
            length(cmd, main)
        } else {
            Err(invalid)
        }
    };
    match options {
        LinkOptions::None => form!(LinkCreate {}),
        LinkOptions::Tracing { btf_id, cookie } => form!(LinkCreateTracing {
            target_btf_id: btf_id,
            cookie
        }),
        LinkOptions::PerfEvent { cookie } => form!(LinkCreatePerfEvent { bpf_cookie: cookie }),
        LinkOptions::Iter(target) => {
            let (info, info_len) = match &target {
                IterTarget::Map(info) => of(info),
                IterTarget::Cgroup(info) => of(info),
                IterTarget::Task(info) => of(info),
            };
            form!(LinkCreateIter {
                iter_info: info,
                iter_info_len: info_len
            })
        }
        LinkOptions::KprobeMulti {
            addresses,
            cookies,
            flags: multi_flags,
        } => form!(LinkCreateKprobeMulti {
            kprobe_multi_flags: multi_flags,
            cnt: for_each(addresses, &[cookies])?,
            addrs: address(addresses),
            cookies: address(cookies),
        }),
        LinkOptions::UprobeMulti {
            path,
            offsets,
            reference_counters,
            cookies,
            flags: multi_flags,
            pid,
        } => form!(LinkCreateUprobeMulti {
            path: address(path.to_bytes_with_nul()),
            offsets: address(offsets),
            ref_ctr_offsets: address(reference_counters),
            cookies: address(cookies),
            cnt: for_each(offsets, &[reference_counters, cookies])?,
            uprobe_multi_flags: multi_flags,
            pid,
        }),
        LinkOptions::Netfilter {
            family,
            hook,
            priority,
            flags: hook_flags,
        } => form!(LinkCreateNetfilter {
            pf: family,
            hooknum: hook,
            priority,
            netfilter_flags: hook_flags,
        }),
        LinkOptions::Place {
            place,
            expected_revision,
        } => {
            let (side, (kind, relative)) = match place {
                Place::Last => (0, (0, 0)),
                Place::First => (BPF_F_BEFORE, (0, 0)),
                Place::Before(neighbour) => (BPF_F_BEFORE, neighbour.number()),
                Place::After(neighbour) => (BPF_F_AFTER, neighbour.number()),
            };
            let flags = flags | side | kind;
            create(attr::LinkCreateRelative {
                prog_fd: number(prog),
                target_fd: target.number(),
                attach_type: attach_type.0,
                flags,
                relative_fd: relative,
                expected_revision,
                ..attr::LinkCreateRelative::ZEROED
            })
        }
    }
}

/// Address and size of an iterator's target.
fn of<T>(info: &T) -> (u64, u32) {
    (address(std::slice::from_ref(info)), size_of::<T>() as u32)
}

fn create<A: Attr>(mut attr: A) -> Result<OwnedFd> {
    // SAFETY: addresses are those of slices in the options, which `link_create` borrows, with their
    // lengths; the kernel only reads.
    unsafe { bpf_fd(Cmd::LINK_CREATE, &mut attr) }
}

/// Puts another program into a link (`BPF_LINK_UPDATE`); with `old`, only in the place of that one
/// (`EPERM` if another is there). Since kernel 5.7.
pub fn link_update(
    link: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    old: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let mut attr = attr::LinkUpdate {
        link_fd: number(link),
        new_prog_fd: number(program),
        flags: if old.is_some() { BPF_F_REPLACE } else { 0 },
        old_prog_fd: optional(old),
    };
    // SAFETY: no addresses.
    unsafe { bpf(Cmd::LINK_UPDATE, &mut attr) }.map(drop)
}

/// Detaches a link's program while the link stays (`BPF_LINK_DETACH`). Since kernel 5.9.
pub fn link_detach(link: BorrowedFd<'_>) -> Result<()> {
    let mut attr = attr::LinkDetach {
        link_fd: number(link),
    };
    // SAFETY: no addresses.
    unsafe { bpf(Cmd::LINK_DETACH, &mut attr) }.map(drop)
}

/// A descriptor to read what an iterator writes (`BPF_ITER_CREATE`). Since kernel 5.8.
pub fn iter_create(link: BorrowedFd<'_>) -> Result<OwnedFd> {
    let mut attr = attr::IterCreate {
        link_fd: number(link),
        flags: 0,
    };
    // SAFETY: no addresses.
    unsafe { bpf_fd(Cmd::ITER_CREATE, &mut attr) }
}

/// Attaches to a raw tracepoint by name, or without one to what was said at load
/// (`BPF_RAW_TRACEPOINT_OPEN`). Since kernel 4.17; the cookie since 6.10.
pub fn raw_tracepoint_open(
    prog: BorrowedFd<'_>,
    name: Option<&CStr>,
    cookie: u64,
) -> Result<OwnedFd> {
    let mut attr = attr::RawTracepointOpen {
        name: name.map_or(0, |name| address(name.to_bytes_with_nul())),
        prog_fd: number(prog),
        cookie,
        ..attr::RawTracepointOpen::ZEROED
    };
    // SAFETY: the name ends with a zero byte and is only read.
    unsafe { bpf_fd(Cmd::RAW_TRACEPOINT_OPEN, &mut attr) }
}
