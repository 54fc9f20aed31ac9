//! A stand-in for the kernel: tests see every command and answer it, without privileges.
//!
//! [`run`] takes off what the same thread calls: the commands of bpf(2), and requests by netlink.
//!
//! ```
//! use aya_sys::{Errno, bpf, fake::{self, Reply}};
//! use aya_uapi::{Cmd, MapType};
//!
//! let (result, calls) = fake::run(
//!     |call| match call.cmd {
//!         Some(Cmd::MAP_CREATE) if call.object_name() == "denied" => Reply::Error(Errno::EPERM),
//!         _ => Reply::Fd,
//!     },
//!     || bpf::map_create(&bpf::MapCreate { name: "denied", ..bpf::MapCreate::new(MapType::HASH) }),
//! );
//! assert_eq!(result.unwrap_err().errno, Errno::EPERM);
//! assert_eq!(calls.len(), 1);
//! ```

use std::{
    cell::{Cell, RefCell},
    fs::File,
    mem::offset_of,
    os::fd::IntoRawFd as _,
};

use aya_uapi::{Cmd, Insn, attr};

use crate::{Errno, call};

/// A call that was taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name in messages.
    pub name: &'static str,
    /// The command of bpf(2); `None` for netlink.
    pub cmd: Option<Cmd>,
    /// The attribute's bytes, laid out as the struct in [`aya_uapi::attr`]; the message for netlink.
    pub attr: Vec<u8>,
    /// The instructions of a program that is loaded.
    pub insns: Vec<Insn>,
}

impl Call {
    /// The number at `offset` in the attribute, as `core::mem::offset_of!` gives it; 0 behind its end.
    pub fn u32(&self, offset: usize) -> u32 {
        read_u32(&self.attr, offset)
    }

    /// The name of the map or program that the call makes; empty for other calls.
    pub fn object_name(&self) -> String {
        let offset = match self.cmd {
            Some(Cmd::MAP_CREATE) => offset_of!(attr::MapCreate, map_name),
            Some(Cmd::PROG_LOAD) => offset_of!(attr::ProgLoad, prog_name),
            _ => return String::new(),
        };
        let bytes = self.attr.get(offset..).unwrap_or_default();
        let bytes = bytes.iter().take(16).take_while(|byte| **byte != 0);
        bytes.map(|byte| char::from(*byte)).collect()
    }
}

/// What the stand-in answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Success without a result.
    Ok,
    /// A new descriptor (of `/dev/null`).
    Fd,
    /// An error.
    Error(Errno),
    /// The verifier's refusal, with what goes into the log buffer as far as it fits; netlink's, with
    /// the kernel's words.
    Refused(Errno, String),
    /// For `BPF_OBJ_GET_INFO_BY_FD`: the bytes of the information, as far as they fit.
    Info(Vec<u8>),
}

type Handler = Box<dyn FnMut(&Call) -> Reply>;

thread_local! {
    static HANDLER: RefCell<Option<Handler>> = const { RefCell::new(None) };
    static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
    /// Whether a call is being answered: calls that the handler makes are the kernel's.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` with `handler` in the kernel's place on this thread; returns also what was called.
///
/// The stand-in goes when `body` returns or panics.
pub fn run<R>(
    handler: impl FnMut(&Call) -> Reply + 'static,
    body: impl FnOnce() -> R,
) -> (R, Vec<Call>) {
    struct Reset(Option<Handler>, Vec<Call>);
    impl Drop for Reset {
        fn drop(&mut self) {
            HANDLER.set(self.0.take());
            CALLS.set(std::mem::take(&mut self.1));
        }
    }
    let reset = Reset(HANDLER.replace(Some(Box::new(handler))), CALLS.take());
    let result = body();
    let calls = CALLS.take();
    drop(reset);
    (result, calls)
}

fn answer(call: Call) -> Option<Reply> {
    if BUSY.get() {
        return None;
    }
    let mut handler = HANDLER.take()?;
    BUSY.set(true);
    let reply = handler(&call);
    BUSY.set(false);
    HANDLER.set(Some(handler));
    CALLS.with_borrow_mut(|calls| calls.push(call));
    Some(reply)
}

/// Answers a command if there is a stand-in.
///
/// # Safety
///
/// As for [`call::bpf`]: addresses in the attribute are those of memory with the lengths beside them.
pub(crate) unsafe fn intercept(cmd: Cmd, attr: &mut [u8]) -> Option<Result<i32, Errno>> {
    if !HANDLER.with_borrow(|handler| handler.is_some()) {
        return None;
    }
    let insns = if cmd == Cmd::PROG_LOAD {
        let count = read_u32(attr, offset_of!(attr::ProgLoad, insn_cnt)) as usize;
        let start = read_u64(attr, offset_of!(attr::ProgLoad, insns));
        // SAFETY: the caller vouches for the address and count.
        unsafe { slice_at::<Insn>(start, count) }.to_vec()
    } else {
        Vec::new()
    };
    let reply = answer(Call {
        name: call::name(cmd),
        cmd: Some(cmd),
        attr: attr.to_vec(),
        insns,
    })?;
    Some(match reply {
        Reply::Ok => Ok(0),
        Reply::Fd => match File::open("/dev/null") {
            Ok(file) => Ok(file.into_raw_fd()),
            Err(_) => Err(Errno::last()),
        },
        Reply::Error(errno) => Err(errno),
        Reply::Refused(errno, log) => {
            if cmd == Cmd::PROG_LOAD {
                let size = read_u32(attr, offset_of!(attr::ProgLoad, log_size)) as usize;
                let start = read_u64(attr, offset_of!(attr::ProgLoad, log_buf));
                // SAFETY: the caller vouches for the address and length.
                unsafe { fill(start, size, log.as_bytes()) };
            }
            Err(errno)
        }
        Reply::Info(bytes) => {
            if cmd == Cmd::OBJ_GET_INFO_BY_FD {
                let size = read_u32(attr, offset_of!(attr::GetInfo, info_len)) as usize;
                let start = read_u64(attr, offset_of!(attr::GetInfo, info));
                // SAFETY: the caller vouches for the address and length.
                unsafe { fill(start, size, &bytes) };
            }
            Ok(0)
        }
    })
}

/// Answers a netlink request if there is a stand-in.
pub(crate) fn intercept_message(
    name: &'static str,
    message: &[u8],
) -> Option<Result<(), (Errno, Option<String>)>> {
    let reply = answer(Call {
        name,
        cmd: None,
        attr: message.to_vec(),
        insns: Vec::new(),
    })?;
    Some(match reply {
        Reply::Error(errno) => Err((errno, None)),
        Reply::Refused(errno, words) => Err((errno, Some(words))),
        Reply::Ok | Reply::Fd | Reply::Info(_) => Ok(()),
    })
}

fn read_u32(bytes: &[u8], offset: usize) -> u32 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn read_u64(bytes: &[u8], offset: usize) -> u64 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// # Safety
///
/// There are `len` values at `start` that live as long as the result; or `len` is 0.
unsafe fn slice_at<'a, T>(start: u64, len: usize) -> &'a [T] {
    if len == 0 || start == 0 {
        return &[];
    }
    // SAFETY: as the caller says; the address was exposed when it was put into the attribute.
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(start as usize), len) }
}

/// Copies as much of `bytes` as fits, ended by a zero byte if there is room.
///
/// # Safety
///
/// There are `len` bytes at `start` to write to, or `start` is 0.
unsafe fn fill(start: u64, len: usize, bytes: &[u8]) {
    if start == 0 {
        return;
    }
    let count = bytes.len().min(len);
    let to = std::ptr::with_exposed_provenance_mut::<u8>(start as usize);
    // SAFETY: within what the caller vouches for, and apart from `bytes`, which is the handler's.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count);
        if count < len {
            to.add(count).write(0);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{io::Write as _, os::fd::AsFd as _};

    use aya_uapi::{MapType, ProgType};

    use super::*;
    use crate::{Result, bpf, netlink};

    /// The result of what needs privileges, or `None` after saying why the test is skipped.
    pub(crate) fn needs_kernel<T>(test: &str, attempt: impl FnOnce() -> Result<T>) -> Option<T> {
        match attempt() {
            Ok(value) => Some(value),
            Err(error) if [Errno::EPERM, Errno::EACCES, Errno::ENOSYS].contains(&error.errno) => {
                let line = format!("SKIP: {test}: {error}: {}\n", error.errno);
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                None
            }
            Err(error) => panic!("{error}: {}", error.errno),
        }
    }

    #[test]
    fn records_and_answers() {
        let insns = [Insn::mov64_imm(0, 1), Insn::EXIT];
        let (log, calls) = run(
            |call| match call.cmd {
                Some(Cmd::PROG_LOAD) => Reply::Refused(Errno::EACCES, "R1 is bad".into()),
                Some(Cmd::OBJ_GET_INFO_BY_FD) => Reply::Info(vec![9, 0, 0, 0, 42]),
                None => Reply::Error(Errno::EBUSY),
                _ => Reply::Fd,
            },
            || {
                let map = bpf::map_create(&bpf::MapCreate {
                    name: "FLOWS",
                    ..bpf::MapCreate::new(MapType::LRU_HASH)
                })
                .unwrap();
                let info = bpf::map_info(map.as_fd()).unwrap();
                assert_eq!((info.type_, info.id), (9, 42));
                let route = netlink::Route::open().unwrap();
                let busy = route.xdp_attach(1, Some(map.as_fd()), None, 0);
                assert_eq!(busy.unwrap_err().error.errno, Errno::EBUSY);
                let mut log = [0xff; 6];
                let refused = bpf::prog_load(bpf::ProgLoad {
                    log_level: 1,
                    log: Some(&mut log),
                    ..bpf::ProgLoad::new(ProgType::XDP, &insns, c"GPL")
                });
                assert_eq!(refused.unwrap_err().errno, Errno::EACCES);
                log
            },
        );
        assert_eq!(&log, b"R1 is ");
        let names: Vec<_> = calls.iter().map(|call| call.name).collect();
        assert_eq!(
            names,
            [
                "bpf(BPF_MAP_CREATE)",
                "bpf(BPF_OBJ_GET_INFO_BY_FD)",
                "netlink(RTM_SETLINK)",
                "bpf(BPF_PROG_LOAD)"
            ]
        );
        assert_eq!(calls[0].object_name(), "FLOWS");
        assert_eq!(calls[0].u32(0), MapType::LRU_HASH.0);
        assert_eq!(calls[3].insns, insns);
    }

    #[test]
    fn goes_after_a_panic() {
        let result = std::panic::catch_unwind(|| run(|_| Reply::Fd, || panic!("in the test")));
        assert!(result.is_err());
        assert!(!HANDLER.with_borrow(|handler| handler.is_some()));
    }
}
