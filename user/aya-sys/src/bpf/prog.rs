//! Programs.

use std::{
    ffi::CStr,
    os::fd::{BorrowedFd, OwnedFd},
};

use aya_uapi::{AttachType, Cmd, Insn, ProgType, attr};

use super::{LinkTarget, number, optional};
use crate::{
    Errno, Result,
    call::{self, address, address_mut, bpf, bpf_fd, length},
};

/// What a program is loaded with. [`ProgLoad::new`] has the rest empty.
#[derive(Debug)]
pub struct ProgLoad<'a> {
    /// Type.
    pub prog_type: ProgType,
    /// Hook it will attach to, where the verifier must know. Since kernel 4.17.
    pub expected_attach_type: Option<AttachType>,
    /// `BPF_F_SLEEPABLE`, `BPF_F_XDP_HAS_FRAGS`, …
    pub flags: u32,
    /// The instructions, maps as descriptors.
    pub insns: &'a [Insn],
    /// Licence: some helpers need a GPL-compatible one.
    pub license: &'a CStr,
    /// `LINUX_VERSION_CODE`; kernels before 5.0 compare it for kprobes.
    pub kernel_version: u32,
    /// Name for people, cut to 15 bytes; empty on kernels before 4.15.
    pub name: &'a str,
    /// Types and source lines. Since kernel 4.18, records since 5.0.
    pub btf: Option<ProgBtf<'a>>,
    /// Type id of what the program attaches to. Since kernel 5.5.
    pub attach_btf_id: u32,
    /// The program it attaches to, or the module's BTF that holds [`attach_btf_id`](Self::attach_btf_id).
    pub attach_to: Option<BorrowedFd<'a>>,
    /// Descriptors that instructions name by index, such as the BTF of modules with kernel functions.
    /// Since kernel 5.14.
    pub fd_array: &'a [i32],
    /// Whether the program is to hold what [`fd_array`](Self::fd_array) names, whether its instructions do
    /// or not. Since kernel 6.14.
    pub bind_fd_array: bool,
    /// Interface whose device runs the program. Since kernel 4.16.
    pub interface: u32,
    /// What the verifier's log tells: 0 nothing, 1 the decisions, 2 every state; 4 adds figures.
    pub log_level: u32,
    /// Where the log goes, ended by a zero byte; the load fails with `ENOSPC` if it does not fit.
    pub log: Option<&'a mut [u8]>,
}

/// A program's types and source lines.
#[derive(Clone, Copy, Debug)]
pub struct ProgBtf<'a> {
    /// The BTF.
    pub fd: BorrowedFd<'a>,
    /// `struct bpf_func_info` records, 8 bytes each; none on kernels before 5.0.
    pub func_info: &'a [u8],
    /// `struct bpf_line_info` records, 16 bytes each; none on kernels before 5.0.
    pub line_info: &'a [u8],
}

impl<'a> ProgLoad<'a> {
    /// A program of a type, all else empty.
    pub const fn new(prog_type: ProgType, insns: &'a [Insn], license: &'a CStr) -> Self {
        Self {
            prog_type,
            expected_attach_type: None,
            flags: 0,
            insns,
            license,
            kernel_version: 0,
            name: "",
            btf: None,
            attach_btf_id: 0,
            attach_to: None,
            fd_array: &[],
            bind_fd_array: false,
            interface: 0,
            log_level: 0,
            log: None,
        }
    }
}

const FUNC_INFO_SIZE: u32 = 8;
const LINE_INFO_SIZE: u32 = 16;

/// Times that a load is repeated when signals keep interrupting the verifier.
const ATTEMPTS: usize = 5;

/// Loads a program (`BPF_PROG_LOAD`). Since kernel 3.18.
///
/// The verifier refuses with `EACCES`, `EINVAL` or others, and says why in the log. A load that a
/// signal interrupted (`EAGAIN`) is repeated.
pub fn prog_load(prog: ProgLoad<'_>) -> Result<OwnedFd> {
    let cmd = Cmd::PROG_LOAD;
    let mut attr = attr::ProgLoad {
        prog_type: prog.prog_type.0,
        insn_cnt: length(cmd, prog.insns)?,
        insns: address(prog.insns),
        license: address(prog.license.to_bytes_with_nul()),
        log_level: prog.log_level,
        kern_version: prog.kernel_version,
        prog_flags: prog.flags,
        prog_name: call::object_name(prog.name),
        prog_ifindex: prog.interface,
        expected_attach_type: prog.expected_attach_type.map_or(0, u32::from),
        attach_btf_id: prog.attach_btf_id,
        attach_prog_fd: optional(prog.attach_to),
        fd_array: address(prog.fd_array),
        fd_array_cnt: match prog.bind_fd_array {
            true => length(cmd, prog.fd_array)?,
            false => 0,
        },
        ..attr::ProgLoad::ZEROED
    };
    if let Some(log) = prog.log {
        attr.log_size = length(cmd, log)?;
        attr.log_buf = address_mut(log);
    }
    if let Some(btf) = prog.btf {
        attr.prog_btf_fd = number(btf.fd);
        if !btf.func_info.is_empty() {
            attr.func_info_rec_size = FUNC_INFO_SIZE;
            attr.func_info_cnt = length(cmd, btf.func_info)? / FUNC_INFO_SIZE;
            attr.func_info = address(btf.func_info);
        }
        if !btf.line_info.is_empty() {
            attr.line_info_rec_size = LINE_INFO_SIZE;
            attr.line_info_cnt = length(cmd, btf.line_info)? / LINE_INFO_SIZE;
            attr.line_info = address(btf.line_info);
        }
    }
    let mut attempt = 1;
    loop {
        // SAFETY: all addresses are those of slices in `prog`, with their lengths; the kernel writes to
        // the log alone.
        match unsafe { bpf_fd(cmd, &mut attr) } {
            Err(error) if error.errno == Errno::EAGAIN && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

/// What a program is attached with, where the hook has no link.
#[derive(Clone, Copy, Debug)]
pub struct ProgAttach<'a> {
    /// What to attach to.
    pub target: LinkTarget<'a>,
    /// Which of its hooks.
    pub attach_type: AttachType,
    /// `BPF_F_ALLOW_MULTI`, `BPF_F_REPLACE`, …
    pub flags: u32,
    /// With `BPF_F_REPLACE`: the program to take the place of. Since kernel 5.6.
    pub replace: Option<BorrowedFd<'a>>,
}

/// Attaches a program (`BPF_PROG_ATTACH`); it stays until it is detached. Since kernel 4.10.
pub fn prog_attach(prog: BorrowedFd<'_>, how: &ProgAttach<'_>) -> Result<()> {
    attach(Cmd::PROG_ATTACH, Some(prog), how)
}

/// Detaches a program (`BPF_PROG_DETACH`); `None` detaches whatever is there, where only one can be.
/// Since kernel 4.10.
pub fn prog_detach(
    prog: Option<BorrowedFd<'_>>,
    target: LinkTarget<'_>,
    attach_type: AttachType,
) -> Result<()> {
    let how = ProgAttach {
        target,
        attach_type,
        flags: 0,
        replace: None,
    };
    attach(Cmd::PROG_DETACH, prog, &how)
}

fn attach(cmd: Cmd, prog: Option<BorrowedFd<'_>>, how: &ProgAttach<'_>) -> Result<()> {
    let mut attr = attr::ProgAttach {
        target_fd: how.target.number(),
        attach_bpf_fd: optional(prog),
        attach_type: how.attach_type.0,
        attach_flags: how.flags,
        replace_bpf_fd: optional(how.replace),
        ..attr::ProgAttach::ZEROED
    };
    // SAFETY: no addresses.
    unsafe { bpf(cmd, &mut attr) }.map(drop)
}

/// What is attached to a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgQuery {
    /// Ids of the programs, in the order they run.
    pub prog_ids: Vec<u32>,
    /// Flags that they were attached with.
    pub attach_flags: u32,
    /// Number of changes to the hook so far; 0 on kernels before 6.6.
    pub revision: u64,
}

/// Lists the programs of a hook (`BPF_PROG_QUERY`); `flags` may be `BPF_F_QUERY_EFFECTIVE`.
/// Since kernel 4.15.
pub fn prog_query(
    target: LinkTarget<'_>,
    attach_type: AttachType,
    flags: u32,
) -> Result<ProgQuery> {
    let cmd = Cmd::PROG_QUERY;
    let mut prog_ids = vec![0u32; 16];
    loop {
        let mut attr = attr::ProgQuery {
            target_fd: target.number(),
            attach_type: attach_type.0,
            query_flags: flags,
            prog_ids: address_mut(&mut prog_ids),
            prog_cnt: length(cmd, &prog_ids)?,
            ..attr::ProgQuery::ZEROED
        };
        // SAFETY: `prog_ids` has room for as many ids as said.
        let result = unsafe { bpf(cmd, &mut attr) };
        let count = attr.prog_cnt as usize;
        match result {
            Ok(_) => {
                prog_ids.truncate(count);
                return Ok(ProgQuery {
                    prog_ids,
                    attach_flags: attr.attach_flags,
                    revision: attr.revision,
                });
            }
            // The kernel has said how many there are.
            Err(error) if error.errno == Errno::ENOSPC && count > prog_ids.len() => {
                prog_ids.resize(count, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Input and output buffers of a test run.
#[derive(Debug, Default)]
pub struct TestRun<'a> {
    /// The packet, for types that have one.
    pub data_in: Option<&'a [u8]>,
    /// The packet afterwards.
    pub data_out: Option<&'a mut [u8]>,
    /// The context, as the program sees it.
    pub ctx_in: Option<&'a [u8]>,
    /// The context afterwards.
    pub ctx_out: Option<&'a mut [u8]>,
    /// How often to run.
    pub repeat: u32,
    /// `BPF_F_TEST_RUN_ON_CPU` (5.10), `BPF_F_TEST_XDP_LIVE_FRAMES` (5.18).
    pub flags: u32,
    /// CPU to run on, with the flag.
    pub cpu: u32,
    /// Packets at once, for live frames.
    pub batch_size: u32,
}

/// What a test run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestRunOutput {
    /// What the program returned the last time.
    pub return_value: u32,
    /// Mean time of one run in nanoseconds.
    pub duration_ns: u32,
    /// Size of the packet afterwards; more than the buffer's if it did not fit.
    pub data_size_out: u32,
    /// Size of the context afterwards.
    pub ctx_size_out: u32,
}

/// Runs a program on data of the caller's (`BPF_PROG_TEST_RUN`). Since kernel 4.12, contexts 5.2.
///
/// `ENOSPC` if an output buffer is too small; `EOPNOTSUPP` or 524 if the type cannot be run so.
pub fn prog_test_run(prog: BorrowedFd<'_>, run: TestRun<'_>) -> Result<TestRunOutput> {
    let cmd = Cmd::PROG_TEST_RUN;
    let mut attr = attr::TestRun {
        prog_fd: number(prog),
        repeat: run.repeat,
        flags: run.flags,
        cpu: run.cpu,
        batch_size: run.batch_size,
        ..attr::TestRun::ZEROED
    };
    if let Some(data) = run.data_in {
        attr.data_size_in = length(cmd, data)?;
        attr.data_in = address(data);
    }
    if let Some(data) = run.data_out {
        attr.data_size_out = length(cmd, data)?;
        attr.data_out = address_mut(data);
    }
    if let Some(ctx) = run.ctx_in {
        attr.ctx_size_in = length(cmd, ctx)?;
        attr.ctx_in = address(ctx);
    }
    if let Some(ctx) = run.ctx_out {
        attr.ctx_size_out = length(cmd, ctx)?;
        attr.ctx_out = address_mut(ctx);
    }
    // SAFETY: the addresses are those of the buffers, with their sizes.
    unsafe { bpf(cmd, &mut attr) }?;
    Ok(TestRunOutput {
        return_value: attr.retval,
        duration_ns: attr.duration,
        data_size_out: attr.data_size_out,
        ctx_size_out: attr.ctx_size_out,
    })
}

/// Keeps a map alive as long as a program (`BPF_PROG_BIND_MAP`). Since kernel 5.10.
pub fn prog_bind_map(prog: BorrowedFd<'_>, map: BorrowedFd<'_>) -> Result<()> {
    let mut attr = attr::ProgBindMap {
        prog_fd: number(prog),
        map_fd: number(map),
        flags: 0,
    };
    // SAFETY: no addresses.
    unsafe { bpf(Cmd::PROG_BIND_MAP, &mut attr) }.map(drop)
}
