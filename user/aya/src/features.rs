//! What the running kernel can do: the one policy.
//!
//! Nothing is asked up front. What may be missing is tried with everything in it; only when the
//! kernel refuses, the missing feature is probed for, and done without if it is the cause. The
//! answer is kept, so that the next object is right at the first try. On a recent kernel an
//! object is loaded without a single probe.
//!
//! No other file looks at the kernel's version.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};

use aya_obj::btf::BtfFeatures;
use aya_sys::{Errno, Error};

mod probe;

/// Something that a kernel may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Maps and programs have names (4.15).
    Names,
    /// Type information can be loaded, and describe maps (4.18).
    Btf,
    /// Type information can describe programs (5.0).
    FuncInfo,
    /// Arrays can be mapped into memory (5.5).
    MappedArrays,
    /// Several elements of a map can be read, set and removed by one call (5.6).
    MapBatches,
    /// An element of a hash map can be read and removed at once (5.14).
    HashTake,
    /// One CPU's value in a per-CPU map can be read and set alone (7.0).
    OneCpu,
    /// Ring buffers (5.8).
    RingBuf,
    /// A program's hold on a cgroup is a bpf_link (5.7).
    CgroupLink,
    /// An XDP program's hold on an interface is a bpf_link (5.9).
    XdpLink,
    /// An element of a map of interfaces can name a program (5.8).
    DevMapPrograms,
    /// An element of a map of CPUs can name a program (5.9).
    CpuMapPrograms,
    /// A map can be kept as long as a program that does not use it (5.10).
    BindMap,
    /// A program's hold on a perf event is a bpf_link, and has a cookie (5.15).
    PerfLink,
    /// Probes are perf events of a device of their own (4.17).
    ProbeDevice,
    /// A traffic control program's hold on an interface is a bpf_link (6.6).
    TcxLink,
    /// A program's hold on a socket map is a bpf_link (6.10).
    SockMapLink,
}

const FEATURES: usize = Feature::SockMapLink as usize + 1;

const UNKNOWN: u8 = 0;
const MISSING: u8 = 1;
const PRESENT: u8 = 2;

/// What is known about a kernel.
#[derive(Debug, Default)]
pub struct Features {
    known: [AtomicU8; FEATURES],
    btf: OnceLock<BtfFeatures>,
}

impl Features {
    /// The running kernel.
    pub fn host() -> Arc<Self> {
        static HOST: OnceLock<Arc<Features>> = OnceLock::new();
        Arc::clone(HOST.get_or_init(Arc::default))
    }

    /// The running kernel as if it lacked `missing`: for tests of what happens on older ones.
    pub fn without(missing: &[Feature]) -> Arc<Self> {
        let features = Self::default();
        for feature in missing {
            features.set(*feature, MISSING);
        }
        Arc::new(features)
    }

    fn state(&self, feature: Feature) -> Option<&AtomicU8> {
        self.known.get(feature as usize)
    }

    fn set(&self, feature: Feature, state: u8) {
        if let Some(known) = self.state(feature) {
            known.store(state, Ordering::Relaxed);
        }
    }

    fn known(&self, feature: Feature) -> u8 {
        self.state(feature)
            .map_or(UNKNOWN, |known| known.load(Ordering::Relaxed))
    }

    /// Whether the kernel has the feature, probed at the first question. The error is why it could
    /// not be found out; the next question probes again.
    pub(crate) fn ask(&self, feature: Feature) -> Result<bool, Error> {
        match self.known(feature) {
            UNKNOWN => {
                let present = match probe::probe(feature) {
                    Ok(()) => true,
                    Err(error) if is_unknown(&error) => false,
                    Err(error) => return Err(error),
                };
                self.set(feature, if present { PRESENT } else { MISSING });
                Ok(present)
            }
            known => Ok(known == PRESENT),
        }
    }

    /// Whether the kernel has the feature; yes where that cannot be found out, so that the caller
    /// meets the true reason.
    pub fn has(&self, feature: Feature) -> bool {
        self.ask(feature).unwrap_or(true)
    }

    /// Whether the feature is worth a try: it is not known to be missing.
    pub fn may_have(&self, feature: Feature) -> bool {
        self.known(feature) != MISSING
    }

    /// Which kinds of types the kernel knows, probed at the first question.
    pub(crate) fn btf(&self) -> &BtfFeatures {
        self.btf.get_or_init(probe::btf)
    }

    /// Keeps that the kernel lacks the feature, as an attempt has shown.
    pub(crate) fn lacks(&self, feature: Feature) {
        self.set(feature, MISSING);
    }

    /// Runs `attempt(true)`, which uses the feature; if the kernel refuses as it does what it
    /// does not know, and really lacks the feature, `attempt(false)`, which does without.
    pub(crate) fn try_with<T>(
        &self,
        feature: Feature,
        mut attempt: impl FnMut(bool) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.may_have(feature) {
            match attempt(true) {
                Err(error) if is_unknown(&error) && !self.has(feature) => {}
                result => return result,
            }
        }
        attempt(false)
    }
}

/// Whether the kernel may have refused something that it does not know: an attribute past the
/// end of those it has (`E2BIG`), or a value (`EINVAL`).
pub(crate) fn is_unknown(error: &Error) -> bool {
    matches!(error.errno, Errno::EINVAL | Errno::E2BIG)
}
