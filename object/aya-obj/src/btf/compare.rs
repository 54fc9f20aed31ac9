//! Whether values of one type can be read as values of another, and if not, why.

use alloc::{
    borrow::ToOwned as _,
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{Array, Btf, BtfError, Enum, IntEncoding, Kind, Struct, Type, TypeId};

/// How deep types may be nested in each other.
const DEPTH_LIMIT: usize = 64;

/// Where two types differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The member, as programs write it (`flow.ports[]`); empty for the whole.
    pub member: String,
    /// What is there in the type itself.
    pub own: String,
    /// What is there in the other one.
    pub other: String,
}

impl Btf {
    /// Where the type `own` differs from the type `id` of `other`: the first difference, `None` when
    /// values of one can be read as values of the other.
    ///
    /// They can when both have the same members, of the same names and types, in the same places.
    /// Names of types do not count (but for those that the kernel knows, `bpf_…`), nor does padding, be it
    /// left out or a member whose name says so (`_pad`, `reserved`), a struct around a single member,
    /// what a pointer points to, and whether a number is an enumeration.
    ///
    /// # Errors
    ///
    /// As [`Btf::size_of`]; [`BtfError::Cycle`] also for types that are nested too deep.
    pub fn difference(
        &self,
        own: TypeId,
        other: &Self,
        id: TypeId,
    ) -> Result<Option<Difference>, BtfError> {
        let mut comparison = Comparison {
            own: self,
            other,
            seen: BTreeSet::new(),
        };
        comparison.types(own, id, "", 0)
    }

    /// The type itself: behind names, qualifiers and structs that hold one member only.
    fn bare(&self, id: TypeId) -> Result<Option<(TypeId, &Type)>, BtfError> {
        let mut at = id;
        for _ in 0..DEPTH_LIMIT {
            let Some((id, ty)) = self.resolve(at)? else {
                return Ok(None);
            };
            at = match &ty.kind {
                Kind::Var { ty, .. } => *ty,
                Kind::Struct(Struct { size, members }) if !is_kernels(self.name(ty.name)) => {
                    match members.as_slice() {
                        [only] if only.bits == 0 && self.size_of(only.ty)? == Some(*size) => {
                            only.ty
                        }
                        _ => return Ok(Some((id, ty))),
                    }
                }
                _ => return Ok(Some((id, ty))),
            };
        }
        Err(BtfError::Cycle { id })
    }

    /// What a message calls the type.
    fn describe(&self, id: TypeId) -> String {
        let Ok(Some((_, ty))) = self.bare(id) else {
            return "nothing".to_owned();
        };
        let name = self.name(ty.name);
        match &ty.kind {
            Kind::Int { size, .. } if name.is_empty() => format!("a number of {size} bytes"),
            Kind::Int { .. } | Kind::Float { .. } => name.to_owned(),
            Kind::Ptr(_) => "a pointer".to_owned(),
            // No deeper: an array of arrays may be long.
            Kind::Array(Array { elem, len, .. }) => match self.bare(*elem) {
                Ok(Some((_, Type { kind, .. }))) if !matches!(kind, Kind::Array(_)) => {
                    format!("[{}; {len}]", self.describe(*elem))
                }
                _ => format!("an array of {len}"),
            },
            Kind::Struct(Struct { size, .. })
            | Kind::Union(Struct { size, .. })
            | Kind::Enum(Enum { size, .. })
            | Kind::Enum64(Enum { size, .. })
            | Kind::Datasec { size, .. } => {
                let kind = match &ty.kind {
                    Kind::Struct(_) => "struct",
                    Kind::Union(_) => "union",
                    Kind::Datasec { .. } => "section",
                    _ => "enum",
                };
                let name = if name.is_empty() {
                    "without name"
                } else {
                    name
                };
                format!("{kind} {name} of {size} bytes")
            }
            _ => "no value".to_owned(),
        }
    }

    /// The members that values consist of.
    fn members<'a>(&'a self, ty: &'a Type) -> Option<Vec<Part<'a>>> {
        let mut parts: Vec<_> = match &ty.kind {
            Kind::Struct(body) | Kind::Union(body) => body
                .members
                .iter()
                .map(|member| Part {
                    name: self.name(member.name),
                    ty: member.ty,
                    bit: u64::from(member.bit_offset),
                    bits: member.bits,
                })
                .collect(),
            Kind::Datasec { vars, .. } => vars
                .iter()
                .map(|var| Part {
                    name: self.type_name(var.ty),
                    ty: var.ty,
                    bit: u64::from(var.offset) * 8,
                    bits: 0,
                })
                .collect(),
            _ => return None,
        };
        parts.retain(|part| !is_padding(part.name));
        Some(parts)
    }
}

/// A member, or a variable of a section.
#[derive(Clone, Copy)]
struct Part<'a> {
    name: &'a str,
    ty: TypeId,
    bit: u64,
    bits: u8,
}

impl Part<'_> {
    fn describe(&self, btf: &Btf) -> String {
        let (byte, ty) = (self.bit / 8, btf.describe(self.ty));
        let bits = match self.bits {
            0 => String::new(),
            bits => format!(", {bits} bits from bit {}", self.bit % 8),
        };
        format!("`{}: {ty}` at byte {byte}{bits}", self.name)
    }
}

fn is_padding(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    ["pad", "reserved", "unused"]
        .iter()
        .any(|word| name.starts_with(word))
}

/// Whether the kernel treats structs of that name in a way of their own, such as locks and timers.
fn is_kernels(name: &str) -> bool {
    name.starts_with("bpf_")
}

/// A number's size, and whether it is signed where that makes a difference.
fn number(kind: &Kind) -> Option<(u32, Option<bool>)> {
    match kind {
        // C's `char` is signed or not as the machine likes.
        Kind::Int { size: 1, .. } => Some((1, None)),
        Kind::Int { size, encoding, .. } => Some((*size, Some(IntEncoding::is_signed(*encoding)))),
        Kind::Enum(body) | Kind::Enum64(body) => Some((body.size, None)),
        _ => None,
    }
}

struct Comparison<'a> {
    own: &'a Btf,
    other: &'a Btf,
    /// Pairs that were found equal, or are being compared.
    seen: BTreeSet<(TypeId, TypeId)>,
}

impl Comparison<'_> {
    fn types(
        &mut self,
        own: TypeId,
        other: TypeId,
        member: &str,
        depth: usize,
    ) -> Result<Option<Difference>, BtfError> {
        if depth > DEPTH_LIMIT {
            return Err(BtfError::Cycle { id: own });
        }
        let differ = || {
            Some(Difference {
                member: member.to_owned(),
                own: self.own.describe(own),
                other: self.other.describe(other),
            })
        };
        let (a, b) = match (self.own.bare(own)?, self.other.bare(other)?) {
            (None, None) => return Ok(None),
            (Some(a), Some(b)) => (a, b),
            _ => return Ok(differ()),
        };
        if !self.seen.insert((a.0, b.0)) {
            return Ok(None);
        }
        let (a, b) = (a.1, b.1);
        if let (Some((size, signed)), Some((other_size, other_signed))) =
            (number(&a.kind), number(&b.kind))
        {
            let same_sign = signed.is_none() || other_signed.is_none() || signed == other_signed;
            return Ok(if size == other_size && same_sign {
                None
            } else {
                differ()
            });
        }
        let (names, other_names) = (self.own.name(a.name), self.other.name(b.name));
        let named = is_kernels(names) || is_kernels(other_names);
        match (&a.kind, &b.kind) {
            (Kind::Array(array), Kind::Array(other)) if array.len == other.len => {
                self.types(array.elem, other.elem, &format!("{member}[]"), depth + 1)
            }
            (Kind::Float { size }, Kind::Float { size: other }) if size == other => Ok(None),
            (Kind::Ptr(_), Kind::Ptr(_)) => Ok(None),
            (Kind::Struct(_), Kind::Struct(_)) if named && names != other_names => Ok(differ()),
            (Kind::Struct(body), Kind::Struct(other)) | (Kind::Union(body), Kind::Union(other)) => {
                let same = body.size == other.size;
                let found = self.members((a, b), member, depth)?;
                Ok(found.or_else(|| {
                    if same {
                        None
                    } else {
                        differ_size(member, body, other)
                    }
                }))
            }
            (Kind::Datasec { .. }, Kind::Datasec { .. }) => self.members((a, b), member, depth),
            _ => Ok(differ()),
        }
    }

    fn members(
        &mut self,
        (own, other): (&Type, &Type),
        member: &str,
        depth: usize,
    ) -> Result<Option<Difference>, BtfError> {
        let (Some(parts), Some(others)) = (self.own.members(own), self.other.members(other)) else {
            return Ok(None);
        };
        for at in 0..parts.len().max(others.len()) {
            let (part, other) = match (parts.get(at), others.get(at)) {
                (Some(part), Some(other))
                    if (part.name, part.bit, part.bits) == (other.name, other.bit, other.bits) =>
                {
                    (part, other)
                }
                (part, other) => {
                    let describe = |part: Option<&Part<'_>>, btf| {
                        part.map_or_else(|| "nothing".to_owned(), |part| part.describe(btf))
                    };
                    return Ok(Some(Difference {
                        member: member.to_owned(),
                        own: describe(part, self.own),
                        other: describe(other, self.other),
                    }));
                }
            };
            let path = match member {
                "" => part.name.to_string(),
                _ => format!("{member}.{}", part.name),
            };
            let found = self.types(part.ty, other.ty, &path, depth + 1)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// The same members, and more or less behind them.
fn differ_size(member: &str, own: &Struct, other: &Struct) -> Option<Difference> {
    Some(Difference {
        member: member.to_owned(),
        own: format!("{} bytes", own.size),
        other: format!("{} bytes", other.size),
    })
}
