//! Links: what ties a loaded program to its hook.
//!
//! Every way of attaching ends in one `Attachment`, owned by one value, and that value's drop
//! detaches. Newer hooks give a descriptor of a *bpf_link*, which the kernel detaches by itself
//! when the last descriptor or pin goes, even when the process is killed. Older hooks keep the
//! program until somebody removes it: for them the mechanism's `Hook` does so on drop, which a
//! killed process cannot.

use std::{
    any::Any,
    error::Error,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use aya_sys::bpf;
use aya_uapi::{
    AttachType,
    programs::{ProgramDef, Via},
};

use crate::{
    pin::{self, PinError},
    programs::{Kind, ProgramError, ProgramFd},
    sys::SyscallError,
};

mod order;

pub use self::order::{LinkOrder, MultiProgLink, MultiProgram};
pub use crate::programs::{
    CgroupAttachMode,
    info::{LinkInfo, LinkType},
};

/// A program's hold on its hook.
pub trait Link: fmt::Debug + Eq + Hash + 'static {
    /// What can go wrong when detaching.
    type Error: Into<ProgramError>;
    /// What names the link among those of its program.
    type Id: fmt::Debug + Eq + Hash;

    /// The link's name among those of its program.
    fn id(&self) -> Self::Id;

    /// Takes the program off its hook; dropping the link does the same, but cannot report what
    /// went wrong.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; the hook keeps the program then.
    fn detach(self) -> Result<(), Self::Error>;
}

/// A hook without bpf_link that holds a program.
pub(crate) trait Hook: Any + fmt::Debug + Send + Sync {
    /// Takes the program off, and no other that may have taken its place.
    fn detach(&self) -> Result<(), ProgramError>;

    /// Puts another program in its place. Only handles of hooks that can do so have a method for it.
    fn replace(&mut self, _program: &ProgramFd) -> Result<(), ProgramError> {
        Err(ProgramError::NotAttached)
    }
}

/// Holds a program on its hook until dropped.
#[derive(Debug)]
pub(crate) enum Attachment {
    Fd(OwnedFd),
    Hook(HookGuard),
    /// Of one program on several places at once.
    Several(Vec<Self>),
}

impl Attachment {
    pub(crate) fn hook(hook: impl Hook + 'static) -> Self {
        Self::Hook(HookGuard(Some(Box::new(hook))))
    }

    /// All of them as one.
    pub(crate) fn several(mut all: Vec<Self>) -> Self {
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => only,
            (Some(last), false) => {
                all.push(last);
                Self::Several(all)
            }
            (None, _) => Self::Several(all),
        }
    }

    /// Puts `program` in the place of the one that is held, without a gap.
    pub(crate) fn replace(&mut self, program: &ProgramFd) -> Result<(), ProgramError> {
        match self {
            Self::Fd(link) => Ok(bpf::link_update(link.as_fd(), program.as_fd(), None)?),
            Self::Hook(HookGuard(Some(hook))) => hook.replace(program),
            Self::Hook(HookGuard(None)) => Err(ProgramError::NotAttached),
            Self::Several(all) => all.iter_mut().try_for_each(|each| each.replace(program)),
        }
    }

    fn detach(self) -> Result<(), ProgramError> {
        match self {
            Self::Fd(fd) => {
                drop(fd);
                Ok(())
            }
            Self::Hook(mut guard) => guard.0.take().map_or(Ok(()), |hook| hook.detach()),
            Self::Several(all) => detach_all(all.into_iter().map(Self::detach)),
        }
    }
}

/// The first error, when all have been tried.
fn detach_all(results: impl Iterator<Item = Result<(), ProgramError>>) -> Result<(), ProgramError> {
    let mut all = Ok(());
    for result in results {
        all = all.and(result);
    }
    all
}

/// The one place that detaches what the kernel would leave attached.
#[derive(Debug)]
pub(crate) struct HookGuard(Option<Box<dyn Hook>>);

impl Drop for HookGuard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|hook| hook.detach()) {
            log::warn!("a program stays attached: {error}");
        }
    }
}

/// A number that no other link of the process has or will have.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

macro_rules! same_by_id {
    ([$($generics:tt)*] $type:ty, $field:tt) => {
        impl<$($generics)*> PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.$field == other.$field
            }
        }

        impl<$($generics)*> Eq for $type {}

        impl<$($generics)*> Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.$field.hash(state);
            }
        }
    };
}

/// The link of a program of kind `K`; dropping it detaches the program.
pub struct TypedLink<K> {
    id: u64,
    attachment: Attachment,
    kind: PhantomData<fn() -> K>,
}

same_by_id!([K] TypedLink<K>, id);

/// Names a link among those of a program of kind `K`.
pub struct TypedLinkId<K>(u64, PhantomData<fn() -> K>);

same_by_id!([K] TypedLinkId<K>, 0);

impl<K> TypedLink<K> {
    pub(crate) fn new(attachment: Attachment) -> Self {
        Self {
            id: next_id(),
            attachment,
            kind: PhantomData,
        }
    }

    pub(crate) fn into_attachment(self) -> Attachment {
        self.attachment
    }

    /// The descriptor, of a bpf_link.
    pub(crate) fn link_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.attachment {
            Attachment::Fd(fd) => Some(fd.as_fd()),
            Attachment::Hook(_) | Attachment::Several(_) => None,
        }
    }

    /// The hook of this type, without a bpf_link.
    pub(crate) fn hook<H: Hook>(&self) -> Option<&H> {
        match &self.attachment {
            Attachment::Hook(HookGuard(Some(hook))) => {
                let hook: &dyn Any = &**hook;
                hook.downcast_ref()
            }
            _ => None,
        }
    }

    /// The descriptors, if the link consists of bpf_links alone.
    pub(crate) fn into_fds(self) -> Result<Vec<OwnedFd>, Self> {
        let is_fd = |attachment: &Attachment| matches!(attachment, Attachment::Fd(_));
        match self.attachment {
            Attachment::Fd(fd) => Ok(vec![fd]),
            Attachment::Several(all) if all.iter().all(is_fd) => Ok(all
                .into_iter()
                .filter_map(|each| match each {
                    Attachment::Fd(fd) => Some(fd),
                    _ => None,
                })
                .collect()),
            attachment => Err(Self { attachment, ..self }),
        }
    }
}

impl<K> fmt::Debug for TypedLink<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Link");
        tuple.field(&self.id).field(&self.attachment).finish()
    }
}

impl<K> fmt::Debug for TypedLinkId<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LinkId").field(&self.0).finish()
    }
}

impl<K: Kind> Link for TypedLink<K> {
    type Error = ProgramError;
    type Id = TypedLinkId<K>;

    fn id(&self) -> Self::Id {
        TypedLinkId(self.id, PhantomData)
    }

    fn detach(self) -> Result<(), ProgramError> {
        self.attachment.detach()
    }
}

impl<K> TryFrom<TypedLink<K>> for FdLink {
    type Error = LinkError;

    /// # Errors
    ///
    /// [`LinkError::InvalidLink`] when the kernel is too old for a bpf_link on this hook. The
    /// program is detached then.
    fn try_from(link: TypedLink<K>) -> Result<Self, LinkError> {
        match link.attachment {
            Attachment::Fd(fd) => Ok(Self { id: link.id, fd }),
            Attachment::Hook(_) | Attachment::Several(_) => Err(LinkError::InvalidLink),
        }
    }
}

impl<K: Kind> TryFrom<FdLink> for TypedLink<K> {
    type Error = LinkError;

    /// # Errors
    ///
    /// [`LinkError::InvalidLink`] when the link is one of another mechanism, and the kernel's refusal.
    /// The link is dropped then.
    fn try_from(link: FdLink) -> Result<Self, LinkError> {
        let expected = K::def().and_then(link_type);
        if expected != Some(link.info()?.link_type()?) {
            return Err(LinkError::InvalidLink);
        }
        Ok(Self {
            id: link.id,
            attachment: Attachment::Fd(link.fd),
            kind: PhantomData,
        })
    }
}

/// The type of the links that programs of a row get, if they get any.
fn link_type(def: &ProgramDef) -> Option<LinkType> {
    let attach_type = def.sections.first().and_then(|section| section.attach_type);
    Some(match def.attach {
        // Attached as functions are, but linked as raw tracepoints are.
        Via::Tracing if attach_type == Some(AttachType::TRACE_RAW_TP) => LinkType::RawTracePoint,
        Via::Xdp => LinkType::Xdp,
        Via::Tc => LinkType::Tcx,
        Via::Netkit => LinkType::Netkit,
        Via::Cgroup => LinkType::Cgroup,
        Via::SockMap => LinkType::SockMap,
        Via::Netns => LinkType::Netns,
        Via::PerfEvent | Via::Kprobe | Via::Uprobe | Via::Tracepoint => LinkType::PerfEvent,
        Via::KprobeMulti => LinkType::KProbeMulti,
        Via::UprobeMulti => LinkType::UProbeMulti,
        Via::RawTracepoint => LinkType::RawTracePoint,
        Via::Tracing | Via::Extension => LinkType::Tracing,
        Via::Iter => LinkType::Iter,
        Via::StructOps => LinkType::StructOps,
        Via::Netfilter => LinkType::Netfilter,
        _ => return None,
    })
}

/// The links that one program owns.
#[derive(Debug)]
pub(crate) struct Links<K>(Vec<TypedLink<K>>);

impl<K> Default for Links<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Kind> Links<K> {
    pub(crate) fn insert(&mut self, link: TypedLink<K>) -> TypedLinkId<K> {
        let id = link.id();
        self.0.push(link);
        id
    }

    pub(crate) fn take(&mut self, id: &TypedLinkId<K>) -> Result<TypedLink<K>, ProgramError> {
        let at = self.0.iter().position(|link| link.id == id.0);
        at.map(|at| self.0.swap_remove(at))
            .ok_or(ProgramError::NotAttached)
    }

    /// Detaches all; the first error is reported when all have been tried.
    pub(crate) fn detach_all(&mut self) -> Result<(), ProgramError> {
        detach_all(self.0.drain(..).map(Link::detach))
    }
}

/// A link that the kernel knows by a descriptor (a *bpf_link*): it can be asked and pinned.
///
/// Dropping it detaches the program unless the link is pinned or open elsewhere.
#[derive(Debug)]
pub struct FdLink {
    id: u64,
    fd: OwnedFd,
}

same_by_id!([] FdLink, id);

/// Names an [`FdLink`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FdLinkId(u64);

impl FdLink {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { id: next_id(), fd }
    }

    /// Pins the link at `path` in a BPF file system, so that the program stays attached when the
    /// process ends. Since kernel 5.7.
    ///
    /// # Errors
    ///
    /// When the path is taken or is not in a BPF file system. The link is dropped then.
    pub fn pin<P: AsRef<Path>>(self, path: P) -> Result<PinnedLink, PinError> {
        pin::pin(self.fd.as_fd(), path.as_ref())?;
        Ok(PinnedLink {
            path: path.as_ref().to_owned(),
            link: self,
        })
    }

    /// What the kernel knows about the link. Since kernel 5.8.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn info(&self) -> Result<LinkInfo, LinkError> {
        LinkInfo::from_fd(self.fd.as_fd())
    }
}

impl AsFd for FdLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Link for FdLink {
    type Error = ProgramError;
    type Id = FdLinkId;

    fn id(&self) -> FdLinkId {
        FdLinkId(self.id)
    }

    fn detach(self) -> Result<(), ProgramError> {
        Attachment::Fd(self.fd).detach()
    }
}

impl From<PinnedLink> for FdLink {
    /// The link without its path; the pin stays and keeps the program attached.
    fn from(pinned: PinnedLink) -> Self {
        pinned.link
    }
}

/// A link with a name in a BPF file system: dropping this value leaves the program attached.
#[derive(Debug)]
pub struct PinnedLink {
    path: PathBuf,
    link: FdLink,
}

impl PinnedLink {
    /// Opens the link pinned at `path`.
    ///
    /// # Errors
    ///
    /// When there is no link at the path, or the process may not open it.
    pub fn from_pin<P: AsRef<Path>>(path: P) -> Result<Self, LinkError> {
        let fd = pin::open_as(path.as_ref(), pin::LINK)?;
        Ok(Self {
            path: path.as_ref().to_owned(),
            link: FdLink::new(fd),
        })
    }

    /// Removes the pin; the program stays attached until the returned link is dropped.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn unpin(self) -> Result<FdLink, std::io::Error> {
        std::fs::remove_file(&self.path)?;
        Ok(self.link)
    }
}

/// Why a link could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum LinkError {
    /// The link has no descriptor, or is one of another mechanism.
    InvalidLink,
    /// A link type that this library does not know.
    UnknownLinkType(u32),
    /// The path of a pin.
    Pin(PinError),
    /// A system call failed.
    SyscallError(SyscallError),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidLink => f.write_str(
                "the link is not a bpf_link of this type: on kernels too old for one there is \
                 nothing to pin or ask",
            ),
            Self::UnknownLinkType(link_type) => write!(
                f,
                "the link is of type {link_type}, which this version does not know: update it"
            ),
            Self::Pin(error) => error.fmt(f),
            Self::SyscallError(error) => error.fmt(f),
        }
    }
}

impl Error for LinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InvalidLink | Self::UnknownLinkType(_) => None,
            Self::Pin(error) => error.source(),
            Self::SyscallError(error) => error.source(),
        }
    }
}

impl From<SyscallError> for LinkError {
    fn from(error: SyscallError) -> Self {
        Self::SyscallError(error)
    }
}

impl From<PinError> for LinkError {
    fn from(error: PinError) -> Self {
        Self::Pin(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::kinds;

    #[test]
    fn links_as_the_kernel_makes_them() {
        fn of<K: Kind>() -> Option<LinkType> {
            K::def().and_then(link_type)
        }
        assert!(matches!(of::<kinds::FEntry>(), Some(LinkType::Tracing)));
        assert!(matches!(of::<kinds::Lsm>(), Some(LinkType::Tracing)));
        for raw in [of::<kinds::RawTracePoint>(), of::<kinds::BtfTracePoint>()] {
            assert!(matches!(raw, Some(LinkType::RawTracePoint)), "{raw:?}");
        }
        assert!(of::<kinds::SocketFilter>().is_none());
    }
}
