//! Typed handles: what all program types do, written once.
//!
//! [`TypedProgram<K>`] is a program with the handle `K`, which stands for a group of rows of the
//! program table. Loading, pinning, asking and unloading are here; a handle's own file, where it
//! has one, holds how its programs are attached.

use std::{
    borrow::Cow,
    fmt, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya_obj::LinkedProgram;
use aya_uapi::{
    AttachType, ProgType,
    programs::{PROGRAMS, ProgramDef},
};

use crate::{
    features::Features,
    links::{Link, Links, TypedLink, TypedLinkId},
    maps::MapFd,
    pin::{self, PinError},
    programs::{
        ProgramError, ProgramFd, ProgramInfo, ProgramType,
        load::{self, LoadTarget, Source},
    },
};

/// A handle: a group of rows of the program table.
///
/// Generated from the table; users meet it only as the parameter of [`TypedProgram`].
pub trait Kind: fmt::Debug + 'static {
    /// The handle's name in the table.
    const HANDLE: &'static str;
    /// The type of its programs.
    const PROG_TYPE: ProgType;

    /// The first of its rows.
    fn def() -> Option<&'static ProgramDef> {
        PROGRAMS.iter().find(|def| def.handle == Self::HANDLE)
    }
}

/// Kinds whose programs are loaded without saying what they will be attached to.
///
/// The others (functions known from BTF, functions of other programs, iterators) have a `load` of
/// their own, with arguments.
pub trait LoadsAlone: Kind {}

/// Kinds of which a pinned or loaded program says all that its handle needs.
///
/// The others have `from_pin` and `from_program_info` of their own, which take what the kernel does
/// not tell.
pub trait OpensAlone: Kind {}

/// Kinds whose programs are attached by links, which the handle or a [`TypedLink`] owns.
///
/// Programs on sockets are not: the socket holds them.
pub trait HasLinks: Kind {}

/// A program is either to be loaded or loaded.
#[derive(Debug)]
enum State {
    Unloaded,
    Loaded {
        fd: ProgramFd,
        /// Where [`TypedProgram::pin`] put it.
        pin: Option<PathBuf>,
    },
}

/// A program of kind `K`: `TypedProgram<kind::Xdp>` is [`Xdp`](super::Xdp).
///
/// Dropping it detaches the links it owns and gives up the program: the kernel frees it when
/// nothing else (a taken link, a pin, a map of programs) refers to it.
#[derive(Debug)]
pub struct TypedProgram<K: Kind> {
    name: Cow<'static, str>,
    /// Absent for programs that were opened, not read from an object: those are always loaded.
    source: Option<Box<Source>>,
    /// The program's row, where its section or whoever opened it says so.
    def: Option<&'static ProgramDef>,
    /// What the program is loaded for, where its section or whoever opened it says so.
    attach_type: Option<AttachType>,
    state: State,
    pub(crate) links: Links<K>,
}

impl<K: Kind> TypedProgram<K> {
    /// The type of the programs that this handle stands for.
    pub const PROGRAM_TYPE: ProgramType = ProgramType::of(K::PROG_TYPE);

    pub(crate) fn from_source(name: String, source: Source) -> Self {
        Self {
            name: name.into(),
            def: Some(source.spec().def),
            attach_type: source.spec().attach_type,
            source: Some(Box::new(source)),
            state: State::Unloaded,
            links: Links::default(),
        }
    }

    pub(crate) fn from_fd(name: Cow<'static, str>, fd: ProgramFd) -> Self {
        Self {
            name,
            source: None,
            def: None,
            attach_type: None,
            state: State::Loaded { fd, pin: None },
            links: Links::default(),
        }
    }

    pub(crate) fn open_pin(path: &Path) -> Result<Self, ProgramError> {
        let fd = ProgramFd::from(pin::open_as(path, pin::PROGRAM)?);
        let info = ProgramInfo::from_fd(fd.as_fd())?;
        if info.raw_type() != K::PROG_TYPE {
            return Err(ProgramError::UnexpectedProgramType);
        }
        let name = info.name_as_str().unwrap_or_default().to_owned();
        let mut program = Self::from_fd(name.into(), fd);
        if let State::Loaded { pin, .. } = &mut program.state {
            *pin = Some(path.to_owned());
        }
        Ok(program)
    }

    pub(crate) fn open_info(
        info: &ProgramInfo,
        name: Cow<'static, str>,
    ) -> Result<Self, ProgramError> {
        if info.raw_type() != K::PROG_TYPE {
            return Err(ProgramError::UnexpectedProgramType);
        }
        Ok(Self::from_fd(name, info.fd()?))
    }

    /// The program as one of this row, which the kernel does not tell.
    pub(crate) fn of_row(mut self, def: &'static ProgramDef) -> Self {
        self.def = Some(def);
        self
    }

    /// The program's row in the table, where it is known.
    pub(crate) const fn def(&self) -> Option<&'static ProgramDef> {
        self.def
    }

    /// The program as one that was loaded for `attach_type`, which the kernel does not tell.
    pub(crate) fn loaded_for(mut self, attach_type: Option<AttachType>) -> Self {
        self.attach_type = attach_type;
        self
    }

    /// What the program is loaded for, where that is known.
    pub(crate) const fn attach_type(&self) -> Option<AttachType> {
        self.attach_type
    }

    /// The name of the program: that of its function.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The program as the object holds it; absent for programs that were opened.
    pub(crate) fn linked(&self) -> Option<&LinkedProgram> {
        self.source.as_deref().map(|source| &source.linked)
    }

    pub(crate) fn features(&self) -> Arc<Features> {
        match &self.source {
            Some(source) => Arc::clone(&source.shared.features),
            None => Features::host(),
        }
    }

    /// Loads the program, for the function that `target` says, if its type needs one.
    pub(crate) fn load_for(&mut self, target: LoadTarget<'_>) -> Result<(), ProgramError> {
        if let State::Loaded { .. } = self.state {
            return Err(ProgramError::AlreadyLoaded);
        }
        let source = self.source.as_deref().ok_or(ProgramError::NotLoaded)?;
        if !source.spec().def.supported {
            return Err(ProgramError::NotSupportedYet {
                name: self.name.clone().into_owned(),
                prog_type: K::PROG_TYPE,
            });
        }
        let fd = load::load(&self.name, source, target)?;
        if let Some(texts) = &source.shared.log_texts {
            texts.bind(&fd, &source.shared.features);
        }
        self.state = State::Loaded { fd, pin: None };
        Ok(())
    }

    /// Has the program hold a map that its instructions do not name, once it is loaded: an
    /// [`InsnArray`](crate::maps::InsnArray) then follows its instructions. Since kernel 6.14.
    ///
    /// # Errors
    ///
    /// [`ProgramError::AlreadyLoaded`], [`ProgramError::NotLoaded`] for a program that was opened, or when
    /// the process has no descriptors left.
    pub fn bind_map(&mut self, map: &MapFd) -> Result<(), ProgramError> {
        if let State::Loaded { .. } = self.state {
            return Err(ProgramError::AlreadyLoaded);
        }
        let source = self.source.as_deref_mut().ok_or(ProgramError::NotLoaded)?;
        let map = map.try_clone().map_err(ProgramError::IOError)?;
        source.bound.push(map);
        Ok(())
    }

    /// The program's descriptor.
    ///
    /// # Errors
    ///
    /// [`ProgramError::NotLoaded`].
    pub fn fd(&self) -> Result<&ProgramFd, ProgramError> {
        match &self.state {
            State::Loaded { fd, .. } => Ok(fd),
            State::Unloaded => Err(ProgramError::NotLoaded),
        }
    }

    /// What the kernel knows about the program. Since kernel 4.13.
    ///
    /// # Errors
    ///
    /// [`ProgramError::NotLoaded`], or the kernel's refusal.
    pub fn info(&self) -> Result<ProgramInfo, ProgramError> {
        ProgramInfo::from_fd(self.fd()?.as_fd())
    }

    /// Pins the program at `path` in a BPF file system, so that it stays loaded when the process
    /// ends. Since kernel 4.4.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or the path is taken or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&mut self, path: P) -> Result<(), PinError> {
        match &mut self.state {
            State::Unloaded => Err(PinError::NoFd {
                name: self.name.clone().into_owned(),
            }),
            State::Loaded { fd, pin } => {
                pin::pin(fd.as_fd(), path.as_ref())?;
                *pin = Some(path.as_ref().to_owned());
                Ok(())
            }
        }
    }

    /// Removes the program's pin, if it has one.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed; the program counts as pinned then.
    pub fn unpin(&mut self) -> Result<(), io::Error> {
        if let State::Loaded { pin, .. } = &mut self.state
            && let Some(path) = pin
        {
            std::fs::remove_file(path)?;
            *pin = None;
        }
        Ok(())
    }

    /// Detaches the program's links and gives it up; it can be loaded again.
    ///
    /// # Errors
    ///
    /// [`ProgramError::NotLoaded`], or the first error of detaching; the program is given up
    /// all the same.
    pub fn unload(&mut self) -> Result<(), ProgramError> {
        let detached = self.links.detach_all();
        match std::mem::replace(&mut self.state, State::Unloaded) {
            State::Loaded { .. } => detached,
            State::Unloaded => Err(ProgramError::NotLoaded),
        }
    }
}

impl<K: HasLinks> TypedProgram<K> {
    /// Takes the program off the hook that `link_id` stands for.
    ///
    /// # Errors
    ///
    /// [`ProgramError::NotAttached`] when the link was detached or taken before, or the kernel's
    /// refusal.
    pub fn detach(&mut self, link_id: TypedLinkId<K>) -> Result<(), ProgramError> {
        self.links.take(&link_id)?.detach()
    }

    /// Hands over the link, so that the program stays attached when this handle is dropped.
    ///
    /// # Errors
    ///
    /// [`ProgramError::NotAttached`] when the link was detached or taken before.
    pub fn take_link(&mut self, link_id: TypedLinkId<K>) -> Result<TypedLink<K>, ProgramError> {
        self.links.take(&link_id)
    }
}

impl<K: LoadsAlone> TypedProgram<K> {
    /// Loads the program: the verifier checks it, then the kernel compiles it.
    ///
    /// # Errors
    ///
    /// [`ProgramError::LoadError`] with the verifier's log when it rejects the program,
    /// [`ProgramError::MissingPrivilege`], [`ProgramError::AlreadyLoaded`], and
    /// [`ProgramError::NotSupportedYet`] for types this library cannot attach yet.
    pub fn load(&mut self) -> Result<(), ProgramError> {
        self.load_for(LoadTarget::default())
    }
}

impl<K: OpensAlone> TypedProgram<K> {
    /// A handle for the program pinned at `path`. Since kernel 4.4.
    ///
    /// # Errors
    ///
    /// When there is no program of this type at the path, or the process may not open it.
    pub fn from_pin<P: AsRef<Path>>(path: P) -> Result<Self, ProgramError> {
        Self::open_pin(path.as_ref())
    }

    /// A handle for a program that is loaded already.
    ///
    /// # Errors
    ///
    /// [`ProgramError::UnexpectedProgramType`], or when the program is gone.
    pub fn from_program_info(
        info: ProgramInfo,
        name: Cow<'static, str>,
    ) -> Result<Self, ProgramError> {
        Self::open_info(&info, name)
    }
}
