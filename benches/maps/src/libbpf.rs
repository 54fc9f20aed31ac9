//! libbpf's C interface, as a program in C would use it.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
    ptr::{self, NonNull},
    rc::Rc,
    slice,
};

use aya::maps::MapData;
use aya_benches::Result;
use libbpf_rs::libbpf_sys as sys;

use crate::{
    bare,
    channels::{Drain, Sum},
};

/// A ring buffer's reader.
pub(crate) struct RingBuffer {
    raw: NonNull<sys::ring_buffer>,
    sum: Box<Sum>,
}

impl RingBuffer {
    pub(crate) fn new(map: &MapData) -> Result<Self> {
        let mut sum = Box::new(Sum::default());
        let context = ptr::from_mut(&mut *sum).cast();
        // SAFETY: the callback takes this context, which lives as long as the reader.
        let raw =
            unsafe { sys::ring_buffer__new(fd(map), Some(ring_sample), context, ptr::null()) };
        let raw = NonNull::new(raw).ok_or("libbpf opens no ring buffer")?;
        Ok(Self { raw, sum })
    }
}

impl Drain for RingBuffer {
    fn drain(&mut self) -> Sum {
        // SAFETY: a reader of ours; the callback writes the sum, which nobody else looks at meanwhile.
        unsafe { sys::ring_buffer__consume(self.raw.as_ptr()) };
        std::mem::take(&mut self.sum)
    }
}

impl Drop for RingBuffer {
    fn drop(&mut self) {
        // SAFETY: made by `ring_buffer__new`, and freed once.
        unsafe { sys::ring_buffer__free(self.raw.as_ptr()) }
    }
}

/// A ring buffer's reader of `libbpf-rs`.
pub(crate) struct SafeRingBuffer {
    reader: libbpf_rs::RingBuffer<'static>,
    sum: Rc<Cell<Sum>>,
}

impl SafeRingBuffer {
    pub(crate) fn new(map: &MapData) -> Result<Self> {
        let map = libbpf_rs::MapHandle::from_map_id(map.info()?.id())?;
        let sum = Rc::new(Cell::new(Sum::default()));
        let total = Rc::clone(&sum);
        let mut builder = libbpf_rs::RingBufferBuilder::new();
        builder.add(&map, move |record| {
            let mut sum = total.get();
            sum.add(record);
            total.set(sum);
            0
        })?;
        Ok(Self {
            reader: builder.build()?,
            sum,
        })
    }
}

impl Drain for SafeRingBuffer {
    fn drain(&mut self) -> Sum {
        // What went wrong is that not all records are counted.
        let _ = self.reader.consume();
        self.sum.take()
    }
}

unsafe extern "C" fn ring_sample(sum: *mut c_void, data: *mut c_void, len: sys::size_t) -> c_int {
    // SAFETY: the context is a `Sum` that nobody else uses; the data is a record of this length.
    unsafe { add(sum, data, len as usize) };
    0
}

/// # Safety
///
/// `sum` is a `Sum` that nobody else uses, `data` are `len` bytes.
#[inline(always)]
unsafe fn add(sum: *mut c_void, data: *const c_void, len: usize) {
    // SAFETY: as the caller says.
    let (sum, data) = unsafe {
        (
            &mut *sum.cast::<Sum>(),
            slice::from_raw_parts(data.cast::<u8>(), len),
        )
    };
    sum.add(data);
}

/// The readers of a perf event array's buffers.
pub(crate) struct PerfBuffer {
    raw: NonNull<sys::perf_buffer>,
    sum: Box<Sum>,
}

impl PerfBuffer {
    pub(crate) fn new(map: &MapData, pages: usize) -> Result<Self> {
        let mut sum = Box::new(Sum::default());
        let context = ptr::from_mut(&mut *sum).cast();
        // SAFETY: the callback takes this context, which lives as long as the readers.
        let raw = unsafe {
            sys::perf_buffer__new(
                fd(map),
                pages as sys::size_t,
                Some(perf_sample),
                None,
                context,
                ptr::null(),
            )
        };
        let raw = NonNull::new(raw).ok_or("libbpf opens no perf buffers")?;
        Ok(Self { raw, sum })
    }
}

impl Drain for PerfBuffer {
    fn drain(&mut self) -> Sum {
        // SAFETY: readers of ours; the callback writes the sum, which nobody else looks at meanwhile.
        unsafe { sys::perf_buffer__consume(self.raw.as_ptr()) };
        std::mem::take(&mut self.sum)
    }
}

impl Drop for PerfBuffer {
    fn drop(&mut self) {
        // SAFETY: made by `perf_buffer__new`, and freed once.
        unsafe { sys::perf_buffer__free(self.raw.as_ptr()) }
    }
}

unsafe extern "C" fn perf_sample(sum: *mut c_void, _cpu: c_int, data: *mut c_void, len: u32) {
    // SAFETY: the context is a `Sum` that nobody else uses; the data is a record of this length.
    unsafe { add(sum, data, len as usize) }
}

fn fd(map: &MapData) -> RawFd {
    map.fd().as_fd().as_raw_fd()
}

/// A map of `u32` and `u64`.
pub(crate) struct Table {
    fd: RawFd,
    /// As many as an element has.
    values: usize,
}

impl Table {
    /// `values` is how many an element has: 1, or the number of possible CPUs.
    pub(crate) fn new(map: &MapData, values: usize) -> Result<Self> {
        let fd = bare::table(map)?;
        Ok(Self { fd, values })
    }

    /// Copies an element into `values`, if it has as many.
    #[inline]
    pub(crate) fn get(&self, key: u32, values: &mut [u64]) -> bool {
        let (key, values) = match values.len() == self.values {
            true => (ptr::from_ref(&key).cast(), values.as_mut_ptr().cast()),
            false => return false,
        };
        // SAFETY: a key and as many values as the map's elements have.
        unsafe { sys::bpf_map_lookup_elem(self.fd, key, values) == 0 }
    }

    /// The key behind `key`.
    fn next_key(&self, key: Option<u32>) -> Option<u32> {
        let mut next = 0u32;
        let key = key.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: both are keys of the map's size.
        let error = unsafe {
            sys::bpf_map_get_next_key(self.fd, key.cast(), ptr::from_mut(&mut next).cast())
        };
        (error == 0).then_some(next)
    }

    /// All keys and values added up, each asked for by itself.
    pub(crate) fn sum_by_key(&self) -> u64 {
        let (mut sum, mut key) = (0, None);
        while let Some(next) = self.next_key(key) {
            let mut value = [0];
            if self.get(next, &mut value) {
                sum += u64::from(next) + value[0];
            }
            key = Some(next);
        }
        sum
    }

    /// All keys and values added up, in batches of as many as `buffers` hold. Of hash maps only, whose
    /// positions are numbers of 4 bytes.
    pub(crate) fn sum_by_batch(&self, buffers: &mut (Vec<u32>, Vec<u64>)) -> Result<u64> {
        let (keys, values) = buffers;
        let (mut sum, mut position, mut from) = (0, 0u32, ptr::null_mut());
        loop {
            let mut count = keys.len().min(values.len()) as u32;
            // SAFETY: keys and values have room for `count` of the map's sizes, a position for a hash
            // map's; `from` is null or the position.
            let error = unsafe {
                sys::bpf_map_lookup_batch(
                    self.fd,
                    from,
                    ptr::from_mut(&mut position).cast(),
                    keys.as_mut_ptr().cast(),
                    values.as_mut_ptr().cast(),
                    &mut count,
                    ptr::null(),
                )
            };
            if error != 0 && error != -libc::ENOENT {
                return Err(format!("libbpf finds no batch: {error}").into());
            }
            for (key, value) in keys.iter().zip(&*values).take(count as usize) {
                sum += u64::from(*key) + value;
            }
            if error != 0 {
                return Ok(sum);
            }
            from = ptr::from_mut(&mut position).cast();
        }
    }
}
