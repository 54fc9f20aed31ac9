//! [`StructOps`]: a structure of the kernel's callbacks, with programs in the place of functions.

use std::{
    borrow::{Borrow, BorrowMut},
    collections::BTreeMap,
    error::Error,
    fmt, io,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    path::Path,
};

use aya_obj::btf::{Kind, Struct, TypeId};
use aya_obj::similar::{did_you_mean, similar};
use aya_sys::bpf::{self, MapCreate};
use aya_uapi::MapType;

use super::{Map, MapData, MapError, Pod, data::not_created, pod, types};
use crate::{
    btf::{Btf, BtfError},
    pin::PinError,
};

/// What the kernel puts before the name of the structure, in the name of the map's value.
const PREFIX: &str = "bpf_struct_ops_";

/// The map's one element.
const KEY: u32 = 0;

/// Where the value has its state, behind the count of its users.
const STATE: usize = 4;

/// A structure of the kernel's callbacks, such as `tcp_congestion_ops`, with programs in the place of
/// functions, of type `BPF_MAP_TYPE_STRUCT_OPS` (since kernel 5.6).
///
/// Its members are set by name, then it is registered: from then on the kernel calls the programs. It
/// needs the kernel's types, in which the members and their places are found.
///
/// ```no_run
/// # fn example(slow_start: impl std::os::fd::AsFd) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::{Btf, maps::StructOps};
///
/// let btf = Btf::from_sys_fs()?;
/// let mut control = StructOps::create("tcp_congestion_ops", &btf)?;
/// control.set_text("name", "mine")?;
/// control.set_program("ssthresh", slow_start)?;
/// control.register()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StructOps<T> {
    inner: T,
    layout: Layout,
    /// What is registered: the value.
    value: Vec<u8>,
    /// The programs in it, by their members' places: they stay until the kernel has them.
    programs: BTreeMap<usize, OwnedFd>,
}

/// Where the structure has its members.
#[derive(Debug)]
struct Layout {
    /// The structure's name.
    name: String,
    /// Its type, which programs are loaded for.
    id: TypeId,
    /// Where it begins in the map's value.
    start: usize,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    offset: usize,
    size: usize,
    is_function: bool,
}

/// What a program is loaded for that is to be a member of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructOpsTarget {
    /// The structure's type in the kernel's types: `attach_btf_id`.
    pub btf_id: u32,
    /// The member's number: `expected_attach_type`.
    pub member: u32,
}

/// What has become of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StructOpsState {
    /// It is not registered.
    Initial,
    /// It is registered: the kernel calls its programs.
    InUse,
    /// It has been taken out; what uses it still does.
    ToBeFreed,
    /// It can be registered by a link.
    Ready,
    /// A state that this crate does not know.
    Other(u32),
}

impl From<u32> for StructOpsState {
    fn from(state: u32) -> Self {
        match state {
            0 => Self::Initial,
            1 => Self::InUse,
            2 => Self::ToBeFreed,
            3 => Self::Ready,
            other => Self::Other(other),
        }
    }
}

/// Why something could not be done with a structure of callbacks.
#[derive(Debug)]
#[non_exhaustive]
pub enum StructOpsError {
    /// The kernel has no such structure that programs could implement.
    UnknownStructure {
        /// The name as given.
        name: String,
        /// The names of some that may be meant.
        similar: Vec<String>,
    },
    /// The structure has no such member.
    UnknownMember {
        /// The structure's name.
        name: String,
        /// The member's name as given.
        member: String,
        /// The names of some that may be meant.
        similar: Vec<String>,
    },
    /// The member takes something else.
    UnfitMember {
        /// The structure's name.
        name: String,
        /// The member's name.
        member: String,
        /// What it takes.
        takes: String,
    },
    /// The kernel's types cannot be read.
    Btf(BtfError),
    /// The process has no descriptors left.
    IoError(io::Error),
    /// The kernel did not create the map, or refused to register or take out the structure.
    MapError(MapError),
}

impl fmt::Display for StructOpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownStructure { name, similar } => {
                write!(
                    f,
                    "the kernel has no structure `{name}` that programs can implement: check its \
                     name, or use a newer kernel{}",
                    did_you_mean(similar)
                )
            }
            Self::UnknownMember {
                name,
                member,
                similar,
            } => {
                let meant = did_you_mean(similar);
                write!(
                    f,
                    "`{name}` of this kernel has no member `{member}`: check its name{meant}"
                )
            }
            Self::UnfitMember {
                name,
                member,
                takes,
            } => write!(f, "`{name}`: member `{member}` takes {takes}: give it that"),
            Self::Btf(error) => error.fmt(f),
            Self::IoError(_) => f.write_str("a program's descriptor cannot be kept: close others"),
            Self::MapError(error) => error.fmt(f),
        }
    }
}

impl Error for StructOpsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The message is the inner error's own, so its source comes next.
            Self::Btf(error) => error.source(),
            Self::MapError(error) => error.source(),
            Self::IoError(error) => Some(error),
            _ => None,
        }
    }
}

impl From<MapError> for StructOpsError {
    fn from(error: MapError) -> Self {
        Self::MapError(error)
    }
}

impl Layout {
    /// The structure `name`, with the type of the map's value and its size.
    fn find(name: &str, btf: &Btf) -> Result<(Self, TypeId, u32), StructOpsError> {
        let types = btf.types().map_err(StructOpsError::Btf)?;
        let structure = |id| match types.get(id).map(|ty| &ty.kind) {
            Some(Kind::Struct(body)) => Some(body),
            _ => None,
        };
        let wanted = format!("{PREFIX}{name}");
        let unknown = || {
            let known = types.iter().filter_map(|(_, ty)| match ty.kind {
                Kind::Struct(_) => types.name(ty.name).strip_prefix(PREFIX),
                _ => None,
            });
            StructOpsError::UnknownStructure {
                name: name.to_owned(),
                similar: similar(name, known),
            }
        };
        let value = types.find(&wanted, |kind| matches!(kind, Kind::Struct(_)));
        let value = value.ok_or_else(unknown)?;
        let body = structure(value).ok_or_else(unknown)?;
        let data = body
            .members
            .iter()
            .find(|member| types.name(member.name) == "data");
        let data = data.ok_or_else(unknown)?;
        let members = structure(data.ty).ok_or_else(unknown)?;
        let layout = Self {
            name: name.to_owned(),
            id: data.ty,
            start: bytes(data.bit_offset),
            members: members_of(types, members),
        };
        Ok((layout, value, body.size))
    }

    fn index(&self, name: &str) -> Result<(usize, &Member), StructOpsError> {
        let found = self.members.iter().enumerate();
        let mut found = found.filter(|(_, member)| member.name == name);
        found.next().ok_or_else(|| {
            let names = self.members.iter().map(|member| member.name.as_str());
            StructOpsError::UnknownMember {
                name: self.name.clone(),
                member: name.to_owned(),
                similar: similar(name, names),
            }
        })
    }

    fn unfit(&self, member: &Member) -> StructOpsError {
        StructOpsError::UnfitMember {
            name: self.name.clone(),
            member: member.name.clone(),
            takes: match member.is_function {
                true => "a program".to_owned(),
                false => format!("a value of {} bytes", member.size),
            },
        }
    }
}

/// Structures have no bit fields among what can be set.
const fn bytes(bits: u32) -> usize {
    bits as usize / 8
}

fn members_of(types: &aya_obj::btf::Btf, body: &Struct) -> Vec<Member> {
    let is_function = |id| {
        let Ok(Some((_, pointer))) = types.resolve(id) else {
            return false;
        };
        let Kind::Ptr(to) = pointer.kind else {
            return false;
        };
        let to = types.resolve(to).ok().flatten();
        matches!(to.map(|(_, ty)| &ty.kind), Some(Kind::FuncProto { .. }))
    };
    let members = body.members.iter().map(|member| Member {
        name: types.name(member.name).to_owned(),
        offset: bytes(member.bit_offset),
        size: types.size_of(member.ty).ok().flatten().unwrap_or(0) as usize,
        is_function: is_function(member.ty),
    });
    members.collect()
}

impl StructOps<MapData> {
    /// Creates a map for the structure `name` of the kernel, all of whose members are zero.
    ///
    /// # Errors
    ///
    /// [`StructOpsError::UnknownStructure`], and the kernel's refusal.
    pub fn create(name: &str, btf: &Btf) -> Result<Self, StructOpsError> {
        let (layout, value_type, size) = Layout::find(name, btf)?;
        let refused = |error| not_created(name, MapType::STRUCT_OPS, error);
        // The kernel asks for types of the caller's, and does not look at them.
        let (own, _) = types::plain(4).map_err(refused)?;
        let created = bpf::map_create(&MapCreate {
            key_size: 4,
            value_size: size,
            max_entries: 1,
            name,
            btf: Some(own.as_fd()),
            vmlinux_value_type_id: value_type.0,
            ..MapCreate::new(MapType::STRUCT_OPS)
        });
        let inner = MapData::from_fd(created.map_err(refused)?)?;
        Ok(Self::with(inner, layout, size))
    }

    /// The structure `name` that is in a map of an object, or in one that was found by id or pin.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidMapType`], and [`MapError::InvalidValueSize`] for a map of another structure.
    pub fn from_map(map: Map, name: &str, btf: &Btf) -> Result<Self, StructOpsError> {
        let Map::StructOps(inner) = map else {
            return Err(map.unexpected().into());
        };
        let (layout, _, size) = Layout::find(name, btf)?;
        inner.check_value(size as usize)?;
        Ok(Self::with(inner, layout, size))
    }
}

impl<T: Borrow<MapData>> StructOps<T> {
    fn with(inner: T, layout: Layout, size: u32) -> Self {
        Self {
            inner,
            layout,
            value: vec![0; size as usize],
            programs: BTreeMap::new(),
        }
    }

    /// The map behind the handle: its descriptor, sizes and name.
    pub fn data(&self) -> &MapData {
        self.inner.borrow()
    }

    /// What a program is loaded for that is to be this member.
    ///
    /// # Errors
    ///
    /// [`StructOpsError::UnknownMember`], and [`StructOpsError::UnfitMember`] for one that is no function.
    pub fn target(&self, member: &str) -> Result<StructOpsTarget, StructOpsError> {
        let (index, member) = self.layout.index(member)?;
        match member.is_function {
            true => Ok(StructOpsTarget {
                btf_id: self.layout.id.0,
                // A type has less than 2^16 members.
                member: u32::try_from(index).unwrap_or(u32::MAX),
            }),
            false => Err(self.layout.unfit(member)),
        }
    }

    /// What has become of the structure.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn state(&self) -> Result<StructOpsState, StructOpsError> {
        let mut value = vec![0; self.value.len()];
        let map = self.inner.borrow();
        map.lookup(pod::bytes_of(&KEY), &mut value, 0)?;
        let state = value.get(STATE..).unwrap_or_default();
        Ok(pod::from_prefix::<u32>(state).unwrap_or_default().into())
    }

    /// Pins the map: it outlives the process under `path`, a name in a BPF file system.
    ///
    /// # Errors
    ///
    /// [`PinError`] when the kernel refuses: the path is taken, or in no BPF file system.
    pub fn pin<P: AsRef<Path>>(&self, path: P) -> Result<(), PinError> {
        self.inner.borrow().pin(path)
    }
}

impl<T: BorrowMut<MapData>> StructOps<T> {
    /// Sets a member that is no function; which ones may be other than zero, the structure's owner in
    /// the kernel says.
    ///
    /// # Errors
    ///
    /// [`StructOpsError::UnknownMember`], and [`StructOpsError::UnfitMember`] for a member of another size,
    /// or one that is a function.
    pub fn set<V: Pod>(&mut self, member: &str, value: &V) -> Result<(), StructOpsError> {
        let (_, member) = self.layout.index(member)?;
        if member.is_function || member.size != size_of::<V>() {
            return Err(self.layout.unfit(member));
        }
        let place = place(&mut self.value, self.layout.start, member);
        place
            .ok_or_else(|| self.layout.unfit(member))?
            .copy_from_slice(pod::bytes_of(value));
        Ok(())
    }

    /// Sets a member that is an array of characters, and its rest to zeros.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), for a text that leaves no room for a zero.
    pub fn set_text(&mut self, member: &str, text: &str) -> Result<(), StructOpsError> {
        let (_, member) = self.layout.index(member)?;
        let place = place(&mut self.value, self.layout.start, member);
        match place {
            Some(place) if !member.is_function && text.len() < place.len() => {
                let (front, rest) = place.split_at_mut(text.len());
                front.copy_from_slice(text.as_bytes());
                rest.fill(0);
                Ok(())
            }
            _ => Err(self.layout.unfit(member)),
        }
    }

    /// Puts a program in the place of a function. It was loaded for [`target`](Self::target).
    ///
    /// # Errors
    ///
    /// [`StructOpsError::UnknownMember`], and [`StructOpsError::UnfitMember`] for one that is no function.
    pub fn set_program(&mut self, member: &str, program: impl AsFd) -> Result<(), StructOpsError> {
        let (_, member) = self.layout.index(member)?;
        if !member.is_function {
            return Err(self.layout.unfit(member));
        }
        let program = program.as_fd().try_clone_to_owned();
        let program = program.map_err(StructOpsError::IoError)?;
        let place = place(&mut self.value, self.layout.start, member);
        let place = place.and_then(|place| place.first_chunk_mut());
        // The kernel reads the descriptor as a number of a pointer's size.
        *place.ok_or_else(|| self.layout.unfit(member))? =
            i64::from(program.as_raw_fd()).to_ne_bytes();
        self.programs.insert(member.offset, program);
        Ok(())
    }

    /// Registers the structure: from now on the kernel calls the programs. They stay loaded as long as it
    /// is registered, whatever becomes of this process.
    ///
    /// # Errors
    ///
    /// The kernel's refusal: `EBUSY` when it is registered already, `EINVAL` for programs or values that
    /// do not fit.
    pub fn register(&mut self) -> Result<(), StructOpsError> {
        let map = self.inner.borrow_mut();
        Ok(map.update(pod::bytes_of(&KEY), &self.value, 0)?)
    }

    /// Takes the structure out: what uses it goes on, nothing new begins to. It cannot be registered
    /// again.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when it is not registered, and the kernel's refusal.
    pub fn unregister(&mut self) -> Result<(), StructOpsError> {
        Ok(self.inner.borrow_mut().remove(&KEY)?)
    }
}

/// The bytes of a member in the value.
fn place<'a>(value: &'a mut [u8], start: usize, member: &Member) -> Option<&'a mut [u8]> {
    let start = start.checked_add(member.offset)?;
    value.get_mut(start..start.checked_add(member.size)?)
}
