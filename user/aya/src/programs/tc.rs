//! Traffic control: programs that see a packet on its way in or out of an interface.
//!
//! A [`SchedClassifier`] runs for each packet past the driver, where a socket buffer describes it: on
//! the way in before the network stack looks at it, on the way out when the stack is done.
//!
//! Since kernel 4.1; with [TCX](https://docs.kernel.org/bpf/) since 6.6 several programs share an
//! interface in an order of their own. Older kernels attach a program as a filter of the queueing
//! discipline `clsact`, which has to be there: [`qdisc_add_clsact`].
//!
//! ```no_run
//! use aya::{Ebpf, programs::{SchedClassifier, TcAttachType, tc}};
//!
//! let mut ebpf = Ebpf::load_file("firewall.o")?;
//! let program: &mut SchedClassifier =
//!     ebpf.program_mut("firewall").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! // Needed before kernel 6.6; an error if it is there already, which is no harm.
//! let _ = tc::qdisc_add_clsact("eth0");
//! program.attach("eth0", TcAttachType::Egress)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the process ends
//!
//! With TCX the kernel takes the program off the interface when the process ends, however it ends.
//! Attached by netlink, the filter goes when the link or the program's handle is dropped, and stays
//! when the process is killed: nothing in the kernel ties a filter to a process. What a killed process
//! has left goes by [`qdisc_detach_program`] or [`SchedClassifierLink::attached`]. The discipline
//! `clsact`, which others may use too, stays until `tc qdisc del dev IFACE clsact`.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd},
};

use aya_sys::{Errno, bpf};

use crate::{
    attach::{self, tc::Filter},
    links::{
        Attachment, LinkError, LinkOrder, MultiProgLink, MultiProgram, TypedLink, TypedLinkId,
    },
    programs::{ProgramError, ProgramInfo, kinds},
};

mod error;

pub use self::error::TcError;
pub use super::SchedClassifier;

/// The link of a [`SchedClassifier`] to a network interface; dropping it detaches the program.
pub type SchedClassifierLink = TypedLink<kinds::SchedClassifier>;

/// Names a [`SchedClassifierLink`] among those of its program.
pub type SchedClassifierLinkId = TypedLinkId<kinds::SchedClassifier>;

/// Where on an interface a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcAttachType {
    /// On packets that the interface receives.
    Ingress,
    /// On packets that the interface sends.
    Egress,
    /// At a class of a queueing discipline, by its number (`MAJOR:MINOR` in its halves). By netlink
    /// alone.
    Custom(u32),
}

impl fmt::Display for TcAttachType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingress => f.write_str("ingress"),
            Self::Egress => f.write_str("egress"),
            Self::Custom(parent) => TcHandle(*parent).fmt(f),
        }
    }
}

/// A number of traffic control: of a filter, a class or a queueing discipline. Shown as `tc` does, the
/// two halves as hexadecimal numbers with a colon between.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcHandle(u32);

impl TcHandle {
    /// Lets the kernel choose a number.
    pub const AUTO_ASSIGN: Self = Self(0);

    /// The number with these halves.
    ///
    /// ```
    /// use aya::programs::tc::TcHandle;
    ///
    /// assert_eq!(TcHandle::new(1, 0x20).to_string(), "1:20");
    /// assert_eq!(u32::from(TcHandle::new(1, 0x20)), 0x1_0020);
    /// ```
    pub const fn new(major: u16, minor: u16) -> Self {
        Self((major as u32) << 16 | minor as u32)
    }
}

impl From<u32> for TcHandle {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<TcHandle> for u32 {
    fn from(handle: TcHandle) -> Self {
        handle.0
    }
}

impl fmt::Display for TcHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{:x}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// How to attach a program.
#[derive(Debug)]
pub enum TcAttachOptions {
    /// As a filter, by netlink.
    Netlink(NlOptions),
    /// By TCX, at this place among other programs. Since kernel 6.6.
    TcxOrder(LinkOrder),
}

/// How to attach a program as a filter.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NlOptions {
    /// Filters run by rising priority; 0, the default, lets the kernel choose: 49152, and one less for
    /// each that was chosen before, so that the newest of those runs first.
    pub priority: u16,
    /// The filter's number among those of its priority; by default the kernel chooses.
    pub handle: TcHandle,
    /// The class that packets belong to from then on.
    pub classid: Option<TcHandle>,
}

impl SchedClassifier {
    /// Attaches the program to the interface called `interface`: by TCX behind all others, or on
    /// kernels before 6.6 as a filter with the default [`NlOptions`].
    ///
    /// # Errors
    ///
    /// When the program is not loaded, is attached there already, there is no such interface, or it
    /// has no `clsact` and needs one.
    pub fn attach(
        &mut self,
        interface: &str,
        attach_type: TcAttachType,
    ) -> Result<SchedClassifierLinkId, ProgramError> {
        self.attach_as(interface, attach_type, None)
    }

    /// As [`attach`](Self::attach), in the way and at the place that `options` say.
    ///
    /// ```no_run
    /// # use aya::programs::{ProgramError, SchedClassifier};
    /// # fn f(program: &mut SchedClassifier) -> Result<(), ProgramError> {
    /// use aya::programs::{TcAttachType, tc::{NlOptions, TcAttachOptions}};
    ///
    /// let options = NlOptions { priority: 50, ..NlOptions::default() };
    /// let id = program.attach_with_options(
    ///     "eth0",
    ///     TcAttachType::Ingress,
    ///     TcAttachOptions::Netlink(options),
    /// )?;
    /// let link = program.take_link(id)?;
    /// println!("filter {} at priority {}", link.handle()?, link.priority()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As there; [`TcError::HandleTaken`] when there is such a filter, [`TcError::NoNeighbour`] when
    /// the program that the order speaks of is not attached there, [`TcError::TcxNotSupported`] for an
    /// order on a kernel before 6.6.
    pub fn attach_with_options(
        &mut self,
        interface: &str,
        attach_type: TcAttachType,
        options: TcAttachOptions,
    ) -> Result<SchedClassifierLinkId, ProgramError> {
        self.attach_as(interface, attach_type, Some(options))
    }

    fn attach_as(
        &mut self,
        interface: &str,
        attach_type: TcAttachType,
        options: Option<TcAttachOptions>,
    ) -> Result<SchedClassifierLinkId, ProgramError> {
        let target = attach::tc::Target {
            program: self.name(),
            interface,
            attach_type,
        };
        let attachment = attach::tc::attach(&self.features(), self.fd()?, &target, options)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }

    /// Puts this program in the place of the one that `link` holds: no packet passes in between
    /// unseen. The link is this program's from then on. A filter keeps the name that it is listed by.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the kernel refuses. The link's program is detached
    /// then.
    pub fn attach_to_link(
        &mut self,
        link: SchedClassifierLink,
    ) -> Result<SchedClassifierLinkId, ProgramError> {
        let mut attachment = link.into_attachment();
        attachment.replace(self.fd()?)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }

    /// The programs that TCX runs on the interface, in their order, and how often that has changed.
    /// Since kernel 6.6. Needs `CAP_NET_ADMIN`, and `CAP_SYS_ADMIN` to open programs.
    ///
    /// # Errors
    ///
    /// When there is no such interface, or the kernel has no TCX.
    pub fn query_tcx(
        interface: &str,
        attach_type: TcAttachType,
    ) -> Result<(u64, Vec<ProgramInfo>), ProgramError> {
        let found = attach::tc::query(interface, attach_type)?;
        let mut programs = Vec::with_capacity(found.prog_ids.len());
        for id in found.prog_ids {
            match bpf::prog_get_fd_by_id(id) {
                Ok(fd) => programs.push(ProgramInfo::from_fd(fd.as_fd())?),
                // Gone in the meantime.
                Err(error) if error.errno == Errno::ENOENT => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((found.revision, programs))
    }
}

impl MultiProgram for SchedClassifier {
    fn fd(&self) -> Result<BorrowedFd<'_>, ProgramError> {
        Ok(Self::fd(self)?.as_fd())
    }
}

impl SchedClassifierLink {
    /// The link of a filter that was attached before, by this process or another: dropping it removes
    /// the filter.
    ///
    /// ```no_run
    /// use aya::programs::tc::{SchedClassifierLink, TcAttachType, TcHandle};
    ///
    /// let handle = TcHandle::new(0, 1);
    /// let left = SchedClassifierLink::attached("eth0", TcAttachType::Ingress, 50, handle, None)?;
    /// drop(left);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) when there is no such interface, or no program at this
    /// place, and the kernel's refusal.
    pub fn attached(
        if_name: &str,
        attach_type: TcAttachType,
        priority: u16,
        handle: TcHandle,
        classid: Option<TcHandle>,
    ) -> io::Result<Self> {
        let found = Filter::found(if_name, attach_type, priority, handle);
        let mut filter = found.map_err(io::Error::from)?;
        filter.class = classid.or(filter.class);
        Ok(Self::new(Attachment::hook(filter)))
    }

    /// Where on the interface the program runs.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to say.
    pub fn attach_type(&self) -> Result<TcAttachType, ProgramError> {
        let side = match self.link_fd() {
            Some(fd) => attach::tc::side(fd)?,
            None => Some(self.filter()?.attach_type),
        };
        Ok(side.ok_or(TcError::InvalidLinkOperation)?)
    }

    /// The filter's priority, chosen by the kernel where the options left it open.
    ///
    /// # Errors
    ///
    /// [`TcError::InvalidLinkOperation`] for links of TCX.
    pub fn priority(&self) -> Result<u16, ProgramError> {
        Ok(self.filter()?.place.priority)
    }

    /// The filter's number, chosen by the kernel where the options left it open.
    ///
    /// # Errors
    ///
    /// [`TcError::InvalidLinkOperation`] for links of TCX.
    pub fn handle(&self) -> Result<TcHandle, ProgramError> {
        Ok(self.filter()?.place.handle.into())
    }

    /// The class that the filter puts packets into.
    ///
    /// # Errors
    ///
    /// [`TcError::InvalidLinkOperation`] for links of TCX.
    pub fn classid(&self) -> Result<Option<TcHandle>, ProgramError> {
        Ok(self.filter()?.class)
    }

    fn filter(&self) -> Result<&Filter, TcError> {
        self.hook().ok_or(TcError::InvalidLinkOperation)
    }
}

impl MultiProgLink for SchedClassifierLink {
    fn fd(&self) -> Result<BorrowedFd<'_>, LinkError> {
        self.link_fd().ok_or(LinkError::InvalidLink)
    }
}

/// Adds the queueing discipline `clsact` to the interface, which filters hang on. Since kernel 4.5;
/// since 6.6 programs are attached without. It stays until `tc qdisc del dev IFACE clsact`.
///
/// # Errors
///
/// [`TcError::AlreadyAttached`] when it is there, which is no harm.
pub fn qdisc_add_clsact(if_name: &str) -> Result<(), TcError> {
    attach::tc::add_clsact(if_name)
}

/// Removes all filters from the interface that are programs called `name`, whoever attached them. What
/// TCX runs is not a filter.
///
/// # Errors
///
/// [`TcError::IoError`] of kind [`NotFound`](io::ErrorKind::NotFound) when there is none.
pub fn qdisc_detach_program(
    if_name: &str,
    attach_type: TcAttachType,
    name: &str,
) -> Result<(), TcError> {
    match attach::tc::detach_by_name(if_name, attach_type, name)? {
        0 => {
            let message = format!(
                "interface `{if_name}` has no filter `{name}` on {attach_type}: `tc filter show dev \
                 {if_name} {attach_type}` lists those there are"
            );
            Err(io::Error::new(io::ErrorKind::NotFound, message).into())
        }
        _ => Ok(()),
    }
}
