//! Bytes to types.

use alloc::vec::Vec;
use core::ops::Range;

use aya_uapi::bindings::*;
use object::Endianness;

use super::{
    Array, Btf, BtfError, DatasecVar, Enum, EnumValue, FuncLinkage, IntEncoding, Kind, Member,
    Name, Param, Struct, Type, TypeId, VarLinkage,
};
use crate::bytes::Bytes;

pub(super) const SECTION: &str = ".BTF";

/// The magic number `BTF_MAGIC`, which also tells the byte order.
pub(super) const MAGIC: u16 = 0xeb9f;

/// The longest name: a compiler's are much shorter.
const NAME_LIMIT: usize = 1 << 16;

/// Opens a section by its header: byte order, and a cursor after version and flags.
pub(super) fn open<'a>(
    data: &'a [u8],
    section: &'static str,
) -> Result<(Bytes<'a>, Bytes<'a>), BtfError> {
    let endian = match data.first_chunk() {
        Some(magic) if u16::from_le_bytes(*magic) == MAGIC => Endianness::Little,
        Some(magic) if u16::from_be_bytes(*magic) == MAGIC => Endianness::Big,
        _ => return Err(BtfError::NotBtf { section }),
    };
    let truncated = BtfError::truncated(section);
    let mut header = Bytes::new(data, endian);
    header.take(2).map_err(truncated)?;
    let version = header.u8().map_err(truncated)?;
    if version != 1 {
        return Err(BtfError::Version { section, version });
    }
    header.u8().map_err(truncated)?;
    let len = usize_of(header.u32().map_err(truncated)?);
    let rest = data.len().saturating_sub(len);
    let body = header.part(len, rest).map_err(truncated)?;
    let header = header
        .part(header.at(), len.saturating_sub(header.at()))
        .map_err(truncated)?;
    Ok((header, body))
}

/// Where the parts of a section are.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) endian: Endianness,
    /// The types.
    pub(super) table: Range<usize>,
    /// The strings.
    pub(super) strings: Range<usize>,
}

impl Parts {
    fn strings<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.strings.clone()).unwrap_or_default()
    }
}

/// Finds the parts of a section by its header; both are inside of the data.
pub(super) fn parts(data: &[u8]) -> Result<Parts, BtfError> {
    let truncated = BtfError::truncated(SECTION);
    let (mut header, mut body) = open(data, SECTION)?;
    let endian = body.endian();
    let whole = body.clone();
    let begin = data.len().saturating_sub(body.rest().len());
    let mut part = || -> Result<Range<usize>, BtfError> {
        let offset = usize_of(header.u32().map_err(truncated)?);
        let len = usize_of(header.u32().map_err(truncated)?);
        whole.part(offset, len).map_err(truncated)?;
        let begin = begin.saturating_add(offset);
        Ok(begin..begin.saturating_add(len))
    };
    let (table, strings) = (part()?, part()?);
    Ok(Parts {
        endian,
        table,
        strings,
    })
}

/// The kind (`BTF_KIND_*`) in the second word of a type.
pub(super) const fn kind_of(info: u32) -> u32 {
    (info >> 24) & 0x1f
}

/// A 32-bit number as a size; every host has 32 bits at least.
pub(crate) fn usize_of(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl Btf {
    /// Reads a `.BTF` section, or the file `/sys/kernel/btf/vmlinux`. The byte order is the one
    /// that the data itself states.
    ///
    /// # Errors
    ///
    /// When the data does not follow the format: every name and every type number in the result is
    /// valid.
    pub fn parse(data: &[u8]) -> Result<Self, BtfError> {
        let parts = parts(data)?;
        let strings = read_strings(parts.strings(data), true)?;
        Self::from_parts(Vec::new(), strings.into()).read_types(data, &parts)
    }

    /// Reads the types of a kernel module, such as `/sys/kernel/btf/nf_conntrack` (since kernel 5.11).
    /// They continue those of the kernel, numbers and names alike; the result has both.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_split(data: &[u8], mut base: Self) -> Result<Self, BtfError> {
        let parts = parts(data)?;
        let strings = read_strings(parts.strings(data), false)?;
        let types = core::mem::take(&mut base.types);
        Self::from_parts(types, [base.strings(), strings].concat()).read_types(data, &parts)
    }

    /// Adds the types in the data to the others.
    fn read_types(self, data: &[u8], parts: &Parts) -> Result<Self, BtfError> {
        let Self {
            mut types, strings, ..
        } = self;
        let table = data.get(parts.table.clone()).unwrap_or_default();
        let mut table = Bytes::new(table, parts.endian);
        let mut names = Names::new(
            &strings,
            data.len().saturating_mul(8).saturating_add(1 << 16),
        );
        while !table.is_empty() {
            let id = TypeId(u32::try_from(types.len() + 1).unwrap_or(u32::MAX));
            types.push(read_type(&mut table, &mut names, id)?);
        }
        forgive_functions(&mut types);
        check_references(&types)?;
        Ok(Self::from_parts(types, strings))
    }
}

/// Reads a string table, which ends with a zero byte, and begins with one if it is `first`, not the
/// continuation of another.
fn read_strings(bytes: &[u8], first: bool) -> Result<&str, BtfError> {
    let strings = match bytes {
        [] if first => &[0],
        strings @ ([] | [0] | [0, .., 0]) => strings,
        strings @ [.., 0] if !first => strings,
        _ => return Err(BtfError::BadName { offset: 0 }),
    };
    core::str::from_utf8(strings).map_err(|error| BtfError::BadName {
        offset: u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX),
    })
}

/// Checks names against a string table.
pub(super) struct Names<'a> {
    strings: &'a str,
    budget: usize,
}

impl<'a> Names<'a> {
    /// `limit` bounds the sum of the lengths of all names, each counted as often as it is used. It
    /// keeps hostile string tables, where every suffix of one long string is a name, from costing
    /// the square of their length.
    pub(super) fn new(strings: &'a str, limit: usize) -> Self {
        Self {
            strings,
            budget: limit,
        }
    }

    /// The name at that offset, if there is one and the limit for all names is not used up.
    pub(super) fn check(&mut self, offset: u32) -> Result<Name, BtfError> {
        let len = self
            .strings
            .get(usize_of(offset)..)
            .and_then(|rest| rest.bytes().take(NAME_LIMIT).position(|byte| byte == 0))
            .ok_or(BtfError::BadName { offset })?;
        self.budget = self
            .budget
            .checked_sub(len)
            .ok_or(BtfError::TooLarge { what: "names are" })?;
        Ok(Name(offset))
    }
}

fn read_type(table: &mut Bytes<'_>, names: &mut Names<'_>, id: TypeId) -> Result<Type, BtfError> {
    let truncated = BtfError::truncated(SECTION);
    let mut word = || table.u32().map_err(truncated);
    let name = word()?;
    let info = word()?;
    let size_or_type = word()?;
    let ty = TypeId(size_or_type);
    let count = usize_of(info & 0xffff);
    let flag = info >> 31 != 0;

    let kind = match kind_of(info) {
        BTF_KIND_INT => {
            // From the highest byte down: encoding (its low half), offset, unused, number of bits.
            let [encoding, offset, _, bits] = word()?.to_be_bytes();
            Kind::Int {
                size: size_or_type,
                encoding: IntEncoding(encoding & 0xf),
                offset,
                bits,
            }
        }
        BTF_KIND_PTR => Kind::Ptr(ty),
        BTF_KIND_ARRAY => Kind::Array(Array {
            elem: TypeId(word()?),
            index: TypeId(word()?),
            len: word()?,
        }),
        kind @ (BTF_KIND_STRUCT | BTF_KIND_UNION) => {
            let mut members = Vec::new();
            for _ in 0..count {
                let name = names.check(word()?)?;
                let ty = TypeId(word()?);
                let place = word()?;
                let (bit_offset, bits) = match flag {
                    true => (place & 0x00ff_ffff, (place >> 24) as u8),
                    false => (place, 0),
                };
                members.push(Member {
                    name,
                    ty,
                    bit_offset,
                    bits,
                });
            }
            let body = Struct {
                size: size_or_type,
                members,
            };
            match kind {
                BTF_KIND_STRUCT => Kind::Struct(body),
                _ => Kind::Union(body),
            }
        }
        kind @ (BTF_KIND_ENUM | BTF_KIND_ENUM64) => {
            let mut values = Vec::new();
            for _ in 0..count {
                let name = names.check(word()?)?;
                let low = word()?;
                let value = match (kind, flag) {
                    (BTF_KIND_ENUM, true) => i64::from(low.cast_signed()),
                    (BTF_KIND_ENUM, false) => i64::from(low),
                    _ => (u64::from(word()?) << 32 | u64::from(low)).cast_signed(),
                };
                values.push(EnumValue { name, value });
            }
            let body = Enum {
                signed: flag,
                size: size_or_type,
                values,
            };
            match kind {
                BTF_KIND_ENUM => Kind::Enum(body),
                _ => Kind::Enum64(body),
            }
        }
        BTF_KIND_FWD => Kind::Fwd { is_union: flag },
        BTF_KIND_TYPEDEF => Kind::Typedef(ty),
        BTF_KIND_VOLATILE => Kind::Volatile(ty),
        BTF_KIND_CONST => Kind::Const(ty),
        BTF_KIND_RESTRICT => Kind::Restrict(ty),
        BTF_KIND_FUNC => Kind::Func {
            proto: ty,
            linkage: FuncLinkage(info & 0xffff),
        },
        BTF_KIND_FUNC_PROTO => {
            let mut params = Vec::new();
            for _ in 0..count {
                params.push(Param {
                    name: names.check(word()?)?,
                    ty: TypeId(word()?),
                });
            }
            Kind::FuncProto { ret: ty, params }
        }
        BTF_KIND_VAR => Kind::Var {
            ty,
            linkage: VarLinkage(word()?),
        },
        BTF_KIND_DATASEC => {
            let mut vars = Vec::new();
            for _ in 0..count {
                vars.push(DatasecVar {
                    ty: TypeId(word()?),
                    offset: word()?,
                    size: word()?,
                });
            }
            Kind::Datasec {
                size: size_or_type,
                vars,
            }
        }
        BTF_KIND_FLOAT => Kind::Float { size: size_or_type },
        BTF_KIND_DECL_TAG => Kind::DeclTag {
            ty,
            component: word()?.cast_signed(),
            attribute: flag,
        },
        BTF_KIND_TYPE_TAG => Kind::TypeTag {
            ty,
            attribute: flag,
        },
        kind => return Err(BtfError::UnknownKind { id, kind }),
    };
    Ok(Type {
        name: names.check(name)?,
        kind,
    })
}

/// LLVM gives functions that are declared without type information a prototype that does not exist.
/// They are not called, so they become functions without one.
fn forgive_functions(types: &mut [Type]) {
    let last = types.len();
    for ty in types {
        if let Kind::Func { proto, .. } = &mut ty.kind
            && usize_of(proto.0) > last
        {
            *proto = TypeId::VOID;
        }
    }
}

/// Every type number must be one of the table's, or `void`.
fn check_references(types: &[Type]) -> Result<(), BtfError> {
    let last = types.len();
    for (index, ty) in types.iter().enumerate() {
        let mut bad = None;
        ty.visit(
            |_| {},
            |&to| {
                if usize_of(to.0) > last {
                    bad = Some(to);
                }
            },
        );
        if let Some(to) = bad {
            let id = TypeId(u32::try_from(index + 1).unwrap_or(u32::MAX));
            return Err(BtfError::BadReference { id, to });
        }
    }
    Ok(())
}
