//! Where a program goes among others on the same hook.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya_sys::bpf::{Neighbour, Place};

use crate::{
    links::LinkError,
    programs::{ProgramError, ProgramId},
    sys::SyscallError,
};

/// A program that can share its hook with others.
pub trait MultiProgram {
    /// The program's descriptor.
    ///
    /// # Errors
    ///
    /// [`ProgramError::NotLoaded`].
    fn fd(&self) -> Result<BorrowedFd<'_>, ProgramError>;
}

/// A link of a program that can share its hook with others.
pub trait MultiProgLink {
    /// The link's descriptor.
    ///
    /// # Errors
    ///
    /// [`LinkError::InvalidLink`] when the kernel is too old for a bpf_link on this hook.
    fn fd(&self) -> Result<BorrowedFd<'_>, LinkError>;
}

/// Where a program goes among those that are attached to the same hook already. Since kernel 6.6, for
/// traffic control.
///
/// By default it goes behind them, as [`last`](Self::last).
///
/// ```no_run
/// use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, tc::TcAttachOptions};
///
/// # fn f(first: &SchedClassifier, second: &mut SchedClassifier) -> Result<(), aya::programs::ProgramError> {
/// let order = LinkOrder::before_program(first)?;
/// second.attach_with_options("eth0", TcAttachType::Ingress, TcAttachOptions::TcxOrder(order))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct LinkOrder(Order);

#[derive(Debug, Default)]
enum Order {
    First,
    #[default]
    Last,
    Before(Anchor),
    After(Anchor),
}

/// What the place is relative to, held so that its number stays its own.
#[derive(Debug)]
enum Anchor {
    Program(OwnedFd),
    ProgramId(u32),
    Link(OwnedFd),
}

impl LinkOrder {
    /// Before all others.
    pub const fn first() -> Self {
        Self(Order::First)
    }

    /// Behind all others.
    pub const fn last() -> Self {
        Self(Order::Last)
    }

    /// Just before the program that `link` holds.
    ///
    /// # Errors
    ///
    /// When the link has no descriptor, or the process has none left.
    pub fn before_link<L: MultiProgLink>(link: &L) -> Result<Self, LinkError> {
        Anchor::link(link).map(Order::Before).map(Self)
    }

    /// Just behind the program that `link` holds.
    ///
    /// # Errors
    ///
    /// As [`before_link`](Self::before_link).
    pub fn after_link<L: MultiProgLink>(link: &L) -> Result<Self, LinkError> {
        Anchor::link(link).map(Order::After).map(Self)
    }

    /// Just before `program`.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the process has no descriptor left.
    pub fn before_program<P: MultiProgram>(program: &P) -> Result<Self, ProgramError> {
        Anchor::program(program).map(Order::Before).map(Self)
    }

    /// Just behind `program`.
    ///
    /// # Errors
    ///
    /// As [`before_program`](Self::before_program).
    pub fn after_program<P: MultiProgram>(program: &P) -> Result<Self, ProgramError> {
        Anchor::program(program).map(Order::After).map(Self)
    }

    /// Just before the program with this id, whoever loaded it.
    pub const fn before_program_id(id: ProgramId) -> Self {
        Self(Order::Before(Anchor::ProgramId(id.0)))
    }

    /// Just behind the program with this id, whoever loaded it.
    pub const fn after_program_id(id: ProgramId) -> Self {
        Self(Order::After(Anchor::ProgramId(id.0)))
    }

    pub(crate) fn place(&self) -> Place<'_> {
        match &self.0 {
            Order::First => Place::First,
            Order::Last => Place::Last,
            Order::Before(anchor) => Place::Before(anchor.neighbour()),
            Order::After(anchor) => Place::After(anchor.neighbour()),
        }
    }
}

impl Anchor {
    fn link(link: &impl MultiProgLink) -> Result<Self, LinkError> {
        let fd = link.fd()?.try_clone_to_owned();
        let fd = fd.map_err(|io_error| SyscallError {
            call: "fcntl(F_DUPFD_CLOEXEC)",
            io_error,
        });
        Ok(Self::Link(fd?))
    }

    fn program(program: &impl MultiProgram) -> Result<Self, ProgramError> {
        Ok(Self::Program(program.fd()?.try_clone_to_owned()?))
    }

    fn neighbour(&self) -> Neighbour<'_> {
        match self {
            Self::Program(fd) => Neighbour::Program(fd.as_fd()),
            Self::ProgramId(id) => Neighbour::ProgramId(*id),
            Self::Link(fd) => Neighbour::Link(fd.as_fd()),
        }
    }
}
