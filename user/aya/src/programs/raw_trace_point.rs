//! Programs at tracepoints, on the arguments as the kernel's code passes them.
//!
//! A [`RawTracePoint`] program runs at a tracepoint of the kernel and reads its arguments as numbers;
//! where those are pointers it reads through helpers. A [`BtfTracePoint`](super::BtfTracePoint) knows
//! their types.
//!
//! Since kernel 4.17.
//!
//! ```no_run
//! use aya::{Ebpf, programs::RawTracePoint};
//!
//! let mut ebpf = Ebpf::load_file("watch.o")?;
//! let program: &mut RawTracePoint = ebpf.program_mut("enter").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach("sys_enter")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::os::fd::AsFd;

use aya_sys::bpf;
use aya_uapi::bindings::BPF_F_TEST_RUN_ON_CPU;

use crate::{
    attach,
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, TestRun, kinds},
};

pub use super::RawTracePoint;

/// The link of a [`RawTracePoint`] program to a tracepoint; dropping it detaches the program.
pub type RawTracePointLink = TypedLink<kinds::RawTracePoint>;

/// Names a [`RawTracePointLink`] among those of its program.
pub type RawTracePointLinkId = TypedLinkId<kinds::RawTracePoint>;

impl RawTracePoint {
    /// Attaches the program to the tracepoint `tp_name`, without its category: `sched_switch`. One
    /// program can be at many.
    ///
    /// # Errors
    ///
    /// [`TracingError::UnknownTarget`](super::TracingError::UnknownTarget), with the names that come
    /// close, when there is no such tracepoint; when the program is not loaded, or reads more arguments
    /// than the tracepoint has.
    pub fn attach(&mut self, tp_name: &str) -> Result<RawTracePointLinkId, ProgramError> {
        attach::tracing::attach(self, Some(tp_name))
    }
}

/// Input of a test run: what the program takes for the tracepoint's arguments.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawTracePointRunOptions {
    /// The arguments.
    pub args: [u64; 12],
    /// The CPU to run on; the caller's if not set.
    pub cpu: Option<u32>,
}

impl RawTracePointRunOptions {
    /// All arguments zero, on the caller's CPU.
    pub const fn new() -> Self {
        Self {
            args: [0; 12],
            cpu: None,
        }
    }
}

/// What a test run gave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RawTracePointTestRunResult {
    /// The program's return value.
    pub return_value: u32,
}

/// Since kernel 5.10.
impl TestRun for RawTracePoint {
    type Opts<'a> = RawTracePointRunOptions;
    type Result = RawTracePointTestRunResult;

    fn test_run(
        &self,
        options: RawTracePointRunOptions,
    ) -> Result<RawTracePointTestRunResult, ProgramError> {
        let args: Vec<u8> = options
            .args
            .into_iter()
            .flat_map(u64::to_ne_bytes)
            .collect();
        let run = bpf::TestRun {
            ctx_in: Some(&args),
            flags: options.cpu.map_or(0, |_| BPF_F_TEST_RUN_ON_CPU),
            cpu: options.cpu.unwrap_or_default(),
            ..bpf::TestRun::default()
        };
        let output = bpf::prog_test_run(self.fd()?.as_fd(), run)?;
        Ok(RawTracePointTestRunResult {
            return_value: output.return_value,
        })
    }
}
