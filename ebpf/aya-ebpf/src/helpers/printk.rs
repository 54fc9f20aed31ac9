//! `bpf_printk!`: a line in the kernel's trace buffer.

use crate::cty::c_long;

/// Prints a line to the kernel's trace buffer, `/sys/kernel/tracing/trace_pipe`.
///
/// For debugging: everything on the system shares the buffer. The format is the kernel's printf
/// (`%d`, `%u`, `%x`, `%lld`, `%llx`, `%p`, `%s` of a kernel string), written as a byte string. Up to
/// three arguments work since Linux 4.1, up to twelve since 5.16. The program's licence must be
/// compatible with the GPL.
///
/// ```
/// use aya_ebpf::helpers::bpf_printk;
///
/// fn report(pid: u32, port: u16) {
///     bpf_printk!(b"pid %d port %u", pid, port);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! bpf_printk {
    ($format:literal $(,)?) => { $crate::bpf_printk!(@few $format, 0, 0, 0) };
    ($format:literal, $a:expr $(,)?) => { $crate::bpf_printk!(@few $format, $a, 0, 0) };
    ($format:literal, $a:expr, $b:expr $(,)?) => { $crate::bpf_printk!(@few $format, $a, $b, 0) };
    ($format:literal, $a:expr, $b:expr, $c:expr $(,)?) => {
        $crate::bpf_printk!(@few $format, $a, $b, $c)
    };
    ($format:literal, $($arg:expr),+ $(,)?) => {{
        let args = [$($crate::helpers::PrintkArg::from($arg)),+];
        $crate::helpers::trace_vprintk($crate::bpf_printk!(@format $format), &args)
    }};
    (@few $format:literal, $a:expr, $b:expr, $c:expr) => {
        $crate::helpers::trace_printk(
            $crate::bpf_printk!(@format $format),
            $crate::helpers::PrintkArg::from($a),
            $crate::helpers::PrintkArg::from($b),
            $crate::helpers::PrintkArg::from($c),
        )
    };
    (@format $format:literal) => {{
        // With a final 0, in read-only data.
        static FORMAT: [u8; $format.len() + 1] = {
            let mut bytes = [0; $format.len() + 1];
            let mut index = 0;
            while index < $format.len() {
                bytes[index] = $format[index];
                index += 1;
            }
            bytes
        };
        &FORMAT
    }};
}
pub use crate::bpf_printk;

/// An argument of [`bpf_printk!`]: an integer, or an address.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct PrintkArg(u64);

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl From<$ty> for PrintkArg {
            #[inline(always)]
            fn from(value: $ty) -> Self {
                Self(value as u64)
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize bool);

impl<T> From<*const T> for PrintkArg {
    #[inline(always)]
    fn from(value: *const T) -> Self {
        Self(value as usize as u64)
    }
}

impl<T> From<*mut T> for PrintkArg {
    #[inline(always)]
    fn from(value: *mut T) -> Self {
        Self(value as usize as u64)
    }
}

/// `bpf_trace_printk`, for up to three arguments.
#[doc(hidden)]
#[inline(always)]
pub fn trace_printk(format: &'static [u8], a: PrintkArg, b: PrintkArg, c: PrintkArg) -> c_long {
    // SAFETY: the helper reads the format.
    unsafe {
        super::generated::bpf_trace_printk(
            format.as_ptr().cast(),
            format.len() as u32,
            a.0,
            b.0,
            c.0,
        )
    }
}

/// `bpf_trace_vprintk`, for more than three arguments.
#[doc(hidden)]
#[inline(always)]
pub fn trace_vprintk(format: &'static [u8], args: &[PrintkArg]) -> c_long {
    // SAFETY: the helper reads the format and the arguments, which are eight bytes each.
    unsafe {
        super::generated::bpf_trace_vprintk(
            format.as_ptr().cast(),
            format.len() as u32,
            args.as_ptr().cast(),
            size_of_val(args) as u32,
        )
    }
}
