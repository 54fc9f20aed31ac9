//! Load, attach and talk to eBPF programs, in pure Rust.
//!
//! ```no_run
//! use aya::{Ebpf, maps::HashMap, programs::{Xdp, XdpMode}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut ebpf = Ebpf::load_file("firewall.o")?;
//! let program: &mut Xdp = ebpf.program_mut("firewall").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach("eth0", XdpMode::Default)?;
//! let map = ebpf.map_mut("BLOCKLIST").ok_or("no such map")?;
//! let mut blocklist: HashMap<_, u32, u32> = HashMap::try_from(map)?;
//! blocklist.insert(0x0101_0101, 0, 0)?;
//! # Ok(())
//! # }
//! ```
//!
//! | what | where |
//! | --- | --- |
//! | an object, from its bytes or a file | [`Ebpf`]; with settings [`EbpfLoader`] |
//! | its programs: load, attach, pin, ask | [`programs`] |
//! | its maps: read, write, wait for records | [`maps`] |
//! | its global variables | [`EbpfLoader::override_global`] before loading, [`Ebpf::global`] after |
//! | names that outlive the process | [`pin`] |
//! | the running kernel: what it supports, its version, CPUs and symbols | [`sys`], [`util`] |
//!
//! # Lifetimes
//!
//! Everything belongs to a value: what is dropped is detached, and freed by the kernel unless a pin, or a
//! program that still runs, holds it. Keep the [`Ebpf`], or the links and maps taken out of it, as long as
//! programs are to run.
//!
//! # Privileges and kernels
//!
//! Loading needs `CAP_BPF`, and `CAP_NET_ADMIN` or `CAP_PERFMON` by the program's type; before kernel 5.8
//! `CAP_SYS_ADMIN`. An error that a missing one causes names it. What an older kernel lacks (names, kinds
//! of types, ring buffers for logs, links) is done without where it can be; each item says since which
//! kernel there is what it needs.
//!
//! # Cargo features
//!
//! Off by default: `async_tokio` and `async_std` for [`AsyncPerfEventArray`](maps::perf), whose buffers
//! tasks of tokio, or of async-std and smol, wait for. All other descriptors can be waited for as they are.
//! `symbols` for the module `symbols`, which finds the functions of call stacks, with their source lines.
//!
//! # Errors
//!
//! A message begins with the name of what it is about and ends with what to do; the kernel's reason is the
//! error's [source](std::error::Error::source). What the verifier said about a program that it rejected
//! is in [`ProgramError::LoadError`](programs::ProgramError::LoadError), in full.

#![deny(unsafe_code)]

mod attach;
mod btf;
mod ebpf;
mod error;
#[doc(hidden)]
pub mod features;
mod global;
#[doc(hidden)]
pub mod links;
mod loader;
pub mod maps;
pub mod pin;
mod pipeline;
mod privilege;
pub mod programs;
mod resolve;
#[cfg(feature = "symbols")]
pub mod symbols;
pub mod sys;
pub mod util;
mod verifier;

pub use self::{
    btf::{Btf, BtfError, Endianness},
    ebpf::Ebpf,
    error::EbpfError,
    global::GlobalVariable,
    loader::{EbpfLoader, GlobalData},
    maps::Pod,
    programs::{
        RawTracePointRunOptions, RawTracePointTestRunResult, TestRun, TestRunAttrs, TestRunOptions,
        TestRunResult,
    },
    verifier::{VerifierLog, VerifierLogLevel},
};
pub use aya_obj::spec::PinningType;

/// The older name of [`Ebpf`].
#[deprecated(note = "use `Ebpf`")]
pub type Bpf = Ebpf;

/// The older name of [`EbpfError`].
#[deprecated(note = "use `EbpfError`")]
pub type BpfError = EbpfError;

/// The older name of [`EbpfLoader`].
#[deprecated(note = "use `EbpfLoader`")]
pub type BpfLoader<'a> = EbpfLoader<'a>;

/// Includes a file as bytes that begin at a multiple of 32, as `include_bytes!` does not promise.
///
/// ```no_run
/// # macro_rules! include_bytes_aligned { ($path:expr) => { &[0u8] } }
/// let object: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/firewall"));
/// let ebpf = aya::Ebpf::load(object)?;
/// # Ok::<(), aya::EbpfError>(())
/// ```
#[macro_export]
macro_rules! include_bytes_aligned {
    ($path:expr) => {{
        #[repr(align(32))]
        struct Aligned<T: ?Sized>(T);

        static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!($path));

        &ALIGNED.0
    }};
}
