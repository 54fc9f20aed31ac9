//! Types to bytes.

use object::Endianness;

use alloc::vec::Vec;

use super::{Btf, BtfError, Enum, Kind, Struct, Type, read::MAGIC};
use crate::bytes::Out;

/// The numbers `BTF_KIND_*`.
pub(super) mod kind {
    pub(in crate::btf) const INT: u32 = 1;
    pub(in crate::btf) const PTR: u32 = 2;
    pub(in crate::btf) const ARRAY: u32 = 3;
    pub(in crate::btf) const STRUCT: u32 = 4;
    pub(in crate::btf) const UNION: u32 = 5;
    pub(in crate::btf) const ENUM: u32 = 6;
    pub(in crate::btf) const FWD: u32 = 7;
    pub(in crate::btf) const TYPEDEF: u32 = 8;
    pub(in crate::btf) const VOLATILE: u32 = 9;
    pub(in crate::btf) const CONST: u32 = 10;
    pub(in crate::btf) const RESTRICT: u32 = 11;
    pub(in crate::btf) const FUNC: u32 = 12;
    pub(in crate::btf) const FUNC_PROTO: u32 = 13;
    pub(in crate::btf) const VAR: u32 = 14;
    pub(in crate::btf) const DATASEC: u32 = 15;
    pub(in crate::btf) const FLOAT: u32 = 16;
    pub(in crate::btf) const DECL_TAG: u32 = 17;
    pub(in crate::btf) const TYPE_TAG: u32 = 18;
    pub(in crate::btf) const ENUM64: u32 = 19;
}

/// Starts a section: magic number, version, flags and the header's length.
pub(super) fn header(endian: Endianness, len: u32) -> Out {
    let mut out = Out::new(endian);
    out.u16(MAGIC);
    out.u8(1);
    out.u8(0);
    out.u32(len);
    out
}

/// A length as the format holds it.
pub(super) fn length(len: usize, what: &'static str) -> Result<u32, BtfError> {
    u32::try_from(len).map_err(|_| BtfError::TooLarge { what })
}

impl Btf {
    /// The `.BTF` section that holds these types. The string table goes out as it is, so every
    /// [`Name`](super::Name) is the offset of its string there.
    ///
    /// # Errors
    ///
    /// When a type has more than 65,535 members, or the section would pass 4 GiB.
    pub fn write(&self, endian: Endianness) -> Result<Vec<u8>, BtfError> {
        let mut types = Out::new(endian);
        for ty in &self.types {
            write_type(&mut types, ty)?;
        }
        let types_len = length(types.data.len(), "types are")?;
        let mut out = header(endian, 24);
        out.u32(0);
        out.u32(types_len);
        out.u32(types_len);
        out.u32(length(self.strings().len(), "strings are")?);
        out.data.extend_from_slice(&types.data);
        out.data.extend_from_slice(self.strings().as_bytes());
        Ok(out.data)
    }
}

fn write_type(out: &mut Out, ty: &Type) -> Result<(), BtfError> {
    let mut head = |kind: u32, flag: bool, count: usize, size_or_type: u32| {
        let count = u16::try_from(count).map_err(|_| BtfError::TooLarge {
            what: "number of members is",
        })?;
        out.u32(ty.name.0);
        out.u32(u32::from(flag) << 31 | kind << 24 | u32::from(count));
        out.u32(size_or_type);
        Ok(())
    };
    match &ty.kind {
        Kind::Int {
            size,
            encoding,
            offset,
            bits,
        } => {
            head(kind::INT, false, 0, *size)?;
            out.u32(u32::from_be_bytes([encoding.0, *offset, 0, *bits]));
        }
        Kind::Ptr(to) => head(kind::PTR, false, 0, to.0)?,
        Kind::Array(array) => {
            head(kind::ARRAY, false, 0, 0)?;
            out.u32(array.elem.0);
            out.u32(array.index.0);
            out.u32(array.len);
        }
        Kind::Struct(body) => {
            let flag = has_bit_fields(body);
            head(kind::STRUCT, flag, body.members.len(), body.size)?;
            write_members(out, body, flag)?;
        }
        Kind::Union(body) => {
            let flag = has_bit_fields(body);
            head(kind::UNION, flag, body.members.len(), body.size)?;
            write_members(out, body, flag)?;
        }
        Kind::Enum(body) => {
            head(kind::ENUM, body.signed, body.values.len(), body.size)?;
            write_values(out, body, false);
        }
        Kind::Enum64(body) => {
            head(kind::ENUM64, body.signed, body.values.len(), body.size)?;
            write_values(out, body, true);
        }
        Kind::Fwd { is_union } => head(kind::FWD, *is_union, 0, 0)?,
        Kind::Typedef(to) => head(kind::TYPEDEF, false, 0, to.0)?,
        Kind::Volatile(to) => head(kind::VOLATILE, false, 0, to.0)?,
        Kind::Const(to) => head(kind::CONST, false, 0, to.0)?,
        Kind::Restrict(to) => head(kind::RESTRICT, false, 0, to.0)?,
        Kind::Func { proto, linkage } => {
            head(kind::FUNC, false, usize::from(linkage.0 as u16), proto.0)?;
        }
        Kind::FuncProto { ret, params } => {
            head(kind::FUNC_PROTO, false, params.len(), ret.0)?;
            for param in params {
                out.u32(param.name.0);
                out.u32(param.ty.0);
            }
        }
        Kind::Var { ty, linkage } => {
            head(kind::VAR, false, 0, ty.0)?;
            out.u32(linkage.0);
        }
        Kind::Datasec { size, vars } => {
            head(kind::DATASEC, false, vars.len(), *size)?;
            for var in vars {
                out.u32(var.ty.0);
                out.u32(var.offset);
                out.u32(var.size);
            }
        }
        Kind::Float { size } => head(kind::FLOAT, false, 0, *size)?,
        Kind::DeclTag {
            ty,
            component,
            attribute,
        } => {
            head(kind::DECL_TAG, *attribute, 0, ty.0)?;
            out.u32(component.cast_unsigned());
        }
        Kind::TypeTag { ty, attribute } => head(kind::TYPE_TAG, *attribute, 0, ty.0)?,
    }
    Ok(())
}

/// Must offsets share their word with widths?
fn has_bit_fields(body: &Struct) -> bool {
    body.members.iter().any(|member| member.bits != 0)
}

fn write_members(out: &mut Out, body: &Struct, flag: bool) -> Result<(), BtfError> {
    for member in &body.members {
        if flag && member.bit_offset >> 24 != 0 {
            return Err(BtfError::TooLarge {
                what: "offset of a bit field is",
            });
        }
        out.u32(member.name.0);
        out.u32(member.ty.0);
        out.u32(u32::from(member.bits) << 24 | member.bit_offset);
    }
    Ok(())
}

fn write_values(out: &mut Out, body: &Enum, wide: bool) {
    for value in &body.values {
        let bits = value.value.cast_unsigned();
        out.u32(value.name.0);
        out.u32(bits as u32);
        if wide {
            out.u32((bits >> 32) as u32);
        }
    }
}
