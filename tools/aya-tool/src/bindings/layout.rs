//! Where the members of a struct or union lie, in Rust's terms.
//!
//! BTF has offsets and sizes, but no alignment. A member that Rust would place elsewhere gets padding
//! before it; where Rust would place a member too late, the struct is packed as far as needed. What
//! Rust cannot express (members that overlap in a struct) becomes bytes without members.

use std::collections::HashMap;

use aya_obj::btf::{Btf, BtfError, Kind, Member, Struct, TypeId};

/// How many structs may lie in one another by value, and how long a chain of arrays and names may be.
const DEPTH_LIMIT: u32 = 128;

/// Bytes and alignment of the Rust type that stands for a C type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) align: u64,
}

/// A bit field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BitField {
    pub(super) member: Member,
    /// First bit, counted from the first bit of the unit it lies in.
    pub(super) bit: u64,
    pub(super) width: u64,
}

/// One field of the Rust struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Member(Member),
    /// Bytes for bit fields that follow one another, and the alignment they bring along.
    Bits {
        fields: Vec<BitField>,
        align: u64,
    },
}

/// A field in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Bytes of padding before it.
    pub(super) padding: u64,
    pub(super) offset: u64,
    pub(super) size: Size,
    pub(super) field: Field,
}

/// A struct or union as Rust is to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// `None`: bytes that have no members.
    pub(super) fields: Option<Vec<Placed>>,
    /// The fields' alignment is limited to this.
    pub(super) packed: Option<u64>,
    pub(super) align: u64,
    /// Bytes after the last field; in a union, bytes of one more alternative.
    pub(super) tail: u64,
}

impl Layout {
    fn opaque(bytes: u32) -> Self {
        Self {
            fields: None,
            packed: None,
            align: 1,
            tail: bytes.into(),
        }
    }
}

/// Sizes of types, and the alignments that were worked out.
#[derive(Debug)]
pub(super) struct Layouts<'a> {
    btf: &'a Btf,
    /// `None` while it is being worked out.
    aligns: HashMap<TypeId, Option<u64>>,
}

impl<'a> Layouts<'a> {
    pub(super) fn new(btf: &'a Btf) -> Self {
        Self {
            btf,
            aligns: HashMap::new(),
        }
    }

    /// The size of a value; `None` for what has none (`void`, functions, declarations).
    pub(super) fn size(&mut self, id: TypeId) -> Result<Option<Size>, BtfError> {
        self.size_within(id, 0)
    }

    /// How a struct or union is laid out.
    pub(super) fn layout(&mut self, body: &Struct, is_union: bool) -> Result<Layout, BtfError> {
        self.layout_within(body, is_union, 0)
    }

    fn size_within(&mut self, id: TypeId, depth: u32) -> Result<Option<Size>, BtfError> {
        let Some((id, ty)) = self.btf.resolve(id)? else {
            return Ok(None);
        };
        if depth > DEPTH_LIMIT {
            return Err(BtfError::Cycle { id });
        }
        let natural = |bytes: u32, known: &[u32]| Size {
            bytes: bytes.into(),
            align: match known.contains(&bytes) {
                true => bytes.into(),
                false => 1,
            },
        };
        Ok(Some(match &ty.kind {
            Kind::Int { size, .. } => natural(*size, &[1, 2, 4, 8, 16]),
            Kind::Float { size } => natural(*size, &[4, 8]),
            Kind::Enum(body) | Kind::Enum64(body) => natural(body.size, &[1, 2, 4, 8]),
            Kind::Ptr(_) => natural(8, &[8]),
            Kind::Array(array) => {
                let Some(element) = self.size_within(array.elem, depth + 1)? else {
                    return Ok(None);
                };
                let bytes = element.bytes.checked_mul(array.len.into());
                Size {
                    bytes: bytes
                        .filter(|bytes| *bytes <= u32::MAX.into())
                        .ok_or(BtfError::TooLarge { what: "array is" })?,
                    align: element.align,
                }
            }
            Kind::Struct(body) | Kind::Union(body) => {
                let is_union = matches!(ty.kind, Kind::Union(_));
                let align = match self.aligns.get(&id) {
                    Some(known) => known.ok_or(BtfError::Cycle { id })?,
                    None => {
                        self.aligns.insert(id, None);
                        let align = self.layout_within(body, is_union, depth + 1)?.align;
                        self.aligns.insert(id, Some(align));
                        align
                    }
                };
                Size {
                    bytes: body.size.into(),
                    align,
                }
            }
            _ => return Ok(None),
        }))
    }

    fn layout_within(
        &mut self,
        body: &Struct,
        is_union: bool,
        depth: u32,
    ) -> Result<Layout, BtfError> {
        let Some(mut fields) = self.place(body, is_union, depth)? else {
            return Ok(Layout::opaque(body.size));
        };
        let size = u64::from(body.size);
        let widest = fields.iter().map(|field| field.size.align).max();
        let widest = widest.unwrap_or(1);
        let mut limit = widest;
        let fits = |limit: u64| {
            size.is_multiple_of(limit)
                && fields
                    .iter()
                    .all(|field| field.offset.is_multiple_of(field.size.align.min(limit)))
        };
        while !fits(limit) {
            limit /= 2;
        }
        let mut end = 0u64;
        for placed in &mut fields {
            if is_union {
                end = end.max(placed.size.bytes);
                continue;
            }
            let natural = end.next_multiple_of(placed.size.align.min(limit));
            if placed.offset > natural {
                placed.padding = placed.offset - end;
            }
            end = placed.offset + placed.size.bytes;
        }
        if end > size {
            return Ok(Layout::opaque(body.size));
        }
        let tail = match end.next_multiple_of(limit) < size {
            true if is_union => size,
            true => size - end,
            false => 0,
        };
        Ok(Layout {
            fields: Some(fields),
            packed: (limit < widest).then_some(limit),
            align: limit,
            tail,
        })
    }

    /// The fields with their offsets and without padding; `None` when Rust cannot have them so.
    fn place(
        &mut self,
        body: &Struct,
        is_union: bool,
        depth: u32,
    ) -> Result<Option<Vec<Placed>>, BtfError> {
        let mut placed = Vec::with_capacity(body.members.len());
        let mut members = body.members.iter().peekable();
        let mut end = 0u64;
        while let Some(member) = members.next() {
            let next = if let Some(first) = self.bit_field(member)? {
                let mut fields = vec![first];
                while let Some(next) = members.peek()
                    && !is_union
                    && let Some(next) = self.bit_field(next)?
                {
                    fields.push(next);
                    members.next();
                }
                self.unit(fields, u64::from(body.size), is_union)?
            } else {
                let Some(size) = self.size_within(member.ty, depth)? else {
                    return Ok(None);
                };
                if !member.bit_offset.is_multiple_of(8) {
                    return Ok(None);
                }
                Some(Placed {
                    padding: 0,
                    offset: u64::from(member.bit_offset / 8),
                    size,
                    field: Field::Member(*member),
                })
            };
            match next {
                Some(next) if is_union && next.offset == 0 => placed.push(next),
                Some(next) if !is_union && next.offset >= end => {
                    end = next.offset + next.size.bytes;
                    placed.push(next);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(placed))
    }

    /// The member as a bit field with its place in the struct, if it is one.
    fn bit_field(&self, member: &Member) -> Result<Option<BitField>, BtfError> {
        let start = u64::from(member.bit_offset);
        let (bit, width) = match self.btf.resolve(member.ty)?.map(|(_, ty)| &ty.kind) {
            _ if member.bits != 0 => (start, member.bits),
            // As compilers wrote them before kernel 5.0: the type itself has fewer bits.
            Some(Kind::Int {
                size, offset, bits, ..
            }) if *bits != 0 && u32::from(*bits) < size.saturating_mul(8) => {
                (start + u64::from(*offset), *bits)
            }
            _ => return Ok(None),
        };
        Ok(Some(BitField {
            member: *member,
            bit,
            width: width.into(),
        }))
    }

    /// The bytes that hold the bit fields; `None` when these overlap.
    fn unit(
        &mut self,
        mut fields: Vec<BitField>,
        struct_size: u64,
        is_union: bool,
    ) -> Result<Option<Placed>, BtfError> {
        let (mut end, mut align) = (0, 1);
        let first = match is_union {
            true => 0,
            false => fields.first().map_or(0, |field| field.bit / 8),
        };
        for field in &mut fields {
            if field.bit < end {
                return Ok(None);
            }
            end = field.bit + field.width;
            field.bit -= first * 8;
            if let Some(size) = self.size(field.member.ty)? {
                align = align.max(size.align);
            }
        }
        if !first.is_multiple_of(align) || !struct_size.is_multiple_of(align) {
            align = 1;
        }
        Ok(Some(Placed {
            padding: 0,
            offset: first,
            size: Size {
                bytes: end.div_ceil(8) - first,
                align,
            },
            field: Field::Bits { fields, align },
        }))
    }
}
