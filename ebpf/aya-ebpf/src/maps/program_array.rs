//! Arrays of programs, to go on in another one.
//!
//! User space puts programs in, or the definition does:
//!
//! ```
//! use aya_ebpf::{macros::{map, xdp}, maps::ProgramArray, programs, programs::XdpContext};
//!
//! #[map]
//! static STAGES: ProgramArray = ProgramArray::with_max_entries(8, 0).programs(programs![first, second]);
//!
//! #[xdp]
//! fn first(ctx: XdpContext) -> u32 {
//!     // SAFETY: nothing is held.
//!     unsafe { STAGES.tail_call(&ctx, 1) };
//!     1
//! }
//!
//! #[xdp]
//! fn second(_ctx: XdpContext) -> u32 {
//!     2
//! }
//! # fn main() {}
//! ```

use core::ffi::c_void;

use crate::{EbpfContext, helpers::generated as raw, maps::def::map_type};

/// A program of the object, as [`programs!`](crate::programs!) names it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Program(unsafe extern "C" fn(*mut c_void) -> i32);

impl Program {
    /// What `programs!` makes of a name.
    #[doc(hidden)]
    pub const fn __new(entry: unsafe extern "C" fn(*mut c_void) -> i32) -> Self {
        Self(entry)
    }
}

/// Names programs of this object, for [`ProgramArray::programs`](crate::maps::ProgramArray::programs).
///
/// A name is the program's: that of the function, or what the attribute's `name = "…"` says. `_` leaves
/// a place empty. The linker refuses names that are none of a program.
///
/// ```
/// # use aya_ebpf::{macros::{map, xdp}, maps::ProgramArray, programs::XdpContext};
/// #[map]
/// static NEXT: ProgramArray = ProgramArray::with_max_entries(4, 0).programs(aya_ebpf::programs![_, pass]);
///
/// #[xdp]
/// fn pass(_ctx: XdpContext) -> u32 {
///     2
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! programs {
    ($($name:tt),* $(,)?) => {
        &[$($crate::programs!(@one $name)),*]
    };
    (@one _) => {
        None
    };
    (@one $name:ident) => {{
        unsafe extern "C" {
            fn $name(context: *mut ::core::ffi::c_void) -> i32;
        }
        Some($crate::maps::program_array::Program::__new($name))
    }};
}

/// Programs that an array holds from the start.
#[derive(Debug)]
#[repr(C)]
pub struct OfPrograms {
    pub(crate) values: &'static [Option<Program>],
}

map_type! {
    /// An array of programs of one kind. Since Linux 4.2.
    ProgramArray: u32 => u32, PROG_ARRAY,
    /// Room for `max_entries` programs, which user space puts in; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags),
    OfPrograms = OfPrograms { values: &[] }
}

impl ProgramArray {
    /// Holds these programs from the start, from index 0 on: [`programs!`](crate::programs!) names
    /// them. The loader puts each in when it is loaded.
    pub const fn programs(mut self, programs: &'static [Option<Program>]) -> Self {
        self.definition().content().values = programs;
        self
    }

    /// Goes on in the program at `index`. Returns only if there is none.
    ///
    /// # Safety
    ///
    /// The program at `index` takes over: nothing of this one is dropped, so that nothing must be held
    /// that the verifier wants back.
    #[inline(always)]
    pub unsafe fn tail_call<C: EbpfContext>(&self, ctx: &C, index: u32) {
        // SAFETY: the context is the kernel's. What comes back only says that nothing was called.
        let _ = unsafe { raw::bpf_tail_call(ctx.as_ptr(), self.as_ptr(), index) };
    }
}
