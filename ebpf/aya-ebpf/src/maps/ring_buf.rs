//! The ring buffer: records to user space, in order, from all CPUs.
//!
//! | record | made by |
//! | --- | --- |
//! | one type | [`reserve`](RingBuf::reserve), filled in place |
//! | a fixed number of bytes | [`reserve_bytes`](RingBuf::reserve_bytes), filled in place |
//! | what lies elsewhere already | [`output`](RingBuf::output), which copies |
//! | a length that only the running program knows | [`reserve_dynptr`](RingBuf::reserve_dynptr) |
//!
//! A record that finds no room is lost, which the program is told:
//! [`count_lost`](crate::maps::CountLost::count_lost) counts it for user space.

use core::{
    mem::{ManuallyDrop, MaybeUninit},
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use crate::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, bpf_dynptr},
    helpers::generated as raw,
    maps::{def::map_type, ops},
};

map_type! {
    /// A ring buffer. Since Linux 5.8.
    ///
    /// ```
    /// use aya_ebpf::{macros::map, maps::RingBuf};
    ///
    /// #[map]
    /// static EVENTS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);
    ///
    /// fn report(pid: u32) {
    ///     if let Some(mut event) = EVENTS.reserve::<u32>(0) {
    ///         event.write(pid);
    ///         event.submit(0);
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    RingBuf: () => (), RINGBUF,
    /// A ring buffer of `byte_size` bytes, a power of two that is a multiple of the page size (the
    /// loader rounds up); `flags` are creation flags.
    with_byte_size(byte_size, flags) = (byte_size, flags)
}

impl RingBuf {
    /// Room for a `T`, to be filled in place and submitted; `None` when the buffer is full.
    ///
    /// `flags` must be 0.
    #[inline(always)]
    pub fn reserve<T: 'static>(&self, flags: u64) -> Option<RingBufEntry<T>> {
        const {
            assert!(
                align_of::<T>() <= 8,
                "ring buffer records are aligned to 8 bytes, no more"
            )
        }
        // SAFETY: the size is constant; the verifier checks that the room is given back.
        let room = unsafe { raw::bpf_ringbuf_reserve(self.as_ptr(), size_of::<T>() as u64, flags) };
        NonNull::new(room.cast()).map(RingBufEntry)
    }

    /// Room for `size` bytes, which must be a constant; `None` when the buffer is full.
    ///
    /// `flags` must be 0.
    #[inline(always)]
    pub fn reserve_bytes(&self, size: usize, flags: u64) -> Option<RingBufBytes<'_>> {
        // SAFETY: the verifier checks that the size is constant and the room given back.
        let room = unsafe { raw::bpf_ringbuf_reserve(self.as_ptr(), size as u64, flags) };
        NonNull::new(room.cast::<u8>()).map(|room| {
            // SAFETY: the helper gives `size` bytes that nobody else has.
            RingBufBytes(unsafe { core::slice::from_raw_parts_mut(room.as_ptr(), size) })
        })
    }

    /// Copies `data` into the buffer as one record.
    ///
    /// `flags`: 0 wakes the reader if it has caught up, `BPF_RB_NO_WAKEUP` never,
    /// `BPF_RB_FORCE_WAKEUP` always. `T` must have no padding: its bytes go to user space.
    ///
    /// # Errors
    ///
    /// `-EAGAIN` when the buffer is full.
    #[inline(always)]
    pub fn output<T: ?Sized>(&self, data: &T, flags: u64) -> Result<(), i32> {
        let (data, size) = (ops::address(data).cast_mut(), size_of_val(data) as u64);
        // SAFETY: the helper reads `size` bytes.
        ops::check(unsafe { raw::bpf_ringbuf_output(self.as_ptr(), data, size, flags) })
    }

    /// Room for `size` bytes, any number; `None` when the buffer is full. Since Linux 5.19.
    ///
    /// The record is written through calls of the kernel, which check each place against the size. What is
    /// not written holds what an older record left there.
    ///
    /// ```
    /// use aya_ebpf::{macros::map, maps::{RingBuf, ring_buf::DynptrSlot}};
    ///
    /// #[map]
    /// static NAMES: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);
    ///
    /// /// A length, and so many bytes.
    /// fn report(name: &[u8]) -> Result<(), i32> {
    ///     let len = name.len() as u32;
    ///     let mut slot = DynptrSlot::new();
    ///     if let Some(mut record) = NAMES.reserve_dynptr(4 + len, &mut slot) {
    ///         record.write(0, &len)?;
    ///         record.write(4, name)?;
    ///         record.submit(0);
    ///     }
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    #[inline(always)]
    pub fn reserve_dynptr<'a>(
        &self,
        size: u32,
        slot: &'a mut DynptrSlot,
    ) -> Option<RingBufDynptr<'a>> {
        // SAFETY: the slot is the program's own; the verifier checks that the room is given back.
        let result =
            unsafe { raw::bpf_ringbuf_reserve_dynptr(self.as_ptr(), size, 0, slot.0.as_mut_ptr()) };
        // Where there is no room, the verifier still wants it to be given back: by the drop.
        let record = RingBufDynptr(slot);
        (result == 0).then_some(record)
    }

    /// Flags that wake the reader when `bytes` or more wait to be read, and leave it asleep before: for
    /// programs that send so much that waking the reader for each record is too dear.
    ///
    /// The reader has to look by itself from time to time, by a wait with a time limit: the last records
    /// before a pause wake nobody.
    ///
    /// ```
    /// # use aya_ebpf::{macros::map, maps::RingBuf};
    /// # #[map]
    /// # static EVENTS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);
    /// fn report(pid: u32) {
    ///     if let Some(mut event) = EVENTS.reserve::<u32>(0) {
    ///         event.write(pid);
    ///         event.submit(EVENTS.wakeup_at(16 * 1024));
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    #[inline(always)]
    pub fn wakeup_at(&self, bytes: u64) -> u64 {
        if self.query(u64::from(BPF_RB_AVAIL_DATA)) >= bytes {
            u64::from(BPF_RB_FORCE_WAKEUP)
        } else {
            u64::from(BPF_RB_NO_WAKEUP)
        }
    }

    /// A figure of the buffer, at the moment of asking: `BPF_RB_AVAIL_DATA`, `BPF_RB_RING_SIZE`,
    /// `BPF_RB_CONS_POS` or `BPF_RB_PROD_POS`.
    #[inline(always)]
    pub fn query(&self, flags: u64) -> u64 {
        // SAFETY: reads the buffer's positions.
        unsafe { raw::bpf_ringbuf_query(self.as_ptr(), flags) }
    }
}

/// Room in a ring buffer for a `T`.
///
/// Dropping it discards the record: no path out of a program can forget it.
#[must_use = "dropping the entry discards it; call `submit`"]
pub struct RingBufEntry<T: 'static>(NonNull<MaybeUninit<T>>);

impl<T> RingBufEntry<T> {
    /// Hands the record to user space. `flags` as for [`RingBuf::output`].
    #[inline(always)]
    pub fn submit(self, flags: u64) {
        let room = ManuallyDrop::new(self).0;
        // SAFETY: room from `bpf_ringbuf_reserve`, given back once.
        unsafe { raw::bpf_ringbuf_submit(room.as_ptr().cast(), flags) };
    }

    /// Gives the room back; user space sees nothing. `flags` as for [`RingBuf::output`].
    #[inline(always)]
    pub fn discard(self, flags: u64) {
        let room = ManuallyDrop::new(self).0;
        // SAFETY: room from `bpf_ringbuf_reserve`, given back once.
        unsafe { raw::bpf_ringbuf_discard(room.as_ptr().cast(), flags) };
    }
}

impl<T> Deref for RingBufEntry<T> {
    type Target = MaybeUninit<T>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        // SAFETY: the room is this entry's alone.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for RingBufEntry<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: the room is this entry's alone.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for RingBufEntry<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: room from `bpf_ringbuf_reserve`; `submit` and `discard` do not come here.
        unsafe { raw::bpf_ringbuf_discard(self.0.as_ptr().cast(), 0) };
    }
}

/// Room in a ring buffer for a number of bytes.
///
/// Dropping it discards the record.
#[must_use = "dropping the bytes discards them; call `submit`"]
pub struct RingBufBytes<'a>(&'a mut [u8]);

impl RingBufBytes<'_> {
    /// Hands the record to user space. `flags` as for [`RingBuf::output`].
    #[inline(always)]
    pub fn submit(self, flags: u64) {
        let mut room = ManuallyDrop::new(self);
        // SAFETY: room from `bpf_ringbuf_reserve`, given back once.
        unsafe { raw::bpf_ringbuf_submit(room.0.as_mut_ptr().cast(), flags) };
    }

    /// Gives the room back; user space sees nothing. `flags` as for [`RingBuf::output`].
    #[inline(always)]
    pub fn discard(self, flags: u64) {
        let mut room = ManuallyDrop::new(self);
        // SAFETY: room from `bpf_ringbuf_reserve`, given back once.
        unsafe { raw::bpf_ringbuf_discard(room.0.as_mut_ptr().cast(), flags) };
    }
}

impl Deref for RingBufBytes<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl DerefMut for RingBufBytes<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0
    }
}

impl Drop for RingBufBytes<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: room from `bpf_ringbuf_reserve`; `submit` and `discard` do not come here.
        unsafe { raw::bpf_ringbuf_discard(self.0.as_mut_ptr().cast(), 0) };
    }
}

/// Where a program keeps the hold on a record of variable size: a variable on its stack, which the
/// verifier does not let it move.
pub struct DynptrSlot(MaybeUninit<bpf_dynptr>);

impl DynptrSlot {
    /// An empty slot.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

impl Default for DynptrSlot {
    #[inline(always)]
    fn default() -> Self {
        Self::new()
    }
}

/// Room in a ring buffer for a number of bytes that only the running program knows.
///
/// Dropping it discards the record.
#[must_use = "dropping the record discards it; call `submit`"]
pub struct RingBufDynptr<'a>(&'a mut DynptrSlot);

impl RingBufDynptr<'_> {
    /// Copies `data` to `offset`. `T` must have no padding: its bytes go to user space.
    ///
    /// # Errors
    ///
    /// `-E2BIG` where it does not end inside of the record.
    #[inline(always)]
    pub fn write<T: ?Sized>(&mut self, offset: u32, data: &T) -> Result<(), i32> {
        let (data, size) = (ops::address(data).cast_mut(), size_of_val(data) as u64);
        // SAFETY: the helper reads `size` bytes of `data`, and checks against the size of the record.
        ops::check(unsafe {
            raw::bpf_dynptr_write(self.0.0.as_ptr(), u64::from(offset), data, size, 0)
        })
    }

    /// Hands the record to user space. `flags` as for [`RingBuf::output`].
    #[inline(always)]
    pub fn submit(self, flags: u64) {
        let record = ManuallyDrop::new(self);
        // SAFETY: room from `bpf_ringbuf_reserve_dynptr`, given back once.
        unsafe { raw::bpf_ringbuf_submit_dynptr(record.0.0.as_ptr().cast_mut(), flags) };
    }

    /// Gives the room back; user space sees nothing. `flags` as for [`RingBuf::output`].
    #[inline(always)]
    pub fn discard(self, flags: u64) {
        let record = ManuallyDrop::new(self);
        // SAFETY: room from `bpf_ringbuf_reserve_dynptr`, given back once.
        unsafe { raw::bpf_ringbuf_discard_dynptr(record.0.0.as_ptr().cast_mut(), flags) };
    }
}

impl Drop for RingBufDynptr<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: room from `bpf_ringbuf_reserve_dynptr`; `submit` and `discard` do not come here.
        unsafe { raw::bpf_ringbuf_discard_dynptr(self.0.0.as_mut_ptr(), 0) };
    }
}
