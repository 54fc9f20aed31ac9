//! Programs at tracepoints, with typed arguments.
//!
//! A [`BtfTracePoint`] program runs at a tracepoint of the kernel, or of a module, and reads the
//! arguments that the kernel's code passes there, as they are typed.
//!
//! Since kernel 5.5; tracepoints of modules since 5.11.
//!
//! ```no_run
//! use aya::{Btf, Ebpf, programs::BtfTracePoint};
//!
//! let mut ebpf = Ebpf::load_file("watch.o")?;
//! let btf = Btf::from_sys_fs()?;
//! let program: &mut BtfTracePoint = ebpf.program_mut("fork").ok_or("no such program")?.try_into()?;
//! program.load("sched_process_fork", &btf)?;
//! program.attach()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::{
    Btf, attach,
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, kinds},
    resolve::kernel::Sort,
};

pub use super::BtfTracePoint;

/// The link of a [`BtfTracePoint`] program to its tracepoint; dropping it detaches the program.
pub type BtfTracePointLink = TypedLink<kinds::BtfTracePoint>;

/// Names a [`BtfTracePointLink`] among those of its program.
pub type BtfTracePointLinkId = TypedLinkId<kinds::BtfTracePoint>;

impl BtfTracePoint {
    /// Loads the program for `tracepoint`, without its category: `sched_switch`, not
    /// `sched/sched_switch`. `btf` are the running kernel's types.
    ///
    /// # Errors
    ///
    /// As [`FEntry::load`](super::FEntry::load).
    pub fn load(&mut self, tracepoint: &str, btf: &Btf) -> Result<(), ProgramError> {
        attach::tracing::load(self, btf, Sort::TRACEPOINT, tracepoint)
    }

    /// Attaches the program to the tracepoint that it was loaded for.
    ///
    /// # Errors
    ///
    /// When the program is not loaded.
    pub fn attach(&mut self) -> Result<BtfTracePointLinkId, ProgramError> {
        attach::tracing::attach(self, None)
    }
}
