//! The macro that makes a context of one of the kernel's structures.

/// Defines a context: the structure, how the kernel hands it over, what its programs may return, and
/// readers and writers of its members.
///
/// Members are read and written one by one, as they are declared (`volatile`): the verifier refuses an
/// access that the compiler made of two, or of half of one. What is read `once` it may keep instead:
/// addresses, for which programs ask again and again, and what is a `const fn` to existing programs.
macro_rules! context {
    (
        $(#[$doc:meta])*
        $name:ident { $(#[$field_doc:meta])* $field:ident: $raw:ty } returns $($(#[$ret_doc:meta])* $ret:ty),+;
        $($(#[$member_doc:meta])* $how:ident $access:ident: $ty:ty = $member:ident;)*
    ) => {
        $(#[$doc])*
        pub struct $name {
            $(#[$field_doc])*
            pub $field: *mut $raw,
        }

        impl $name {
            /// A context from the program's argument.
            #[inline(always)]
            pub const fn new($field: *mut $raw) -> Self {
                Self { $field }
            }

            $($crate::programs::context::member! {
                $how $(#[$member_doc])* $access: $ty = $field.$member
            })*
        }

        impl $crate::EbpfContext for $name {
            #[inline(always)]
            fn as_ptr(&self) -> *mut core::ffi::c_void {
                self.$field.cast()
            }
        }

        // SAFETY: the program table gives these programs this structure.
        unsafe impl $crate::programs::ProgramContext for $name {
            #[inline(always)]
            unsafe fn from_raw(ctx: *mut core::ffi::c_void) -> Self {
                Self::new(ctx.cast())
            }
        }

        $(
            $(#[$ret_doc])*
            impl $crate::programs::ProgramReturn<$name> for $ret {}
        )+
    };
}
pub(crate) use context;

/// One reader or writer.
macro_rules! member {
    (get $(#[$doc:meta])* $access:ident: $ty:ty = $field:ident.$member:ident) => {
        $(#[$doc])*
        #[inline(always)]
        pub fn $access(&self) -> $ty {
            // SAFETY: the kernel's context lives as long as the program runs.
            unsafe { (&raw const (*self.$field).$member).read_volatile() as $ty }
        }
    };
    (once $(#[$doc:meta])* $access:ident: $ty:ty = $field:ident.$member:ident) => {
        $(#[$doc])*
        #[inline(always)]
        pub const fn $access(&self) -> $ty {
            // SAFETY: the kernel's context lives as long as the program runs.
            unsafe { (*self.$field).$member as $ty }
        }
    };
    (set $(#[$doc:meta])* $access:ident: $ty:ty = $field:ident.$member:ident) => {
        $(#[$doc])*
        #[inline(always)]
        pub fn $access(&self, value: $ty) {
            // SAFETY: the kernel's context lives as long as the program runs.
            unsafe { (&raw mut (*self.$field).$member).write_volatile(value) }
        }
    };
    (words $(#[$doc:meta])* $access:ident: $ty:ty = $field:ident.$member:ident) => {
        $(#[$doc])*
        #[inline(always)]
        pub fn $access(&self) -> $ty {
            // SAFETY: the kernel's context lives as long as the program runs, and the member has four
            // words.
            unsafe {
                let words = (&raw const (*self.$field).$member).cast::<u32>();
                [
                    words.read_volatile(),
                    words.add(1).read_volatile(),
                    words.add(2).read_volatile(),
                    words.add(3).read_volatile(),
                ]
            }
        }
    };
}
pub(crate) use member;

/// Options of the socket behind a context, as `setsockopt(2)` and `getsockopt(2)` have them.
macro_rules! socket_options {
    ($name:ident) => {
        impl $name {
            /// Sets an option of the socket (`bpf_setsockopt`, Linux 4.13). Which options there are,
            /// bpf-helpers(7) says.
            ///
            /// # Errors
            ///
            /// A negative error number: `-EINVAL` for an option or value that is not to be had.
            #[inline(always)]
            pub fn set_sockopt<T: Copy>(
                &self,
                level: i32,
                option: i32,
                value: &T,
            ) -> Result<(), i32> {
                let mut value = *value;
                // SAFETY: the helper reads `size_of::<T>()` bytes.
                $crate::maps::check(unsafe {
                    $crate::helpers::generated::bpf_setsockopt(
                        $crate::EbpfContext::as_ptr(self),
                        level,
                        option,
                        (&raw mut value).cast(),
                        size_of::<T>() as i32,
                    )
                })
            }

            /// Gets an option of the socket (`bpf_getsockopt`, Linux 4.15).
            ///
            /// `T` must be plain data: any bytes must be a valid value.
            ///
            /// # Errors
            ///
            /// A negative error number: `-EINVAL` for an option that is not to be had.
            #[inline(always)]
            pub fn get_sockopt<T: Copy>(&self, level: i32, option: i32) -> Result<T, i32> {
                let mut value = core::mem::MaybeUninit::<T>::uninit();
                // SAFETY: the helper writes `size_of::<T>()` bytes, zeros on failure.
                unsafe {
                    $crate::maps::check($crate::helpers::generated::bpf_getsockopt(
                        $crate::EbpfContext::as_ptr(self),
                        level,
                        option,
                        value.as_mut_ptr().cast(),
                        size_of::<T>() as i32,
                    ))
                    .map(|()| value.assume_init())
                }
            }
        }
    };
}
pub(crate) use socket_options;
