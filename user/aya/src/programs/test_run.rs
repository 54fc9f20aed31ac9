//! Running a program once or many times on data of the caller's (`BPF_PROG_TEST_RUN`).

use std::{os::fd::AsFd, time::Duration};

use aya_sys::bpf;

use crate::programs::{ProgramError, ProgramFd, handles};

/// Programs that the kernel can run without an event.
pub trait TestRun {
    /// What goes in.
    type Opts<'a>;
    /// What comes out.
    type Result;

    /// Runs the program and waits for its end. Since kernel 4.12.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the kernel refuses: for network programs a packet has at
    /// least 14 bytes, and room for output that does not suffice is `ENOSPC`.
    fn test_run(&self, opts: Self::Opts<'_>) -> Result<Self::Result, ProgramError>;
}

/// How the kernel goes about a test run.
#[derive(Debug, Default, Clone, Copy)]
pub struct TestRunAttrs {
    pub(crate) flags: u32,
    pub(crate) batch_size: u32,
}

impl TestRunAttrs {
    /// The kernel's defaults.
    pub const fn new() -> Self {
        Self {
            flags: 0,
            batch_size: 0,
        }
    }

    /// Really sends and redirects the frames as the program says, `batch_size` at a time (0: the
    /// kernel's 64). Only for XDP. Since kernel 5.18.
    #[must_use]
    pub const fn xdp_live_frames(mut self, batch_size: u32) -> Self {
        self.flags |= aya_uapi::bindings::BPF_F_TEST_XDP_LIVE_FRAMES;
        self.batch_size = batch_size;
        self
    }
}

/// Input of a test run, and room for its output.
#[derive(Debug)]
pub struct TestRunOptions<'a> {
    /// The packet, from its Ethernet header on.
    pub data_in: Option<&'a [u8]>,
    /// Room for the packet as the program leaves it.
    pub data_out: Option<&'a mut [u8]>,
    /// The context: `struct xdp_md` for XDP (since kernel 5.15), `struct __sk_buff` for types that have
    /// one (5.2).
    pub ctx_in: Option<&'a [u8]>,
    /// Room for the context as the program leaves it.
    pub ctx_out: Option<&'a mut [u8]>,
    /// How many times to run the program; 0 counts as 1.
    pub repeat: u32,
    /// How to go about it.
    pub attrs: TestRunAttrs,
}

impl TestRunOptions<'_> {
    /// No input, no room for output, one run.
    pub const fn new() -> Self {
        Self {
            data_in: None,
            data_out: None,
            ctx_in: None,
            ctx_out: None,
            repeat: 1,
            attrs: TestRunAttrs::new(),
        }
    }
}

impl Default for TestRunOptions<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a test run gave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TestRunResult {
    /// The program's return value, of the last run.
    pub return_value: u32,
    /// The time of one run, on average.
    pub duration: Duration,
    /// How many bytes of output there are, also where no room was given.
    pub data_size_out: u32,
    /// How many bytes of context there are.
    pub ctx_size_out: u32,
}

/// Types that the kernel runs on a packet.
macro_rules! take_packets {
    ($($handle:ident)*) => {$(
        impl TestRun for handles::$handle {
            type Opts<'a> = TestRunOptions<'a>;
            type Result = TestRunResult;

            fn test_run(&self, opts: TestRunOptions<'_>) -> Result<TestRunResult, ProgramError> {
                run(self.fd()?, opts)
            }
        }
    )*};
}

take_packets! {
    CgroupSkb ReusePortSocketFilter SchedClassifier SocketFilter Xdp
}

/// Runs a program that takes a packet.
fn run(program: &ProgramFd, options: TestRunOptions<'_>) -> Result<TestRunResult, ProgramError> {
    let output = bpf::prog_test_run(
        program.as_fd(),
        bpf::TestRun {
            data_in: options.data_in,
            data_out: options.data_out,
            ctx_in: options.ctx_in,
            ctx_out: options.ctx_out,
            repeat: options.repeat,
            flags: options.attrs.flags,
            cpu: 0,
            batch_size: options.attrs.batch_size,
        },
    )?;
    Ok(TestRunResult {
        return_value: output.return_value,
        duration: Duration::from_nanos(output.duration_ns.into()),
        data_size_out: output.data_size_out,
        ctx_size_out: output.ctx_size_out,
    })
}
