//! Programs at the entry of kernel functions.
//!
//! An [`FEntry`] program runs when a function of the kernel, or of a module, is entered, and reads its
//! arguments as they are typed. It costs a fraction of a kprobe.
//!
//! Since kernel 5.5 on x86_64, 6.4 on aarch64; functions of modules since 5.11. Programs that may sleep
//! (section `fentry.s`) since 5.10, at the few functions that the kernel lists for them: those made for the
//! injection of errors and, since 6.3, some more.
//!
//! ```no_run
//! use aya::{Btf, Ebpf, programs::FEntry};
//!
//! let mut ebpf = Ebpf::load_file("watch.o")?;
//! let btf = Btf::from_sys_fs()?;
//! let program: &mut FEntry = ebpf.program_mut("unlink").ok_or("no such program")?.try_into()?;
//! program.load("do_unlinkat", &btf)?;
//! program.attach()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::{
    Btf, attach,
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, TestRun, kinds},
    resolve::kernel::Sort,
};

pub use super::FEntry;

/// The link of an [`FEntry`] program to its function; dropping it detaches the program.
pub type FEntryLink = TypedLink<kinds::FEntry>;

/// Names an [`FEntryLink`] among those of its program.
pub type FEntryLinkId = TypedLinkId<kinds::FEntry>;

impl FEntry {
    /// Loads the program for the kernel function `fn_name`; `btf` are the running kernel's types. The
    /// function may be one of a module that is loaded (since kernel 5.11).
    ///
    /// # Errors
    ///
    /// [`TracingError::UnknownTarget`](super::TracingError::UnknownTarget), with the names that come
    /// close, when there is no such function, and as for every program when the verifier rejects it.
    pub fn load(&mut self, fn_name: &str, btf: &Btf) -> Result<(), ProgramError> {
        attach::tracing::load(self, btf, Sort::FUNCTION, fn_name)
    }

    /// Attaches the program to the function that it was loaded for.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or is attached already; when the function cannot be traced.
    pub fn attach(&mut self) -> Result<FEntryLinkId, ProgramError> {
        attach::tracing::attach(self, None)
    }
}

/// As that of [`FExit`](super::FExit).
impl TestRun for FEntry {
    type Opts<'a> = ();
    type Result = ();

    fn test_run(&self, (): ()) -> Result<(), ProgramError> {
        attach::tracing::test_run(self)
    }
}
