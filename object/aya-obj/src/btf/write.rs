//! Types to bytes.

use alloc::vec::Vec;

use aya_uapi::bindings::*;
use object::Endianness;

use super::{Btf, BtfError, Enum, Kind, Struct, Type, read::MAGIC};
use crate::bytes::Out;

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
            head(BTF_KIND_INT, false, 0, *size)?;
            out.u32(u32::from_be_bytes([encoding.0, *offset, 0, *bits]));
        }
        Kind::Ptr(to) => head(BTF_KIND_PTR, false, 0, to.0)?,
        Kind::Array(array) => {
            head(BTF_KIND_ARRAY, false, 0, 0)?;
            out.u32(array.elem.0);
            out.u32(array.index.0);
            out.u32(array.len);
        }
        Kind::Struct(body) => {
            let flag = has_bit_fields(body);
            head(BTF_KIND_STRUCT, flag, body.members.len(), body.size)?;
            write_members(out, body, flag)?;
        }
        Kind::Union(body) => {
            let flag = has_bit_fields(body);
            head(BTF_KIND_UNION, flag, body.members.len(), body.size)?;
            write_members(out, body, flag)?;
        }
        Kind::Enum(body) => {
            head(BTF_KIND_ENUM, body.signed, body.values.len(), body.size)?;
            write_values(out, body, false);
        }
        Kind::Enum64(body) => {
            head(BTF_KIND_ENUM64, body.signed, body.values.len(), body.size)?;
            write_values(out, body, true);
        }
        Kind::Fwd { is_union } => head(BTF_KIND_FWD, *is_union, 0, 0)?,
        Kind::Typedef(to) => head(BTF_KIND_TYPEDEF, false, 0, to.0)?,
        Kind::Volatile(to) => head(BTF_KIND_VOLATILE, false, 0, to.0)?,
        Kind::Const(to) => head(BTF_KIND_CONST, false, 0, to.0)?,
        Kind::Restrict(to) => head(BTF_KIND_RESTRICT, false, 0, to.0)?,
        Kind::Func { proto, linkage } => {
            head(BTF_KIND_FUNC, false, usize::from(linkage.0 as u16), proto.0)?;
        }
        Kind::FuncProto { ret, params } => {
            head(BTF_KIND_FUNC_PROTO, false, params.len(), ret.0)?;
            for param in params {
                out.u32(param.name.0);
                out.u32(param.ty.0);
            }
        }
        Kind::Var { ty, linkage } => {
            head(BTF_KIND_VAR, false, 0, ty.0)?;
            out.u32(linkage.0);
        }
        Kind::Datasec { size, vars } => {
            head(BTF_KIND_DATASEC, false, vars.len(), *size)?;
            for var in vars {
                out.u32(var.ty.0);
                out.u32(var.offset);
                out.u32(var.size);
            }
        }
        Kind::Float { size } => head(BTF_KIND_FLOAT, false, 0, *size)?,
        Kind::DeclTag {
            ty,
            component,
            attribute,
        } => {
            head(BTF_KIND_DECL_TAG, *attribute, 0, ty.0)?;
            out.u32(component.cast_unsigned());
        }
        Kind::TypeTag { ty, attribute } => head(BTF_KIND_TYPE_TAG, *attribute, 0, ty.0)?,
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
