/// Bit fields that follow one another, in the bytes that hold them.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct __BindgenBitfieldUnit<Storage> {
    storage: Storage,
}

impl<const BYTES: usize> __BindgenBitfieldUnit<[u8; BYTES]> {
    #[inline]
    pub const fn new(storage: [u8; BYTES]) -> Self {
        Self { storage }
    }

    /// One bit, counted as the kernel's C compiler does.
    #[inline]
    pub const fn get_bit(&self, index: usize) -> bool {
        self.get(index, 1) != 0
    }

    #[inline]
    pub const fn set_bit(&mut self, index: usize, value: bool) {
        self.set(index, 1, value as u64);
    }

    /// Up to 64 bits as a number.
    #[inline]
    pub const fn get(&self, bit: usize, width: u8) -> u64 {
        let mut value = 0;
        let mut done = 0;
        while done < width {
            let (byte, shift, count) = Self::chunk(bit + done as usize, width - done);
            let part = (self.storage[byte] >> shift) as u64 & (0xff >> (8 - count));
            value |= part << Self::place(done, count, width);
            done += count;
        }
        value
    }

    /// Up to 64 bits as a number whose highest bit is its sign.
    #[inline]
    pub const fn get_signed(&self, bit: usize, width: u8) -> i64 {
        let unused = 64 - width as u32;
        ((self.get(bit, width) << unused) as i64) >> unused
    }

    /// Stores the lowest bits of a number.
    #[inline]
    pub const fn set(&mut self, bit: usize, width: u8, value: u64) {
        let mut done = 0;
        while done < width {
            let (byte, shift, count) = Self::chunk(bit + done as usize, width - done);
            let mask = (0xff >> (8 - count)) as u8;
            let part = (value >> Self::place(done, count, width)) as u8 & mask;
            self.storage[byte] = self.storage[byte] & !(mask << shift) | part << shift;
            done += count;
        }
    }

    /// The same with other bits.
    #[inline]
    pub const fn with(mut self, bit: usize, width: u8, value: u64) -> Self {
        self.set(bit, width, value);
        self
    }

    /// Bits that lie in one byte, of `left` from `bit` on: the byte, by how much they are shifted in
    /// it, and how many they are.
    #[inline]
    const fn chunk(bit: usize, left: u8) -> (usize, u8, u8) {
        let start = (bit % 8) as u8;
        let count = if left < 8 - start { left } else { 8 - start };
        let shift = if cfg!(target_endian = "big") { 8 - start - count } else { start };
        (bit / 8, shift, count)
    }

    /// Where the bits of a chunk stand in the whole number.
    #[inline]
    const fn place(done: u8, count: u8, width: u8) -> u8 {
        if cfg!(target_endian = "big") { width - done - count } else { done }
    }
}

/// An array without a length of its own (`T name[]`), which goes on behind the struct.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct __IncompleteArrayField<T>([T; 0]);

impl<T> __IncompleteArrayField<T> {
    #[inline]
    pub const fn new() -> Self {
        Self([])
    }

    #[inline]
    pub const fn as_ptr(&self) -> *const T {
        self as *const Self as *const T
    }

    #[inline]
    pub const fn as_mut_ptr(&mut self) -> *mut T {
        self as *mut Self as *mut T
    }

    /// # Safety
    ///
    /// `len` elements must lie there.
    #[inline]
    pub const unsafe fn as_slice(&self, len: usize) -> &[T] {
        // SAFETY: the caller's promise.
        unsafe { ::core::slice::from_raw_parts(self.as_ptr(), len) }
    }

    /// # Safety
    ///
    /// `len` elements must lie there.
    #[inline]
    pub const unsafe fn as_mut_slice(&mut self, len: usize) -> &mut [T] {
        // SAFETY: the caller's promise.
        unsafe { ::core::slice::from_raw_parts_mut(self.as_mut_ptr(), len) }
    }
}

/// What every struct and union is: plain data, laid out as in the kernel. That is compared here, the
/// fields in builds with debug assertions, as of `cargo check`: each costs compile time. Pointers have
/// 64 bits in eBPF.
macro_rules! __kernel_type {
    ($type:ident $size:literal $($field:ident $offset:literal)*) => {
        impl Copy for $type {}
        impl Clone for $type {
            #[inline]
            fn clone(&self) -> Self {
                *self
            }
        }
        #[cfg(target_pointer_width = "64")]
        const _: () = assert!(::core::mem::size_of::<$type>() == $size);
        #[cfg(all(target_pointer_width = "64", debug_assertions))]
        const _: () = {
            $(assert!(::core::mem::offset_of!($type, $field) == $offset);)*
        };
    };
}

