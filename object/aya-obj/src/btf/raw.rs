//! Types left as bytes: finding one among very many without reading the others.
//!
//! A kernel has more than a hundred thousand types, and who attaches to a function needs the number of
//! one. [`RawBtf`] walks the table by the sizes of its records alone, which takes a tenth of the time
//! of [`Btf::parse`](super::Btf::parse).

use alloc::vec::Vec;
use core::fmt;

use aya_uapi::bindings::*;

use super::{
    BtfError, TypeId,
    read::{self, Parts, SECTION},
    usize_of,
};
use crate::bytes::Bytes;

/// A table of types as bytes, of which only the records' boundaries are checked.
///
/// The table of a module continues that of its kernel: numbers of types and places of strings go on
/// where those of the kernel end. [`RawBtf::parse_split`] takes such a one.
///
/// ```
/// use aya_obj::{Endianness, btf::{Btf, Kind, RawBtf, TypeId}};
///
/// let mut btf = Btf::new();
/// let name = btf.intern("size_t");
/// let id = btf.add(name, Kind::Typedef(TypeId::VOID));
/// let raw = RawBtf::parse(btf.write(Endianness::Little)?)?;
/// assert_eq!(raw.find("size_t", RawBtf::TYPEDEF), Some(id));
/// assert_eq!(raw.find("size_t", RawBtf::FUNC), None);
/// # Ok::<(), aya_obj::btf::BtfError>(())
/// ```
#[derive(Clone)]
pub struct RawBtf<'a> {
    data: Vec<u8>,
    parts: Parts,
    /// How many types there are.
    count: u32,
    /// What it continues.
    base: Option<&'a RawBtf<'a>>,
}

impl fmt::Debug for RawBtf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = f.debug_struct("RawBtf");
        raw.field("types", &self.count).finish_non_exhaustive()
    }
}

/// The longest name that is looked at: those of a kernel's symbols are no longer.
const NAME_LIMIT: usize = 512;

/// The beginning of a type's record.
struct Record {
    id: TypeId,
    name: u32,
    kind: u32,
}

impl<'a> RawBtf<'a> {
    /// The kind of functions (`BTF_KIND_FUNC`).
    pub const FUNC: u32 = BTF_KIND_FUNC;
    /// The kind of other names of types (`BTF_KIND_TYPEDEF`).
    pub const TYPEDEF: u32 = BTF_KIND_TYPEDEF;

    /// Takes the contents of a `.BTF` section, or of the file `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    ///
    /// When the data does not begin or end as the format says, or has records of unknown kinds.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        Self::open(data, None)
    }

    /// Takes the types of a module, from `/sys/kernel/btf/MODULE`; `base` are those of its kernel.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_split(data: Vec<u8>, base: &'a Self) -> Result<Self, BtfError> {
        Self::open(data, Some(base))
    }

    fn open(data: Vec<u8>, base: Option<&'a Self>) -> Result<Self, BtfError> {
        let parts = read::parts(&data)?;
        let mut raw = Self {
            data,
            parts,
            count: 0,
            base,
        };
        let (mut table, mut id) = (raw.table(), raw.first());
        let first = id;
        while !table.is_empty() {
            next(&mut table, id)?;
            id = TypeId(id.0.saturating_add(1));
        }
        raw.count = id.0.saturating_sub(first.0);
        Ok(raw)
    }

    /// The bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Finds the first type with that name and kind (`BTF_KIND_*`).
    pub fn find(&self, name: &str, kind: u32) -> Option<TypeId> {
        let name = Some(name.as_bytes()).filter(|name| !name.contains(&0))?;
        let mut found = self.records().filter(|record| {
            record.kind == kind
                && self
                    .text(record.name)
                    .and_then(|text| text.strip_prefix(name))
                    .is_some_and(|rest| rest.first() == Some(&0))
        });
        found.next().map(|record| record.id)
    }

    /// The names of all types of a kind (`BTF_KIND_*`); those that are not UTF-8, or longer than 511
    /// bytes, are passed over.
    pub fn names(&self, kind: u32) -> impl Iterator<Item = &str> {
        let records = self.records().filter(move |record| record.kind == kind);
        records.filter_map(|record| {
            let text = self.text(record.name)?;
            let end = text.iter().take(NAME_LIMIT).position(|byte| *byte == 0)?;
            core::str::from_utf8(text.get(..end)?).ok()
        })
    }

    /// The number of the first type.
    fn first(&self) -> TypeId {
        match self.base {
            Some(base) => TypeId(base.first().0.saturating_add(base.count)),
            None => TypeId(1),
        }
    }

    /// The place of the first string.
    fn first_string(&self) -> u32 {
        self.base.map_or(0, |base| {
            let len = u32::try_from(base.parts.strings.len()).unwrap_or(u32::MAX);
            base.first_string().saturating_add(len)
        })
    }

    fn table(&self) -> Bytes<'_> {
        let table = self.data.get(self.parts.table.clone());
        Bytes::new(table.unwrap_or_default(), self.parts.endian)
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        let mut table = self.table();
        let mut id = self.first();
        core::iter::from_fn(move || {
            // The table's end is an error here, and the only one: `open` has seen all records.
            let record = next(&mut table, id).ok()?;
            id = TypeId(id.0.saturating_add(1));
            Some(record)
        })
    }

    /// What begins at that place among the strings, its own and those of what it continues.
    fn text(&self, offset: u32) -> Option<&[u8]> {
        match offset.checked_sub(self.first_string()) {
            Some(at) => {
                let strings = self.data.get(self.parts.strings.clone())?;
                strings.get(usize_of(at)..)
            }
            None => self.base?.text(offset),
        }
    }
}

/// The record at the cursor, which then stands at the next one.
fn next(table: &mut Bytes<'_>, id: TypeId) -> Result<Record, BtfError> {
    let truncated = BtfError::truncated(SECTION);
    let mut word = || table.u32().map_err(truncated);
    let (name, info, _size_or_type) = (word()?, word()?, word()?);
    let (kind, count) = (read::kind_of(info), usize_of(info & 0xffff));
    // Words after the first three.
    let words = match kind {
        BTF_KIND_INT | BTF_KIND_VAR | BTF_KIND_DECL_TAG => 1,
        BTF_KIND_ARRAY => 3,
        BTF_KIND_ENUM | BTF_KIND_FUNC_PROTO => 2 * count,
        BTF_KIND_STRUCT | BTF_KIND_UNION | BTF_KIND_DATASEC | BTF_KIND_ENUM64 => 3 * count,
        BTF_KIND_PTR | BTF_KIND_FWD | BTF_KIND_TYPEDEF | BTF_KIND_VOLATILE | BTF_KIND_CONST
        | BTF_KIND_RESTRICT | BTF_KIND_FUNC | BTF_KIND_FLOAT | BTF_KIND_TYPE_TAG => 0,
        kind => return Err(BtfError::UnknownKind { id, kind }),
    };
    table.take(4 * words).map_err(truncated)?;
    Ok(Record { id, name, kind })
}
