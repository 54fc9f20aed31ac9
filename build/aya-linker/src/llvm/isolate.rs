//! Runs LLVM in a child process, so that its way of ending the process on a fatal error is an error
//! here, and everything it allocates is gone afterwards.

use std::ffi::{CStr, c_char};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::api;

/// Where the fatal error handler of the child writes to.
static ANSWER: AtomicI32 = AtomicI32::new(-1);

/// The first byte of an answer: the work's own bytes, or LLVM's last words.
const DONE: u8 = 0;
const FATAL: u8 = 1;

extern "C" fn fatal(reason: *const c_char) {
    // SAFETY: LLVM passes a zero-terminated string. The descriptor is the child's end of the pipe;
    // `_exit` ends the child without running what belongs to its parent.
    unsafe {
        let text = CStr::from_ptr(reason).to_bytes();
        let fd = ANSWER.load(Ordering::Relaxed);
        libc::write(fd, [FATAL].as_ptr().cast(), 1);
        libc::write(fd, text.as_ptr().cast(), text.len());
        libc::_exit(1);
    }
}

/// Makes LLVM's fatal errors reach the parent. For the child, once LLVM is open.
pub(crate) fn catch_fatal_errors() {
    // SAFETY: the handler has the signature that LLVM calls it with.
    unsafe { (api().LLVMInstallFatalErrorHandler)(fatal) }
}

/// Runs `work` in a child process and gives what it returns.
///
/// # Errors
/// How the child ended, when it did so without an answer.
pub(crate) fn run(work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, String> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(format!("no pipe: {}", std::io::Error::last_os_error()));
    }
    let [reader, writer] = ends;
    // SAFETY: fresh descriptors that nothing else owns.
    let (mut reader, writer) = unsafe { (File::from_raw_fd(reader), OwnedFd::from_raw_fd(writer)) };
    // SAFETY: the child only computes, writes to its pipe and ends with `_exit`; the C library makes
    // its allocator usable after a fork.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(format!(
            "no child process: {}",
            std::io::Error::last_os_error()
        ));
    }
    if child == 0 {
        ANSWER.store(writer.as_raw_fd(), Ordering::Relaxed);
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let mut writer = File::from(writer);
        let sent = match answer {
            Ok(answer) => writer
                .write_all(&[DONE])
                .and_then(|()| writer.write_all(&answer))
                .is_ok(),
            Err(_) => false,
        };
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(i32::from(!sent)) }
    }
    drop(writer);
    let mut answer = Vec::new();
    let read = reader.read_to_end(&mut answer);
    let mut status = 0;
    // SAFETY: our own child, waited for once.
    while unsafe { libc::waitpid(child, &mut status, 0) } < 0 {
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            break;
        }
    }
    read.map_err(|error| format!("lost the child process: {error}"))?;
    match answer.split_first() {
        Some((&DONE, answer)) if status == 0 => Ok(answer.to_vec()),
        Some((&FATAL, reason)) => Err(String::from_utf8_lossy(reason).trim().to_owned()),
        _ if libc::WIFSIGNALED(status) => {
            Err(format!("killed by signal {}", libc::WTERMSIG(status)))
        }
        _ => Err("ended without an answer".to_owned()),
    }
}
