//! Helpers: functions that the kernel offers to eBPF programs.
//!
//! [`generated`] has all of them as the kernel declares them, `unsafe` and with raw pointers. Here are
//! typed forms of the common ones; where one has the same name as a raw helper, it takes its place.
//! Which helpers a program may call depends on its kind and licence; the verifier says so.
//!
//! What a helper returns as a negative error number is the `Err` here.

use core::{
    cmp::Ordering,
    ffi::{CStr, c_void},
    mem::MaybeUninit,
};

pub mod generated;
mod printk;

pub use generated::*;
pub use printk::{PrintkArg, bpf_printk};

#[doc(hidden)]
pub use printk::{trace_printk, trace_vprintk};

/// Size of a task's name, the final 0 included (`TASK_COMM_LEN`).
pub const TASK_COMM_LEN: usize = 16;

/// Wraps helpers that take nothing and cannot fail.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident -> $ret:ty;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name() -> $ret {
            // SAFETY: takes nothing and only returns a number.
            unsafe { generated::$name() as $ret }
        }
    )*};
}

numbers! {
    /// Nanoseconds since the system started, without the time it was suspended. Since Linux 4.1.
    bpf_ktime_get_ns -> u64;
    /// Nanoseconds since the system started, with the time it was suspended. Since Linux 5.7.
    bpf_ktime_get_boot_ns -> u64;
    /// A pseudo-random number, not fit for cryptography. Since Linux 4.1.
    bpf_get_prandom_u32 -> u32;
    /// The number of the running CPU. Since Linux 4.1.
    bpf_get_smp_processor_id -> u32;
    /// Process id in the upper half, thread id in the lower. Since Linux 4.2.
    bpf_get_current_pid_tgid -> u64;
    /// Group id in the upper half, user id in the lower. Since Linux 4.2.
    bpf_get_current_uid_gid -> u64;
    /// Id of the cgroup v2 of the running task. Since Linux 4.18.
    bpf_get_current_cgroup_id -> u64;
}

/// `Ok` for 0, the error otherwise.
#[inline(always)]
fn check(ret: i64) -> Result<(), i32> {
    if ret == 0 { Ok(()) } else { Err(ret as i32) }
}

/// The name of the running task, zero-padded. Since Linux 4.2.
///
/// # Errors
///
/// A negative error number, when there is no task.
#[inline(always)]
pub fn bpf_get_current_comm() -> Result<[u8; TASK_COMM_LEN], i32> {
    let mut comm = MaybeUninit::<[u8; TASK_COMM_LEN]>::uninit();
    // SAFETY: the helper writes the whole array, on failure too.
    unsafe {
        let ret = generated::bpf_get_current_comm(comm.as_mut_ptr().cast(), TASK_COMM_LEN as u32);
        check(ret).map(|()| comm.assume_init())
    }
}

/// Generates the typed readers of one helper that copies memory.
macro_rules! readers {
    ($($(#[$doc:meta])* $read:ident, $read_buf:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// `-EFAULT` when the address is not readable.
        ///
        /// # Safety
        ///
        /// `T` must be plain data: any bytes must be a valid value. The address may be anything.
        #[inline(always)]
        pub unsafe fn $read<T>(src: *const T) -> Result<T, i32> {
            let mut value = MaybeUninit::<T>::uninit();
            // SAFETY: the helper writes `size_of::<T>()` bytes, zeros on failure.
            unsafe {
                let ret = generated::$read(
                    value.as_mut_ptr().cast(),
                    size_of::<T>() as u32,
                    src.cast::<c_void>(),
                );
                check(ret).map(|()| value.assume_init())
            }
        }

        #[doc = concat!("Fills `dst` as [`", stringify!($read), "`] does.")]
        ///
        /// # Errors
        ///
        /// `-EFAULT` when the memory is not readable; `dst` is zeros then.
        ///
        /// # Safety
        ///
        /// The address may be anything; what is there must be meant to be read.
        #[inline(always)]
        pub unsafe fn $read_buf(src: *const u8, dst: &mut [u8]) -> Result<(), i32> {
            // SAFETY: the helper writes `dst.len()` bytes.
            check(unsafe {
                generated::$read(dst.as_mut_ptr().cast(), dst.len() as u32, src.cast::<c_void>())
            })
        }
    )*};
}

readers! {
    /// Reads a value at a kernel or user address. Since Linux 4.1; where addresses of both kinds
    /// overlap, it reads the kernel's.
    bpf_probe_read, bpf_probe_read_buf;
    /// Reads a value at an address of the running process. Since Linux 5.5.
    bpf_probe_read_user, bpf_probe_read_user_buf;
    /// Reads a value at a kernel address. Since Linux 5.5.
    bpf_probe_read_kernel, bpf_probe_read_kernel_buf;
}

/// Generates a string reader.
macro_rules! string_readers {
    ($($(#[$doc:meta])* $read:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Returns the number of bytes in `dst`, the final 0 included; a longer string is cut.
        ///
        /// # Errors
        ///
        /// `-EFAULT` when the address is not readable.
        ///
        /// # Safety
        ///
        /// The address may be anything; what is there must be meant to be read.
        #[inline(always)]
        pub unsafe fn $read(src: *const u8, dst: &mut [u8]) -> Result<usize, i32> {
            // SAFETY: the helper writes at most `dst.len()` bytes.
            let len = unsafe {
                generated::$read(dst.as_mut_ptr().cast(), dst.len() as u32, src.cast::<c_void>())
            };
            if len < 0 { Err(len as i32) } else { Ok(len as usize) }
        }
    )*};
}

string_readers! {
    /// Copies a string from a kernel or user address. Since Linux 4.11.
    bpf_probe_read_str;
    /// Copies a string from an address of the running process. Since Linux 5.5.
    bpf_probe_read_user_str;
    /// Copies a string from a kernel address. Since Linux 5.5.
    bpf_probe_read_kernel_str;
}

/// As [`bpf_probe_read_user_str`]; returns the string without its final 0.
///
/// # Errors
///
/// `-EFAULT` when the address is not readable.
///
/// # Safety
///
/// The address may be anything; what is there must be meant to be read.
#[inline(always)]
pub unsafe fn bpf_probe_read_user_str_bytes(src: *const u8, dst: &mut [u8]) -> Result<&[u8], i32> {
    // SAFETY: the caller's promise.
    let len = unsafe { bpf_probe_read_user_str(src, dst) }?;
    Ok(string(dst, len))
}

/// As [`bpf_probe_read_kernel_str`]; returns the string without its final 0.
///
/// # Errors
///
/// `-EFAULT` when the address is not readable.
///
/// # Safety
///
/// The address may be anything; what is there must be meant to be read.
#[inline(always)]
pub unsafe fn bpf_probe_read_kernel_str_bytes(
    src: *const u8,
    dst: &mut [u8],
) -> Result<&[u8], i32> {
    // SAFETY: the caller's promise.
    let len = unsafe { bpf_probe_read_kernel_str(src, dst) }?;
    Ok(string(dst, len))
}

/// The first `len - 1` bytes of what a string reader filled. The bound is compared in a form that the
/// verifier follows.
#[inline(always)]
fn string(filled: &[u8], len: usize) -> &[u8] {
    let len = len.saturating_sub(1);
    filled.get(..len).unwrap_or(&[])
}

/// Writes `*src` to an address of the running process. For experiments: the kernel logs a warning.
/// Since Linux 4.8.
///
/// # Errors
///
/// `-EFAULT` or `-EPERM` when the address cannot be written now.
///
/// # Safety
///
/// It changes a process behind its back.
#[inline(always)]
pub unsafe fn bpf_probe_write_user<T>(dst: *mut T, src: *const T) -> Result<(), i32> {
    // SAFETY: the caller's promise.
    check(unsafe {
        generated::bpf_probe_write_user(dst.cast(), src.cast::<c_void>(), size_of::<T>() as u32)
    })
}

/// Compares `left`, up to its end or its first 0, with `right`, which must lie in read-only memory.
/// Since Linux 5.17.
#[inline(always)]
pub fn bpf_strncmp<const N: usize>(left: &[u8; N], right: &CStr) -> Ordering {
    // SAFETY: `left` has N bytes and `right` ends with 0.
    let ret =
        unsafe { generated::bpf_strncmp(left.as_ptr().cast(), N as u32, right.as_ptr().cast()) };
    ret.cmp(&0)
}
