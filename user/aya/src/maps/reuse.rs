//! Whether a map that exists can stand in for one that an object defines.

use std::{
    borrow::Cow,
    fmt, io,
    os::fd::{AsFd as _, BorrowedFd},
    path::Path,
    sync::Arc,
};

use aya_obj::{
    btf::{Btf, TypeId},
    spec::MapSpec,
};
use aya_sys::{Errno, bpf};

use super::{MapData, MapError, MapShape};
use crate::{features::Features, sys::SyscallError};

/// What to do with a map that is to be pinned where there may be a pin already.
///
/// Before a map is used in the place of another its type, sizes, flags, and the types of its keys and
/// values are compared: [`MapError::Incompatible`] says what differs. Types are compared where both maps
/// have them and the process may see them (`CAP_SYS_ADMIN`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReusePolicy {
    /// The map that is pinned there is used; where none is, one is made and pinned.
    #[default]
    CreateOrReuse,
    /// A map is made and pinned; a pin that is there already is an error.
    Create,
    /// The map that is pinned there is used; none there is an error.
    Reuse,
    /// A map is made, and takes the place of the one that is pinned there, if any. Whoever opens the
    /// path finds the one or the other, never none. It happens last: a load that fails leaves the old pin
    /// in its place. Who uses the old map goes on to use it.
    Replace,
}

/// A point in which a map differs from what it was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapDifference {
    /// What differs: `max_entries`, or `value type, member flow.port`.
    pub what: String,
    /// What it was to be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl fmt::Display for MapDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            expected,
            found,
        } = self;
        write!(f, "{what} is {found}, expected {expected}")
    }
}

/// What a map was to be.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) spec: &'a MapSpec,
    pub(crate) types: Types<'a>,
    /// What the kernel has that it is wanted on.
    pub(crate) features: &'a Arc<Features>,
}

/// The types that a definition refers to.
#[derive(Clone, Copy)]
pub(crate) enum Types<'a> {
    /// They are not known.
    None,
    /// As they were read from the object.
    Read(&'a Btf),
    /// In the kernel.
    Loaded(BorrowedFd<'a>),
}

impl<'a> Types<'a> {
    fn read(self) -> Result<Option<Cow<'a, Btf>>, MapError> {
        match self {
            Self::None => Ok(None),
            Self::Read(types) => Ok(Some(Cow::Borrowed(types))),
            Self::Loaded(fd) => read(fd).map(Cow::Owned).map(Some),
        }
    }
}

impl Wanted<'_> {
    /// Refuses `map` if programs that were made for what is wanted cannot use it. `path` is where it is
    /// pinned, if it is.
    pub(crate) fn check(self, map: &MapData, path: Option<&Path>) -> Result<(), MapError> {
        let mut expected = MapShape::as_created(self.spec)?;
        // Whoever created it did without, too.
        if let Some((feature, lesser)) = expected.lesser(self.spec)
            && !self.features.has(feature)
        {
            expected = lesser;
        }
        let mut differences: Vec<_> = expected.differences(map.shape()).collect();
        // Types of other sizes are others: that has been said.
        if differences.is_empty() {
            differences.extend(self.type_differences(map)?);
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(MapError::Incompatible {
            name: self.spec.name.clone(),
            path: path.map(Path::to_owned),
            differences,
        })
    }

    fn type_differences(self, map: &MapData) -> Result<Vec<MapDifference>, MapError> {
        let info = bpf::map_info(map.fd().as_fd()).map_err(SyscallError::from)?;
        let pairs = [
            ("key type", self.spec.key_type, info.btf_key_type_id),
            ("value type", self.spec.value_type, info.btf_value_type_id),
        ];
        let known = |own: TypeId, other: u32| own != TypeId::VOID && other != 0;
        if !pairs.iter().any(|(_, own, other)| known(*own, *other)) {
            return Ok(Vec::new());
        }
        let Some(own) = self.types.read()? else {
            return Ok(Vec::new());
        };
        let other = match bpf::btf_get_fd_by_id(info.btf_id) {
            Ok(fd) => read(fd.as_fd())?,
            Err(error) if error.errno == Errno::EPERM => {
                log::debug!("map `{}`: its types were not compared", self.spec.name);
                return Ok(Vec::new());
            }
            Err(error) => return Err(SyscallError::from(error).into()),
        };
        let mut differences = Vec::new();
        for (what, id, found) in pairs {
            if !known(id, found) {
                continue;
            }
            let found = own.difference(id, &other, TypeId(found));
            if let Some(found) = found.map_err(io::Error::other)? {
                let what = match found.member.as_str() {
                    "" => what.to_owned(),
                    member => format!("{what}, member `{member}`"),
                };
                differences.push(MapDifference {
                    what,
                    expected: found.own,
                    found: found.other,
                });
            }
        }
        Ok(differences)
    }
}

/// Reads loaded types.
fn read(fd: BorrowedFd<'_>) -> Result<Btf, MapError> {
    let data = bpf::btf_data(fd).map_err(SyscallError::from)?;
    Ok(Btf::parse(&data).map_err(io::Error::other)?)
}
