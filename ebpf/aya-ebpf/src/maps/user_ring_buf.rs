//! The user ring buffer: records from user space, in the order in which it submitted them.

use core::{ffi::c_void, marker::PhantomData, mem::MaybeUninit, ops::ControlFlow};

use bytemuck::AnyBitPattern;

use crate::{
    bindings::bpf_dynptr,
    helpers::generated as raw,
    maps::{def::map_type, ops},
};

map_type! {
    /// A ring buffer that user space writes. Since Linux 6.1.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use aya_ebpf::{GlobalMut, macros::map, maps::UserRingBuf};
    ///
    /// #[map]
    /// static ORDERS: UserRingBuf = UserRingBuf::with_byte_size(64 * 1024, 0);
    /// #[unsafe(no_mangle)]
    /// static LIMIT: GlobalMut<u32> = GlobalMut::new(0);
    ///
    /// fn obey() {
    ///     let _ = ORDERS.drain(
    ///         |order| {
    ///             if let Ok(limit) = order.read::<u32>(0) {
    ///                 LIMIT.store(limit);
    ///             }
    ///             ControlFlow::Continue(())
    ///         },
    ///         0,
    ///     );
    /// }
    /// # fn main() {}
    /// ```
    UserRingBuf: () => (), USER_RINGBUF,
    /// A ring buffer of `byte_size` bytes, a power of two that is a multiple of the page size (the
    /// loader rounds up); `flags` are creation flags.
    with_byte_size(byte_size, flags) = (byte_size, flags)
}

impl UserRingBuf {
    /// Calls `f` with each record that user space has submitted, until there is none, `f` breaks, or
    /// there were 131 072 (`BPF_MAX_USER_RINGBUF_SAMPLES`): then there may be more. Returns how many were
    /// consumed, the one at which it broke included.
    ///
    /// `flags`: 0 wakes user space where it waits for room, if something was consumed,
    /// `BPF_RB_NO_WAKEUP` never, `BPF_RB_FORCE_WAKEUP` always.
    ///
    /// # Errors
    ///
    /// `-EBUSY` while another program drains the buffer, `-EINVAL` and `-E2BIG` where user space has
    /// written what makes no sense.
    #[inline(always)]
    pub fn drain<F>(&self, mut f: F, flags: u64) -> Result<u32, i32>
    where
        F: FnMut(&UserRecord<'_>) -> ControlFlow<()>,
    {
        let callback = record::<F> as extern "C" fn(*mut bpf_dynptr, *mut F) -> i64;
        // SAFETY: the callback has the signature that the helper calls, and gets the context it takes.
        let drained = unsafe {
            raw::bpf_user_ringbuf_drain(
                self.as_ptr(),
                callback as *mut c_void,
                (&raw mut f).cast(),
                flags,
            )
        };
        u32::try_from(drained).map_err(|_| drained as i32)
    }
}

/// What the kernel calls for each record: 1 ends it.
extern "C" fn record<F>(dynptr: *mut bpf_dynptr, f: *mut F) -> i64
where
    F: FnMut(&UserRecord<'_>) -> ControlFlow<()>,
{
    // SAFETY: the helper passes on what `drain` gave it, which lives during the call.
    match unsafe { (*f)(&UserRecord(dynptr, PhantomData)) } {
        ControlFlow::Continue(()) => 0,
        ControlFlow::Break(()) => 1,
    }
}

/// A record that user space has sent. User space may change it at any time, so it can only be copied.
pub struct UserRecord<'a>(*const bpf_dynptr, PhantomData<&'a bpf_dynptr>);

impl UserRecord<'_> {
    /// A copy of the `T` at `offset`. The bytes are what user space has written, so `T` is a type that is
    /// valid whatever they are: an integer, or a structure of such with `bytemuck`'s derive.
    ///
    /// # Errors
    ///
    /// `-E2BIG` where it does not end inside of the record.
    #[inline(always)]
    pub fn read<T: AnyBitPattern>(&self, offset: u32) -> Result<T, i32> {
        let mut value = MaybeUninit::<T>::uninit();
        let to = value.as_mut_ptr().cast();
        let (size, offset) = (size_of::<T>() as u64, u64::from(offset));
        // SAFETY: the helper writes `size` bytes to `value`.
        ops::check(unsafe { raw::bpf_dynptr_read(to, size, self.0, offset, 0) })?;
        // SAFETY: all of it is written, and the type takes any bytes.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies the bytes at `offset`, as many as `buffer` has.
    ///
    /// # Errors
    ///
    /// `-E2BIG` where they do not end inside of the record.
    #[inline(always)]
    pub fn read_bytes(&self, offset: u32, buffer: &mut [u8]) -> Result<(), i32> {
        let (size, offset) = (buffer.len() as u64, u64::from(offset));
        // SAFETY: the helper writes `size` bytes to `buffer`.
        ops::check(unsafe {
            raw::bpf_dynptr_read(buffer.as_mut_ptr().cast(), size, self.0, offset, 0)
        })
    }
}
