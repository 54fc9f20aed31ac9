//! Security modules: programs that allow or deny what processes do.
//!
//! An [`Lsm`] program runs at a security hook of the kernel, after all other security modules, and
//! allows (0) or denies (a negative error number) what is about to happen.
//!
//! Since kernel 5.7 on x86_64, 6.4 on aarch64; programs that may sleep (section `lsm.s`) since 5.11, at
//! hooks that may sleep themselves (5.10 has one: `bprm_committed_creds`). The kernel must be built with
//! `CONFIG_BPF_LSM`, and `bpf` be among the security modules of its command line (`lsm=…,bpf`);
//! `/sys/kernel/security/lsm` lists them.
//!
//! ```no_run
//! use aya::{Btf, Ebpf, programs::Lsm};
//!
//! let mut ebpf = Ebpf::load_file("guard.o")?;
//! let btf = Btf::from_sys_fs()?;
//! let program: &mut Lsm = ebpf.program_mut("guard").ok_or("no such program")?.try_into()?;
//! program.load("file_open", &btf)?;
//! program.attach()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs;

use crate::{
    Btf, attach,
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, TracingError, kinds},
    resolve::kernel::Sort,
};

pub use super::Lsm;

/// The link of an [`Lsm`] program to its hook; dropping it detaches the program.
pub type LsmLink = TypedLink<kinds::Lsm>;

/// Names an [`LsmLink`] among those of its program.
pub type LsmLinkId = TypedLinkId<kinds::Lsm>;

/// Where the kernel lists its security modules.
const ACTIVE: &str = "/sys/kernel/security/lsm";

impl Lsm {
    /// Loads the program for the hook `lsm_hook_name`, as the kernel's `lsm_hook_defs.h` calls it:
    /// `file_open`. `btf` are the running kernel's types.
    ///
    /// # Errors
    ///
    /// [`TracingError::UnknownTarget`], with the names that come close, when there is no such hook,
    /// [`TracingError::NoBpfLsm`] when the kernel has none for eBPF at all, and as for every program
    /// when the verifier rejects it.
    pub fn load(&mut self, lsm_hook_name: &str, btf: &Btf) -> Result<(), ProgramError> {
        let loaded = attach::tracing::load(self, btf, Sort::LSM_HOOK, lsm_hook_name);
        match loaded {
            Err(ProgramError::Tracing(TracingError::UnknownTarget { name, .. }))
                if Sort::LSM_HOOK.names(btf.raw()).next().is_none() =>
            {
                Err(TracingError::NoBpfLsm { name }.into())
            }
            loaded => loaded,
        }
    }

    /// Attaches the program to the hook that it was loaded for.
    ///
    /// # Errors
    ///
    /// When the program is not loaded or is attached already;
    /// [`TracingError::BpfLsmDisabled`] when the kernel would take the program but never run it.
    pub fn attach(&mut self) -> Result<LsmLinkId, ProgramError> {
        // The kernel attaches it in any case. Where the list is not shown nobody can tell.
        if let Ok(active) = fs::read_to_string(ACTIVE)
            && !lists_bpf(&active)
        {
            return Err(TracingError::BpfLsmDisabled {
                name: self.name().to_owned(),
                active: active.trim().to_owned(),
            }
            .into());
        }
        attach::tracing::attach(self, None)
    }
}

/// Whether the kernel's list of active security modules has eBPF.
fn lists_bpf(active: &str) -> bool {
    active.trim().split(',').any(|module| module == "bpf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_modules() {
        assert!(lists_bpf("lockdown,capability,yama,bpf\n"));
        assert!(lists_bpf("bpf"));
        assert!(!lists_bpf("lockdown,capability,yama\n"));
        assert!(!lists_bpf("bpfilter"));
        assert!(!lists_bpf(""));
    }
}
