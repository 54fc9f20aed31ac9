//! What the kernel knows about loaded programs and links.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aya_sys::{Errno, bpf};
use aya_uapi::{
    ProgType,
    bindings::{bpf_link_info, bpf_prog_info},
};

use crate::{
    links::LinkError,
    pin,
    programs::{ProgramError, ProgramFd, ProgramType},
    sys::SyscallError,
};

/// What the kernel knows about a program.
///
/// Fields that a kernel does not fill in are zero, or `None` where zero means something else.
#[derive(Debug)]
pub struct ProgramInfo(bpf_prog_info);

impl ProgramInfo {
    pub(crate) fn from_fd(fd: BorrowedFd<'_>) -> Result<Self, ProgramError> {
        Ok(Self(bpf::prog_info(fd)?))
    }

    /// The program pinned at `path`.
    ///
    /// # Errors
    ///
    /// When there is no program at the path, or the process may not open it.
    pub fn from_pin<P: AsRef<Path>>(path: P) -> Result<Self, ProgramError> {
        Self::from_fd(pin::open_as(path.as_ref(), pin::PROGRAM)?.as_fd())
    }

    pub(crate) fn raw_type(&self) -> ProgType {
        ProgType(self.0.type_)
    }

    /// The program's type.
    pub fn program_type(&self) -> ProgramType {
        ProgramType::of(self.raw_type())
    }

    /// The number that names the program until it is freed.
    pub const fn id(&self) -> u32 {
        self.0.id
    }

    /// The hash of the program's instructions, the same for the same code.
    pub const fn tag(&self) -> u64 {
        u64::from_be_bytes(self.0.tag)
    }

    /// The program's name, of which the kernel keeps 15 bytes. Since kernel 4.15.
    pub fn name(&self) -> &[u8] {
        let name = &self.0.name;
        let end = name.iter().position(|byte| *byte == 0);
        name.get(..end.unwrap_or(name.len())).unwrap_or_default()
    }

    /// The program's name as text; `None` when it has none.
    pub fn name_as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.name())
            .ok()
            .filter(|name| !name.is_empty())
    }

    /// Bytes of the program as the verifier left it; `None` when the process may not see them.
    pub fn size_translated(&self) -> Option<u32> {
        (self.0.xlated_prog_len > 0).then_some(self.0.xlated_prog_len)
    }

    /// Bytes of machine code; 0 without the JIT compiler.
    pub const fn size_jitted(&self) -> u32 {
        self.0.jited_prog_len
    }

    /// Bytes of memory that count for the process that loaded the program.
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn memory_locked(&self) -> Result<u32, ProgramError> {
        let fd = self.fd()?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd());
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        Ok(line
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or_default())
    }

    /// How many instructions the verifier looked at. Since kernel 5.16.
    pub fn verified_instruction_count(&self) -> Option<u32> {
        (self.0.verified_insns > 0).then_some(self.0.verified_insns)
    }

    /// When the program was loaded. Since kernel 4.15.
    pub fn loaded_at(&self) -> Option<SystemTime> {
        if self.0.load_time == 0 {
            return None;
        }
        // The kernel counts from boot, and tells nobody when that was by the calendar.
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let since_boot = Duration::from_nanos(self.0.load_time);
        let booted = SystemTime::now().checked_sub(Duration::try_from_secs_f64(uptime).ok()?)?;
        booted.checked_add(since_boot).filter(|at| *at > UNIX_EPOCH)
    }

    /// The user who loaded the program. Since kernel 4.15.
    pub fn created_by_uid(&self) -> Option<u32> {
        (self.0.load_time > 0).then_some(self.0.created_by_uid)
    }

    /// The numbers of the maps that the program uses. `None` before kernel 4.15.
    ///
    /// # Errors
    ///
    /// When the program is gone.
    pub fn map_ids(&self) -> Result<Option<Vec<u32>>, ProgramError> {
        if self.0.load_time == 0 {
            return Ok(None);
        }
        Ok(Some(bpf::prog_map_ids(self.fd()?.as_fd())?))
    }

    /// The number of the program's type information. Since kernel 5.0.
    pub fn btf_id(&self) -> Option<u32> {
        (self.0.btf_id > 0).then_some(self.0.btf_id)
    }

    /// Whether the program's licence lets it call all helpers. Since kernel 4.18.
    pub fn gpl_compatible(&self) -> Option<bool> {
        (self.0.load_time > 0).then_some(self.0.gpl_compatible & 1 != 0)
    }

    /// How long the program has run, while `kernel.bpf_stats_enabled` or
    /// [`enable_stats`](crate::sys::enable_stats) was on. Since kernel 5.1.
    pub const fn run_time(&self) -> Duration {
        Duration::from_nanos(self.0.run_time_ns)
    }

    /// How often the program has run, while statistics were on. Since kernel 5.1.
    pub const fn run_count(&self) -> u64 {
        self.0.run_cnt
    }

    /// Opens the program. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// When the program is gone, or the process may not open programs by number.
    pub fn fd(&self) -> Result<ProgramFd, ProgramError> {
        Ok(ProgramFd::from(bpf::prog_get_fd_by_id(self.0.id)?))
    }
}

/// All programs that are loaded, by rising number; those that go in the meantime are passed over.
/// Needs `CAP_SYS_ADMIN`. Since kernel 4.13.
pub fn loaded_programs() -> impl Iterator<Item = Result<ProgramInfo, ProgramError>> {
    loaded(bpf::prog_get_next_id, bpf::prog_get_fd_by_id).map(|fd| {
        let fd = fd?;
        ProgramInfo::from_fd(fd.as_fd())
    })
}

/// All links there are, by rising number; those that go in the meantime are passed over. Needs
/// `CAP_SYS_ADMIN`. Since kernel 5.8.
pub fn loaded_links() -> impl Iterator<Item = Result<LinkInfo, LinkError>> {
    loaded(bpf::link_get_next_id, bpf::link_get_fd_by_id).map(|fd| {
        let fd = fd.map_err(SyscallError::from)?;
        LinkInfo::from_fd(fd.as_fd())
    })
}

/// Walks the kernel's numbers of one sort of object and opens each; ends after an error.
pub(crate) fn loaded(
    next: impl Fn(u32) -> Result<Option<u32>, aya_sys::Error>,
    open: impl Fn(u32) -> Result<OwnedFd, aya_sys::Error>,
) -> impl Iterator<Item = Result<OwnedFd, aya_sys::Error>> {
    let mut last = Some(0);
    std::iter::from_fn(move || {
        loop {
            let id = match next(last.take()?) {
                Ok(id) => id?,
                Err(error) => return Some(Err(error)),
            };
            match open(id) {
                // Gone in the meantime.
                Err(error) if error.errno == Errno::ENOENT => last = Some(id),
                Err(error) => return Some(Err(error)),
                Ok(fd) => {
                    last = Some(id);
                    return Some(Ok(fd));
                }
            }
        }
    })
}

macro_rules! link_types {
    ($($name:ident = $kernel:ident,)*) => {
        /// The mechanism of a link (`enum bpf_link_type`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum LinkType {
            $(
                #[doc = concat!("`BPF_LINK_TYPE_", stringify!($kernel), "`.")]
                $name = aya_uapi::LinkType::$kernel.0 as isize,
            )*
        }

        impl TryFrom<u32> for LinkType {
            type Error = LinkError;

            fn try_from(number: u32) -> Result<Self, LinkError> {
                match aya_uapi::LinkType(number) {
                    $(aya_uapi::LinkType::$kernel => Ok(Self::$name),)*
                    aya_uapi::LinkType(unknown) => Err(LinkError::UnknownLinkType(unknown)),
                }
            }
        }
    };
}

link_types! {
    Unspecified = UNSPEC,
    RawTracePoint = RAW_TRACEPOINT,
    Tracing = TRACING,
    Cgroup = CGROUP,
    Iter = ITER,
    Netns = NETNS,
    SockMap = SOCKMAP,
    Xdp = XDP,
    PerfEvent = PERF_EVENT,
    KProbeMulti = KPROBE_MULTI,
    StructOps = STRUCT_OPS,
    Netfilter = NETFILTER,
    Tcx = TCX,
    UProbeMulti = UPROBE_MULTI,
    Netkit = NETKIT,
}

/// What the kernel knows about a link.
#[derive(Debug)]
pub struct LinkInfo(bpf_link_info);

impl LinkInfo {
    pub(crate) fn from_fd(fd: BorrowedFd<'_>) -> Result<Self, LinkError> {
        Ok(Self(bpf::link_info(fd).map_err(SyscallError::from)?))
    }

    /// The number that names the link until it is freed.
    pub const fn id(&self) -> u32 {
        self.0.id
    }

    /// The number of the program that the link holds.
    pub const fn program_id(&self) -> u32 {
        self.0.prog_id
    }

    /// The link's mechanism.
    ///
    /// # Errors
    ///
    /// [`LinkError::UnknownLinkType`] for mechanisms newer than this library.
    pub fn link_type(&self) -> Result<LinkType, LinkError> {
        LinkType::try_from(self.0.type_)
    }
}
