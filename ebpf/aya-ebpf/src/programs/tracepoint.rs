//! The context of tracepoint programs, and reading their events' fields by name.

use core::ffi::c_void;

use crate::{
    EbpfContext,
    helpers::{bpf_probe_read_kernel, generated},
    programs::{NeedsNoVerdict, ProgramContext, ProgramReturn},
};

/// An event of a tracepoint, as the kernel records it.
///
/// `/sys/kernel/tracing/events/CATEGORY/NAME/format` lists the event's fields. They are read by name:
///
/// ```
/// use aya_ebpf::{field, macros::tracepoint, programs::TracePointContext};
///
/// #[tracepoint(category = "sched", name = "sched_process_exec")]
/// fn exec(ctx: TracePointContext) -> u32 {
///     let pid: i32 = ctx.field(field!("pid"));
///     let mut path = [0; 64];
///     match ctx.str(field!("filename"), &mut path) {
///         Ok(path) => u32::from(pid > 1 && path.ends_with(b"sh")),
///         Err(_) => 0,
///     }
/// }
/// # fn main() {}
/// ```
///
/// The kernel keeps the first 8 bytes, and with them the fields `common_*`, to itself:
/// [`pid`](EbpfContext::pid) and the helpers tell the same.
///
/// With `sleepable` (Linux 7.2) a program may sleep, to fetch memory of the process
/// (`bpf_copy_from_user`); the kernel lets it run at the tracepoints of system calls alone.
///
/// Since Linux 4.7.
pub struct TracePointContext {
    ctx: *mut c_void,
}

impl TracePointContext {
    /// A context from the program's argument.
    #[inline(always)]
    pub const fn new(ctx: *mut c_void) -> Self {
        Self { ctx }
    }

    /// Reads a number, given by [`field!`](crate::field).
    ///
    /// Its place is filled in when the program is loaded: this is one load instruction, on each kernel from
    /// where that kernel has the field. A field that the event does not have, or whose size is not that of
    /// `T`, is an error of loading the program.
    #[inline(always)]
    pub fn field<T: FieldValue>(&self, field: impl Field) -> T {
        T::read(field, self)
    }

    /// Copies the bytes of an array or string, as many as `buffer` has room for, and returns them. A string's
    /// final zero is among them.
    ///
    /// For `__data_loc` fields and arrays of fixed size alike. Since Linux 5.5.
    ///
    /// # Errors
    ///
    /// A negative error number; the kernel gives none for an event that is there.
    #[inline(always)]
    pub fn bytes<'a>(&self, field: impl Field, buffer: &'a mut [u8]) -> Result<&'a [u8], i32> {
        let (start, len) = self.place(field);
        let len = len.min(buffer.len());
        let to = buffer.as_mut_ptr().cast();
        // SAFETY: the helper writes `len` bytes, and `buffer` has as many.
        let ret = unsafe { generated::bpf_probe_read_kernel(to, len as u32, start.cast()) };
        if ret < 0 {
            return Err(ret as i32);
        }
        Ok(buffer.get(..len).unwrap_or(&[]))
    }

    /// Copies a string, as much of it as `buffer` has room for, and returns it without the final zero.
    ///
    /// For `__data_loc` fields and arrays of fixed size alike. Since Linux 5.5.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    #[inline(always)]
    pub fn str<'a>(&self, field: impl Field, buffer: &'a mut [u8]) -> Result<&'a [u8], i32> {
        let (start, _) = self.place(field);
        // SAFETY: the string is in the event, which lives as long as the program runs.
        unsafe { crate::helpers::bpf_probe_read_kernel_str_bytes(start, buffer) }
    }

    /// Where an array or string begins, and how many bytes it has.
    #[inline(always)]
    fn place(&self, field: impl Field) -> (*const u8, usize) {
        let place = field.bytes(self);
        let start = self.ctx.cast::<u8>().cast_const();
        let offset = place & 0xffff;
        (
            start.wrapping_add(offset as usize),
            (place >> 16 & 0xffff) as usize,
        )
    }

    /// Reads a value at a place in the event: `offset` as the event's `format` says it.
    ///
    /// [`field`](Self::field) needs no numbers that change from kernel to kernel. Since Linux 5.5.
    ///
    /// # Errors
    ///
    /// `-EFAULT` when the address is not readable.
    ///
    /// # Safety
    ///
    /// `T` must be plain data: any bytes must be a valid value.
    #[inline(always)]
    pub unsafe fn read_at<T>(&self, offset: usize) -> Result<T, i32> {
        let from = self.ctx.cast::<u8>().wrapping_add(offset);
        // SAFETY: the caller's promise; the helper checks the address.
        unsafe { bpf_probe_read_kernel(from.cast::<T>()) }
    }
}

impl EbpfContext for TracePointContext {
    #[inline(always)]
    fn as_ptr(&self) -> *mut c_void {
        self.ctx
    }
}

// SAFETY: tracepoint programs are given the event's record, by address.
unsafe impl ProgramContext for TracePointContext {
    #[inline(always)]
    unsafe fn from_raw(ctx: *mut c_void) -> Self {
        Self::new(ctx)
    }
}

impl NeedsNoVerdict for TracePointContext {}

/// 0, or 1 to let perf record the event too.
impl ProgramReturn<TracePointContext> for u32 {}
/// As `u32`; negative numbers count as 1.
impl ProgramReturn<TracePointContext> for i32 {}
/// As `i32`.
impl ProgramReturn<TracePointContext> for i64 {}

/// A field of an event; made by [`field!`](crate::field).
pub trait Field: Copy {
    /// A number of one byte.
    #[doc(hidden)]
    fn number_1(self, ctx: &TracePointContext) -> u64;
    /// A number of two bytes.
    #[doc(hidden)]
    fn number_2(self, ctx: &TracePointContext) -> u64;
    /// A number of four bytes.
    #[doc(hidden)]
    fn number_4(self, ctx: &TracePointContext) -> u64;
    /// A number of eight bytes.
    #[doc(hidden)]
    fn number_8(self, ctx: &TracePointContext) -> u64;
    /// Length and start of an array or string, 16 bits each.
    #[doc(hidden)]
    fn bytes(self, ctx: &TracePointContext) -> u64;
}

/// What a field can be read as: integers, `bool` and pointers. The size must be the field's; whether it is
/// signed is up to the reader.
#[diagnostic::on_unimplemented(
    message = "a field cannot be read as `{Self}`",
    note = "numbers and pointers are read by `field`, arrays and strings by `bytes` and `str`"
)]
pub trait FieldValue: Sized {
    /// Reads the field.
    #[doc(hidden)]
    fn read(field: impl Field, ctx: &TracePointContext) -> Self;
}

macro_rules! values {
    ($([$($generics:ident)?] $ty:ty: $number:ident, |$value:ident| $from:expr;)*) => {$(
        impl<$($generics)?> FieldValue for $ty {
            #[inline(always)]
            fn read(field: impl Field, ctx: &TracePointContext) -> Self {
                let $value = field.$number(ctx);
                $from
            }
        }
    )*};
}

values! {
    [] u8: number_1, |value| value as u8;
    [] i8: number_1, |value| value as i8;
    [] bool: number_1, |value| value != 0;
    [] u16: number_2, |value| value as u16;
    [] i16: number_2, |value| value as i16;
    [] u32: number_4, |value| value as u32;
    [] i32: number_4, |value| value as i32;
    [] u64: number_8, |value| value;
    [] i64: number_8, |value| value as i64;
    [T] *const T: number_8, |value| value as *const T;
    [T] *mut T: number_8, |value| value as *mut T;
}

/// Names a field of a tracepoint's event, for [`TracePointContext::field`] and its kin.
///
/// ```
/// # use aya_ebpf::{field, programs::TracePointContext};
/// # fn program(ctx: TracePointContext) {
/// // Of the event in the program's attribute:
/// let pid: i32 = ctx.field(field!("pid"));
/// // Of another one, for code that several programs share:
/// let fd: u64 = ctx.field(field!("syscalls/sys_enter_close", "fd"));
/// # }
/// ```
///
/// aya finds the field in the running kernel's tracefs when it loads the program. Other loaders refuse the
/// object.
#[macro_export]
macro_rules! field {
    ($name:literal) => {
        $crate::field!("", $name)
    };
    ($event:literal, $name:literal) => {{
        #[derive(Clone, Copy)]
        struct Field;
        impl $crate::programs::tracepoint::Field for Field {
            $crate::__field_reader!(number_1, "1", $event, $name);
            $crate::__field_reader!(number_2, "2", $event, $name);
            $crate::__field_reader!(number_4, "4", $event, $name);
            $crate::__field_reader!(number_8, "8", $event, $name);
            $crate::__field_reader!(bytes, "bytes", $event, $name);
        }
        Field
    }};
}

// Two definitions instead of a `cfg` in the expansion: that would be the caller's, not ours.

#[cfg(any(aya_ebpf, target_arch = "bpf"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __field_reader {
    ($method:ident, $shape:literal, $event:literal, $name:literal) => {
        #[inline(always)]
        fn $method(self, ctx: &$crate::programs::TracePointContext) -> u64 {
            unsafe extern "C" {
                #[link_name = concat!("__aya_field:", $shape, ":", $event, ":", $name)]
                fn read(ctx: *mut ::core::ffi::c_void) -> u64;
            }
            // SAFETY: the loader makes of the call a load from the context, or refuses the program.
            unsafe { read($crate::EbpfContext::as_ptr(ctx)) }
        }
    };
}

#[cfg(not(any(aya_ebpf, target_arch = "bpf")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __field_reader {
    ($method:ident, $shape:literal, $event:literal, $name:literal) => {
        fn $method(self, _ctx: &$crate::programs::TracePointContext) -> u64 {
            $crate::__private::only_in_the_kernel(concat!($event, " ", $name))
        }
    };
}
