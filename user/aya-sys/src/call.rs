//! The one door to the kernel: bpf(2), and the other system calls by their wrappers here.

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use aya_uapi::{Cmd, attr};

use crate::{Errno, Error, Result};

/// Arguments of a bpf(2) command.
///
/// # Safety
///
/// Any bytes are a valid value, and there is no padding.
pub(crate) unsafe trait Attr {}

macro_rules! attrs {
    ($($name:ident)*) => {$(
        // SAFETY: integers and arrays of them; the generator makes padding explicit, and the layout
        // tests of aya-uapi check that.
        unsafe impl Attr for attr::$name {}
    )*};
}

attrs! {
    MapCreate MapElem MapBatch ProgLoad Obj ProgAttach TestRun GetId GetInfo ProgQuery
    RawTracepointOpen BtfLoad TaskFdQuery LinkCreate LinkCreateIter LinkCreatePerfEvent
    LinkCreateKprobeMulti LinkCreateTracing LinkCreateNetfilter LinkCreateRelative
    LinkCreateUprobeMulti LinkUpdate LinkDetach EnableStats IterCreate ProgBindMap
}

macro_rules! call_names {
    ($($name:ident)*) => {
        /// The call's name in messages.
        pub(crate) const fn name(cmd: Cmd) -> &'static str {
            match cmd {
                $(Cmd::$name => concat!("bpf(BPF_", stringify!($name), ")"),)*
                _ => "bpf",
            }
        }
    };
}

call_names! {
    MAP_CREATE MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY PROG_LOAD OBJ_PIN
    OBJ_GET PROG_ATTACH PROG_DETACH PROG_TEST_RUN PROG_GET_NEXT_ID MAP_GET_NEXT_ID
    PROG_GET_FD_BY_ID MAP_GET_FD_BY_ID OBJ_GET_INFO_BY_FD PROG_QUERY RAW_TRACEPOINT_OPEN BTF_LOAD
    BTF_GET_FD_BY_ID TASK_FD_QUERY MAP_LOOKUP_AND_DELETE_ELEM MAP_FREEZE BTF_GET_NEXT_ID
    MAP_LOOKUP_BATCH MAP_LOOKUP_AND_DELETE_BATCH MAP_UPDATE_BATCH MAP_DELETE_BATCH LINK_CREATE
    LINK_UPDATE LINK_GET_FD_BY_ID LINK_GET_NEXT_ID ENABLE_STATS ITER_CREATE LINK_DETACH
    PROG_BIND_MAP TOKEN_CREATE
}

/// bpf(2). Returns what the call returned: a descriptor, or 0.
///
/// # Safety
///
/// Addresses in `attr` are 0 or those of memory that the command may read or write as far as it does,
/// for as long as the call lasts.
#[inline]
pub(crate) unsafe fn bpf<A: Attr>(cmd: Cmd, attr: &mut A) -> Result<i32> {
    #[cfg(any(test, feature = "fake"))]
    {
        // SAFETY: `Attr` has no padding and any bytes are valid; the slice borrows `attr`.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(std::ptr::from_mut(attr).cast::<u8>(), size_of::<A>())
        };
        // SAFETY: the caller vouches for the addresses.
        if let Some(answer) = unsafe { crate::fake::intercept(cmd, bytes) } {
            return answer.map_err(|errno| Error::new(name(cmd), errno));
        }
    }
    // SAFETY: `attr` is a command's arguments of the given size; the caller vouches for the addresses.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            cmd.0,
            std::ptr::from_mut(attr),
            size_of::<A>(),
        )
    };
    if result < 0 {
        Err(Error::last(name(cmd)))
    } else {
        // A descriptor or 0: both are ints.
        Ok(result as i32)
    }
}

/// [`bpf`] for commands that return a new descriptor.
///
/// # Safety
///
/// As for [`bpf`]; and the command returns a descriptor.
pub(crate) unsafe fn bpf_fd<A: Attr>(cmd: Cmd, attr: &mut A) -> Result<OwnedFd> {
    // SAFETY: as the caller says.
    let fd = unsafe { bpf(cmd, attr) }?;
    // SAFETY: the command has just made it, and nobody else knows it. The kernel sets close-on-exec.
    Ok(unsafe { owned(fd) })
}

/// # Safety
///
/// `fd` is an open descriptor without an owner.
pub(crate) unsafe fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: as the caller says.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Checks the result of a libc function that returns -1 on failure.
pub(crate) fn check(call: &'static str, result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 {
        Err(Error::last(call))
    } else {
        Ok(result)
    }
}

/// The address of a slice for the kernel; 0 for an empty one, whose address means nothing.
#[inline]
pub(crate) fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_ptr().expose_provenance() as u64
    }
}

/// As [`address`], of memory that the kernel writes.
#[inline]
pub(crate) fn address_mut<T>(slice: &mut [T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_mut_ptr().expose_provenance() as u64
    }
}

/// The length of a slice where the kernel takes 32 bits.
pub(crate) fn length<T>(cmd: Cmd, slice: &[T]) -> Result<u32> {
    u32::try_from(slice.len()).map_err(|_| Error::new(name(cmd), Errno::E2BIG))
}

/// A name as the kernel takes it: 15 bytes at most of letters, digits, `_` and `.`; others become `_`.
pub(crate) fn object_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        let legal = from.is_ascii_alphanumeric() || from == b'_' || from == b'.';
        *to = if legal { from } else { b'_' };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(&object_name("a-b::c"), b"a_b__c\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(
            &object_name("a.very_long_name_indeed"),
            b"a.very_long_nam\0"
        );
        for cmd in Cmd::ALL {
            let name = name(*cmd);
            assert!(name == "bpf" || name == format!("bpf({cmd})"));
        }
    }
}
