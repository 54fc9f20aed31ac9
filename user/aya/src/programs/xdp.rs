//! XDP: programs that see a packet before the network stack does.
//!
//! An [`Xdp`] program runs for each packet that a network interface receives, before the network
//! stack allocates anything for it.
//!
//! Since kernel 4.8; bpf_link since 5.9, on older kernels attached by netlink.
//!
//! ```no_run
//! use aya::{Ebpf, programs::{Xdp, XdpMode}};
//!
//! let mut ebpf = Ebpf::load_file("firewall.o")?;
//! let program: &mut Xdp = ebpf.program_mut("firewall").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach("eth0", XdpMode::Default)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the process ends
//!
//! With bpf_link the kernel takes the program off the interface when the process ends, however
//! it ends. Attached by netlink it stays on the interface when the process is killed:
//! `ip link set dev IFACE xdp off` takes it off.

use std::{borrow::Cow, error::Error, fmt, hash::Hash, path::Path};

use aya_uapi::bindings::{
    XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_REPLACE, XDP_FLAGS_SKB_MODE,
    XDP_FLAGS_UPDATE_IF_NOEXIST,
};

use crate::{
    attach,
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, ProgramInfo, kinds},
    sys::{NetlinkError, SyscallError},
};

pub use super::Xdp;

/// The link of an [`Xdp`] program to a network interface; dropping it detaches the program.
pub type XdpLink = TypedLink<kinds::Xdp>;

/// Names an [`XdpLink`] among those of its program.
pub type XdpLinkId = TypedLinkId<kinds::Xdp>;

/// Where an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XdpAttachType {
    /// On an interface (section `xdp`).
    Interface,
    /// On frames that arrive through an entry of a `DevMap` (section `xdp/devmap`). Since 5.8.
    DevMap,
    /// On frames that arrive through an entry of a `CpuMap` (section `xdp/cpumap`). Since 5.9.
    CpuMap,
}

/// Who runs an XDP program.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XdpMode {
    /// The driver where it can, else the network stack.
    #[default]
    Default,
    /// The network stack, after it has allocated the packet's `sk_buff`: slow, but works with
    /// every interface. Since kernel 4.12.
    Skb,
    /// The driver, or nobody. Since kernel 4.12.
    Driver,
    /// The network card. Since kernel 4.13.
    Hardware,
}

impl XdpMode {
    pub(crate) const fn flag(self) -> u32 {
        match self {
            Self::Default => 0,
            Self::Skb => XDP_FLAGS_SKB_MODE,
            Self::Driver => XDP_FLAGS_DRV_MODE,
            Self::Hardware => XDP_FLAGS_HW_MODE,
        }
    }
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Skb => "skb",
            Self::Driver => "driver",
            Self::Hardware => "hardware",
        })
    }
}

#[expect(deprecated, reason = "the older spelling is kept working")]
pub use flags::XdpFlags;

#[allow(deprecated, reason = "what the macro makes of it mentions the type")]
mod flags {
    use super::*;

    bitflags::bitflags! {
        /// The older spelling of [`XdpMode`].
        #[deprecated(note = "use `XdpMode`")]
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct XdpFlags: u32 {
            /// [`XdpMode::Skb`].
            const SKB_MODE = XDP_FLAGS_SKB_MODE;
            /// [`XdpMode::Driver`].
            const DRV_MODE = XDP_FLAGS_DRV_MODE;
            /// [`XdpMode::Hardware`].
            const HW_MODE = XDP_FLAGS_HW_MODE;
            /// Takes the place of a program that was attached without a bpf_link.
            const REPLACE = XDP_FLAGS_REPLACE;
            /// Fails when a program is attached already, which is what happens anyway.
            const UPDATE_IF_NOEXIST = XDP_FLAGS_UPDATE_IF_NOEXIST;
        }
    }
}

/// How to attach an XDP program: made from an [`XdpMode`] or from the older [`XdpFlags`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct XdpAttachOptions {
    pub(crate) mode: XdpMode,
    pub(crate) replace: bool,
}

impl From<XdpMode> for XdpAttachOptions {
    fn from(mode: XdpMode) -> Self {
        Self {
            mode,
            replace: false,
        }
    }
}

#[expect(deprecated, reason = "the older spelling is kept working")]
impl From<XdpFlags> for XdpAttachOptions {
    fn from(flags: XdpFlags) -> Self {
        let modes = [
            (XdpFlags::SKB_MODE, XdpMode::Skb),
            (XdpFlags::DRV_MODE, XdpMode::Driver),
            (XdpFlags::HW_MODE, XdpMode::Hardware),
        ];
        let mode = modes.into_iter().find(|(flag, _)| flags.contains(*flag));
        Self {
            mode: mode.map_or(XdpMode::Default, |(_, mode)| mode),
            replace: flags.contains(XdpFlags::REPLACE),
        }
    }
}

impl Xdp {
    /// Attaches the program to the interface called `interface`.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, there is no such interface, it cannot run programs in
    /// this mode, or has a program already.
    pub fn attach(
        &mut self,
        interface: &str,
        mode: impl Into<XdpAttachOptions>,
    ) -> Result<XdpLinkId, ProgramError> {
        let index = attach::interface_index(interface)?;
        self.attach_to(index, Some(interface), mode.into())
    }

    /// Attaches the program to the interface of this index, as `ip link` shows it.
    ///
    /// # Errors
    ///
    /// As [`attach`](Self::attach).
    pub fn attach_to_if_index(
        &mut self,
        if_index: u32,
        mode: impl Into<XdpAttachOptions>,
    ) -> Result<XdpLinkId, ProgramError> {
        self.attach_to(if_index, None, mode.into())
    }

    fn attach_to(
        &mut self,
        index: u32,
        interface: Option<&str>,
        options: XdpAttachOptions,
    ) -> Result<XdpLinkId, ProgramError> {
        let target = attach::xdp::Target {
            program: self.name(),
            index,
            interface,
        };
        let attachment = attach::xdp::attach(&self.features(), self.fd()?, &target, options)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }

    /// Puts this program in the place of the one that `link` holds: no packet passes in between
    /// unseen. The link is this program's from then on.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the kernel refuses. The link's program is detached
    /// then.
    pub fn attach_to_link(&mut self, link: XdpLink) -> Result<XdpLinkId, ProgramError> {
        let mut attachment = link.into_attachment();
        attachment.replace(self.fd()?)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }

    /// Opens the program pinned at `path`.
    ///
    /// `attach_type` is the one the program was loaded with; it matters only when the program is
    /// loaded, so an opened one does not remember it.
    ///
    /// # Errors
    ///
    /// When there is no XDP program at the path, or the process may not open it.
    pub fn from_pin<P: AsRef<Path>>(
        path: P,
        _attach_type: XdpAttachType,
    ) -> Result<Self, ProgramError> {
        Self::open_pin(path.as_ref())
    }

    /// A handle for a program that is loaded already.
    ///
    /// # Errors
    ///
    /// When the program is no XDP program, or is gone.
    pub fn from_program_info(
        info: ProgramInfo,
        name: Cow<'static, str>,
        _attach_type: XdpAttachType,
    ) -> Result<Self, ProgramError> {
        Self::open_info(&info, name)
    }
}

/// Why a program could not be attached to a network interface.
#[derive(Debug)]
#[non_exhaustive]
pub enum XdpError {
    /// The interface cannot run programs in this mode.
    ModeNotSupported {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// The mode asked for.
        mode: XdpMode,
        /// What the kernel said.
        source: SyscallError,
    },
    /// The interface has a program already.
    InterfaceBusy {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: SyscallError,
    },
    /// The kernel or the driver does not take the program, for a reason of their own.
    Refused {
        /// The program's name.
        name: String,
        /// The interface.
        interface: String,
        /// The mode asked for.
        mode: XdpMode,
        /// Why, in the kernel's own words, if it has any.
        words: Option<String>,
        /// What the kernel said.
        source: SyscallError,
    },
    /// Netlink refused.
    NetlinkError(NetlinkError),
    /// A system call failed.
    SyscallError(SyscallError),
}

impl fmt::Display for XdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModeNotSupported {
                name,
                interface,
                mode,
                ..
            } => {
                write!(
                    f,
                    "program `{name}`: interface `{interface}` cannot run programs in {mode} mode: "
                )?;
                f.write_str(match mode {
                    XdpMode::Skb => "this kernel lacks it (before 4.12)",
                    _ => "use `XdpMode::Skb`, which works with every interface",
                })
            }
            Self::InterfaceBusy {
                name, interface, ..
            } => write!(
                f,
                "program `{name}`: interface `{interface}` has an XDP program already: detach \
                 that one (`ip link set dev {interface} xdp off`), or replace it by \
                 `attach_to_link` or `XdpFlags::REPLACE`"
            ),
            Self::Refused {
                name,
                interface,
                mode,
                words,
                ..
            } => {
                write!(
                    f,
                    "program `{name}`: interface `{interface}` refused it in {mode} mode: "
                )?;
                match words {
                    Some(words) => write!(f, "{words}: change that")?,
                    None => f.write_str(
                        "`dmesg` may tell the driver's reason, such as packets too large for one \
                         page",
                    )?,
                }
                match mode {
                    XdpMode::Skb => Ok(()),
                    _ => f.write_str("; `XdpMode::Skb` asks less of it"),
                }
            }
            Self::NetlinkError(error) => error.fmt(f),
            Self::SyscallError(error) => error.fmt(f),
        }
    }
}

impl Error for XdpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ModeNotSupported { source, .. }
            | Self::InterfaceBusy { source, .. }
            | Self::Refused { source, .. } => Some(source),
            Self::NetlinkError(error) => error.source(),
            Self::SyscallError(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(deprecated, reason = "the older spelling is kept working")]
    fn both_spellings_say_the_same() {
        let options = XdpAttachOptions::from;
        assert_eq!(options(XdpFlags::default()), XdpMode::Default.into());
        assert_eq!(options(XdpFlags::SKB_MODE), XdpMode::Skb.into());
        assert_eq!(options(XdpFlags::DRV_MODE), XdpMode::Driver.into());
        assert_eq!(options(XdpFlags::HW_MODE), XdpMode::Hardware.into());
        assert_eq!(
            options(XdpFlags::UPDATE_IF_NOEXIST),
            XdpMode::Default.into()
        );
        let replace = options(XdpFlags::SKB_MODE | XdpFlags::REPLACE);
        assert_eq!((replace.mode, replace.replace), (XdpMode::Skb, true));
    }
}
