//! Log from eBPF programs.
//!
//! ```
//! use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
//! use aya_log_ebpf::{info, warn};
//!
//! #[xdp]
//! pub fn firewall(ctx: XdpContext) -> u32 {
//!     let (source, port) = (0x0101_0101u32, 443u16);
//!     info!(&ctx, "from {:i}, port {}", source, port);
//!     warn!(&ctx, target: "firewall", "{source:i} is not welcome");
//!     xdp_action::XDP_DROP
//! }
//! # fn main() {}
//! ```
//!
//! [`error!`], [`warn!`], [`info!`], [`debug!`] and [`trace!`] take the program's context, an optional
//! `target:` (the module without it), a format string and its arguments; [`log!`] takes a [`Level`]
//! before the format string. User space receives the messages with `aya_log::EbpfLogger`.
//!
//! | placeholder | shows | types |
//! | --- | --- | --- |
//! | `{}` | text | integers, `bool`, `char`, `&str`, IP addresses of `core::net` |
//! | `{:x}`, `{:X}` | hexadecimal | integers, `&[u8]`, `[u8; N]` |
//! | `{:i}` | an IP address | `u32` and `[u16; 8]` (as numbers), `[u8; 4]`, `[u8; 16]` (in network order), types of `core::net` |
//! | `{:mac}`, `{:MAC}` | a MAC address | `[u8; 6]` |
//! | `{:p}` | an address | raw pointers |
//!
//! References count as what they point to. Placeholders can name positions (`{0:x}`), arguments
//! (`{port}` with `port = …`) and variables (`{port:x}`); `{{` and `}}` are braces. What a hint does
//! not suit is refused by the compiler, and so are floating-point numbers, which eBPF does not have.
//!
//! # What a statement costs
//!
//! The program sends the number of the statement and the arguments' bytes with one call of a helper;
//! text stays in the object file. Arguments are evaluated once, and only if the level is enabled. The
//! most verbose level that is sent is set when the program is loaded, through the global
//! `AYA_LOG_LEVEL` (`aya_log::LEVEL`), so that the verifier removes statements beyond it; with the
//! environment variable `AYA_LOG_LEVEL` (`off`, `error`, … `trace`) at build time they are not even
//! compiled.
//!
//! # Strings and slices
//!
//! `&str` and `&[u8]` are copied through a per-CPU buffer. A record carries up to 1 KiB of them, shared
//! evenly between the statement's arguments of this sort; what is cut off shows as `…`. The program
//! must be under a licence compatible with the GPL, as `bpf_probe_read_kernel` asks for. A statement
//! that interrupts another one with such arguments on its CPU finds the buffer taken, and its record
//! is lost.
//!
//! # Lost records
//!
//! Records that find no room are counted, and user space reports the count. The ring buffer has
//! 256 KiB unless `EbpfLoader::map_max_entries("AYA_LOGS", …)` sets another size: a power of two, at
//! least a page.
#![no_std]

pub use aya_log_common::Level;
pub use aya_log_macros::{debug, error, info, log, trace, warn};

mod emit;

/// What the macros' code calls.
#[doc(hidden)]
pub mod __private {
    pub use aya_log_common::descriptor::Descriptor;

    pub use crate::emit::{Head, emit, emit_constant, enabled};

    /// One function per hint, which passes on what the hint accepts.
    pub mod check {
        use aya_log_common::{
            DefaultFormatter, IpFormatter, LowerHexFormatter, LowerMacFormatter, PointerFormatter,
            UpperHexFormatter, UpperMacFormatter,
        };

        // Written out: the compiler shows these lines to whoever passes a wrong type.

        #[inline(always)]
        pub fn default<T: DefaultFormatter>(argument: T) -> T {
            argument
        }

        #[inline(always)]
        pub fn lower_hex<T: LowerHexFormatter>(argument: T) -> T {
            argument
        }

        #[inline(always)]
        pub fn upper_hex<T: UpperHexFormatter>(argument: T) -> T {
            argument
        }

        #[inline(always)]
        pub fn ip<T: IpFormatter>(argument: T) -> T {
            argument
        }

        #[inline(always)]
        pub fn lower_mac<T: LowerMacFormatter>(argument: T) -> T {
            argument
        }

        #[inline(always)]
        pub fn upper_mac<T: UpperMacFormatter>(argument: T) -> T {
            argument
        }

        #[inline(always)]
        pub fn pointer<T: PointerFormatter>(argument: T) -> T {
            argument
        }
    }
}
