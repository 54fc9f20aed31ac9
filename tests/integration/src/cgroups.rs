//! What the tests of programs on cgroups share.

use std::{
    io::{BufRead as _, BufReader},
    os::fd::AsFd as _,
    process::{Command, Stdio},
};

use aya::{Ebpf, EbpfLoader, features::Feature, features::Features};
use aya_log::EbpfLogger;
use aya_netlab::{Cgroup, Lab, netlink};
use aya_sys::bpf::{self, LinkTarget};
use aya_uapi::AttachType;

use crate::{Recorder, TestResult};

/// A control group, in a network of its own whose loopback interface is up.
#[derive(Debug)]
pub struct Scene {
    /// The network.
    pub lab: Lab,
    /// The control group.
    pub cgroup: Cgroup,
}

impl Scene {
    /// Makes both.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new() -> TestResult<Self> {
        let lab = Lab::new(&[])?;
        netlink::set_up(netlink::index_of("lo")?)?;
        let cgroup = Cgroup::new()?;
        Ok(Self { lab, cgroup })
    }

    /// How many programs are on the control group itself.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn attached(&self, attach_type: AttachType) -> TestResult<usize> {
        attached(&self.cgroup, attach_type)
    }

    /// Asserts that nothing is on the control group any more; some kernels let go of a link a little
    /// later.
    ///
    /// # Errors
    /// When something is still there after five seconds.
    pub fn expect_empty(&self, attach_type: AttachType) -> TestResult {
        for _ in 0..250 {
            if self.attached(attach_type)? == 0 {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Err("a program is still on the cgroup".into())
    }
}

/// How many programs are on a control group itself.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn attached(cgroup: &Cgroup, attach_type: AttachType) -> TestResult<usize> {
    let target = LinkTarget::Fd(cgroup.as_fd());
    Ok(bpf::prog_query(target, attach_type, 0)?.prog_ids.len())
}

/// Loads an object as a kernel without links would.
///
/// # Errors
/// When it cannot be loaded.
pub fn without_links(object: &[u8]) -> TestResult<Ebpf> {
    let features = Features::without(&[Feature::CgroupLink, Feature::SockMapLink]);
    Ok(EbpfLoader::new().features(features).load(object)?)
}

/// Loads an object and records what its programs log.
///
/// # Errors
/// When it cannot be loaded.
pub fn with_log(object: &[u8]) -> TestResult<(Ebpf, EbpfLogger<Recorder>, Recorder)> {
    let mut ebpf = Ebpf::load(object)?;
    let recorder = Recorder::default();
    let logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
    Ok((ebpf, logger, recorder))
}

/// Set for the process that [`kill_victim`] kills: what it is to do.
pub const VICTIM: &str = "AYA_TESTS_CGROUP_VICTIM";
/// What it says when it has done it.
pub const READY: &str = "ready to be killed";

/// Starts this executable's test called `victim` with [`VICTIM`] set, and kills it once it has said
/// [`READY`].
///
/// # Errors
/// When it does not say so.
pub fn kill_victim(task: &str) -> TestResult {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
        .env(VICTIM, task)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = victim.stdout.take().ok_or("no output")?;
    let ready = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains(READY));
    victim.kill()?;
    victim.wait()?;
    match ready {
        true => Ok(()),
        false => Err("the process to be killed did not get as far".into()),
    }
}
