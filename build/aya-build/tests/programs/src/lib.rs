//! What the test programs share. They have no dependency, so that they test the linker alone.
#![no_std]

use core::ffi::c_void;

#[repr(C)]
pub struct Context {
    pub data: u32,
    pub data_end: u32,
}

/// The little-endian word at an offset of the packet; 0 if it is too short.
#[inline(always)]
pub fn word(context: *mut Context, offset: usize) -> u64 {
    let (start, end) = unsafe { ((*context).data as usize, (*context).data_end as usize) };
    if start + offset + 8 > end {
        return 0;
    }
    unsafe { ((start + offset) as *const u64).read_unaligned() }
}

/// `aya_map_def` by the conventions between the crates.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct aya_map_def<K, V> {
    pub type_: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub map_flags: u32,
    pub numa_node: u32,
    pub pinning: u32,
    pub map_extra: u64,
    pub key: [*const K; 0],
    pub value: [*const V; 0],
}

/// A map inside of a wrapper type.
#[repr(transparent)]
pub struct Map<K, V>(core::cell::UnsafeCell<aya_map_def<K, V>>);

unsafe impl<K, V> Sync for Map<K, V> {}

impl<K, V> Map<K, V> {
    pub const fn new(type_: u32, max_entries: u32) -> Self {
        Self(core::cell::UnsafeCell::new(aya_map_def {
            type_,
            key_size: size_of::<K>() as u32,
            value_size: size_of::<V>() as u32,
            max_entries,
            map_flags: 0,
            numa_node: 0,
            pinning: 0,
            map_extra: 0,
            key: [],
            value: [],
        }))
    }

    #[inline(always)]
    pub fn get(&self, key: &K) -> Option<&mut V> {
        let lookup: extern "C" fn(*const c_void, *const K) -> *mut V = unsafe { core::mem::transmute(1usize) };
        unsafe { lookup(self.0.get().cast(), key).as_mut() }
    }
}

/// A program of its own section.
#[macro_export]
macro_rules! program {
    ($name:ident, $section:literal, |$context:ident| $body:expr) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = $section)]
        pub extern "C" fn $name($context: *mut $crate::Context) -> u32 {
            $body
        }
    };
}

/// The licence and the panic handler, whose body must not matter.
#[macro_export]
macro_rules! object {
    ($($handler:tt)*) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = "license")]
        #[allow(non_upper_case_globals)]
        pub static license: [u8; 4] = *b"GPL\0";

        #[panic_handler]
        fn panic(_info: &core::panic::PanicInfo) -> ! {
            $($handler)*
        }
    };
}
