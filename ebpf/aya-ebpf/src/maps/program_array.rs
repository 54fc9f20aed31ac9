//! Arrays of programs, to go on in another one.

use crate::{EbpfContext, helpers::generated as raw, maps::def::map_type};

map_type! {
    /// An array of programs of one kind. Since Linux 4.2.
    ProgramArray: u32 => u32, PROG_ARRAY,
    /// Room for `max_entries` programs, which user space puts in; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}

impl ProgramArray {
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
