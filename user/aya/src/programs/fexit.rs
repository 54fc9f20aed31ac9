//! Programs at the return of kernel functions.
//!
//! An [`FExit`] program runs when a function of the kernel, or of a module, returns, and reads its
//! arguments and its result.
//!
//! Since kernel 5.5 on x86_64, 6.4 on aarch64; functions of modules since 5.11. Programs that may sleep
//! (section `fexit.s`) since 5.10, at the few functions that the kernel lists for them: those made for the
//! injection of errors and, since 6.3, some more.
//!
//! ```no_run
//! use aya::{Btf, Ebpf, programs::FExit};
//!
//! let mut ebpf = Ebpf::load_file("watch.o")?;
//! let btf = Btf::from_sys_fs()?;
//! let program: &mut FExit = ebpf.program_mut("unlinked").ok_or("no such program")?.try_into()?;
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

pub use super::FExit;

/// The link of an [`FExit`] program to its function; dropping it detaches the program.
pub type FExitLink = TypedLink<kinds::FExit>;

/// Names an [`FExitLink`] among those of its program.
pub type FExitLinkId = TypedLinkId<kinds::FExit>;

impl FExit {
    /// Loads the program for the kernel function `fn_name`; `btf` are the running kernel's types. The
    /// function may be one of a module that is loaded (since kernel 5.11).
    ///
    /// # Errors
    ///
    /// As [`FEntry::load`](super::FEntry::load).
    pub fn load(&mut self, fn_name: &str, btf: &Btf) -> Result<(), ProgramError> {
        attach::tracing::load(self, btf, Sort::FUNCTION, fn_name)
    }

    /// Attaches the program to the function that it was loaded for.
    ///
    /// # Errors
    ///
    /// As [`FEntry::attach`](super::FEntry::attach).
    pub fn attach(&mut self) -> Result<FExitLinkId, ProgramError> {
        attach::tracing::attach(self, None)
    }
}

/// Makes the kernel call its functions for tests (`bpf_fentry_test1` and on), where programs that are
/// attached to them run. There is nothing to give and nothing to get.
impl TestRun for FExit {
    type Opts<'a> = ();
    type Result = ();

    fn test_run(&self, (): ()) -> Result<(), ProgramError> {
        attach::tracing::test_run(self)
    }
}
