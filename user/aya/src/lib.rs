//! Load, attach and talk to eBPF programs, in pure Rust.

#![deny(unsafe_code)]

mod attach;
mod btf;
mod ebpf;
mod error;
#[doc(hidden)]
pub mod features;
#[doc(hidden)]
pub mod links;
mod loader;
pub mod maps;
pub mod pin;
mod pipeline;
mod privilege;
pub mod programs;
pub mod sys;
pub mod util;
mod verifier;

pub use self::{
    btf::{Btf, BtfError, Endianness},
    ebpf::{Ebpf, GlobalVariable},
    error::EbpfError,
    loader::{EbpfLoader, GlobalData},
    maps::Pod,
    programs::{TestRun, TestRunAttrs, TestRunOptions, TestRunResult},
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
