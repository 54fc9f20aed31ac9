//! `.BTF.ext`: what the types say about single instructions.

use alloc::vec::Vec;

use object::Endianness;

use super::{
    Btf, BtfError, Name, TypeId,
    read::{Names, open, usize_of},
    write::{header, length},
};
use crate::bytes::{Bytes, Out, Truncated};

const SECTION: &str = ".BTF.ext";

/// The contents of `.BTF.ext`. Its names live in the string table of the [`Btf`] next to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BtfExt {
    /// Where functions begin and their types.
    pub func_info: Vec<SectionRecords<FuncInfo>>,
    /// Which source line each instruction comes from.
    pub line_info: Vec<SectionRecords<LineInfo>>,
    /// Instructions to adapt to the running kernel's types (CO-RE).
    pub core_relo: Vec<SectionRecords<CoreRelo>>,
}

/// The records that belong to one section of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionRecords<T> {
    /// The section's name.
    pub section: Name,
    /// The records, usually by rising offset.
    pub records: Vec<T>,
}

/// Where a function begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuncInfo {
    /// Byte offset in the section.
    pub offset: u32,
    /// Its [`Kind::Func`](super::Kind::Func).
    pub ty: TypeId,
}

/// The source line of an instruction and of those that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineInfo {
    /// Byte offset in the section.
    pub offset: u32,
    /// Path of the source file.
    pub file: Name,
    /// Text of the source line.
    pub text: Name,
    /// Line number, from 1; at most 2²² - 1.
    pub line: u32,
    /// Column number, from 1; at most 1023.
    pub column: u32,
}

/// An instruction that depends on the layout of a kernel type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRelo {
    /// Byte offset in the section.
    pub offset: u32,
    /// The type as the program knows it.
    pub ty: TypeId,
    /// The path to the member: indices joined by `:`.
    pub access: Name,
    /// What is asked for: `enum bpf_core_relo_kind`.
    pub kind: u32,
}

/// One kind of record.
trait Record: Sized {
    const PART: &'static str;
    const SIZE: u32;
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Truncated>;
    fn write(&self, out: &mut Out);
    fn visit(&mut self, names: &mut dyn FnMut(&mut Name), types: &mut dyn FnMut(&mut TypeId));
}

impl Record for FuncInfo {
    const PART: &'static str = "func_info";
    const SIZE: u32 = 8;

    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Truncated> {
        Ok(Self {
            offset: bytes.u32()?,
            ty: TypeId(bytes.u32()?),
        })
    }

    fn write(&self, out: &mut Out) {
        out.u32(self.offset);
        out.u32(self.ty.0);
    }

    fn visit(&mut self, _: &mut dyn FnMut(&mut Name), types: &mut dyn FnMut(&mut TypeId)) {
        types(&mut self.ty);
    }
}

impl Record for LineInfo {
    const PART: &'static str = "line_info";
    const SIZE: u32 = 16;

    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Truncated> {
        let offset = bytes.u32()?;
        let file = Name(bytes.u32()?);
        let text = Name(bytes.u32()?);
        let place = bytes.u32()?;
        Ok(Self {
            offset,
            file,
            text,
            line: place >> 10,
            column: place & 0x3ff,
        })
    }

    fn write(&self, out: &mut Out) {
        out.u32(self.offset);
        out.u32(self.file.0);
        out.u32(self.text.0);
        out.u32(self.packed_place());
    }

    fn visit(&mut self, names: &mut dyn FnMut(&mut Name), _: &mut dyn FnMut(&mut TypeId)) {
        names(&mut self.file);
        names(&mut self.text);
    }
}

impl LineInfo {
    /// Line and column in one word, as `struct bpf_line_info` has them.
    pub fn packed_place(&self) -> u32 {
        self.line.min(0x3f_ffff) << 10 | self.column.min(0x3ff)
    }
}

impl Record for CoreRelo {
    const PART: &'static str = "core_relo";
    const SIZE: u32 = 16;

    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Truncated> {
        Ok(Self {
            offset: bytes.u32()?,
            ty: TypeId(bytes.u32()?),
            access: Name(bytes.u32()?),
            kind: bytes.u32()?,
        })
    }

    fn write(&self, out: &mut Out) {
        out.u32(self.offset);
        out.u32(self.ty.0);
        out.u32(self.access.0);
        out.u32(self.kind);
    }

    fn visit(&mut self, names: &mut dyn FnMut(&mut Name), types: &mut dyn FnMut(&mut TypeId)) {
        names(&mut self.access);
        types(&mut self.ty);
    }
}

impl BtfExt {
    /// Reads a `.BTF.ext` section whose names and types are those of `btf`.
    ///
    /// # Errors
    ///
    /// When the data does not follow the format: every name and every type number in the result is
    /// valid.
    pub fn parse(data: &[u8], btf: &Btf) -> Result<Self, BtfError> {
        let (mut header, body) = open(data, SECTION)?;
        let mut reader = Reader {
            // A record of 16 bytes names a line and the path of its file.
            names: Names::new(
                btf.strings(),
                data.len().saturating_mul(64).saturating_add(1 << 20),
            ),
            types: btf.types.len(),
        };
        Ok(Self {
            func_info: reader.part(&mut header, &body)?,
            line_info: reader.part(&mut header, &body)?,
            core_relo: reader.part(&mut header, &body)?,
        })
    }

    /// The `.BTF.ext` section that holds these records, for a [`Btf::write`] of the same byte
    /// order.
    ///
    /// # Errors
    ///
    /// When a part would pass 4 GiB.
    pub fn write(&self, endian: Endianness) -> Result<Vec<u8>, BtfError> {
        let parts = [
            write_part(&self.func_info, endian)?,
            write_part(&self.line_info, endian)?,
            write_part(&self.core_relo, endian)?,
        ];
        let mut out = header(endian, 32);
        let mut offset = 0usize;
        for part in &parts {
            out.u32(length(offset, "records are")?);
            out.u32(length(part.len(), "records are")?);
            offset += part.len();
        }
        for part in &parts {
            out.data.extend_from_slice(part);
        }
        Ok(out.data)
    }

    /// Calls the closures for every name and every type number in the records, to change them.
    pub fn visit_mut(
        &mut self,
        mut names: impl FnMut(&mut Name),
        mut types: impl FnMut(&mut TypeId),
    ) {
        visit(&mut self.func_info, &mut names, &mut types);
        visit(&mut self.line_info, &mut names, &mut types);
        visit(&mut self.core_relo, &mut names, &mut types);
    }
}

fn visit<T: Record>(
    sections: &mut [SectionRecords<T>],
    names: &mut dyn FnMut(&mut Name),
    types: &mut dyn FnMut(&mut TypeId),
) {
    for section in sections {
        names(&mut section.section);
        for record in &mut section.records {
            record.visit(names, types);
        }
    }
}

struct Reader<'a> {
    names: Names<'a>,
    types: usize,
}

impl Reader<'_> {
    /// Reads one part; a header too short to have it, or a length of 0, means that it is empty.
    fn part<T: Record>(
        &mut self,
        header: &mut Bytes<'_>,
        body: &Bytes<'_>,
    ) -> Result<Vec<SectionRecords<T>>, BtfError> {
        let truncated = BtfError::truncated(SECTION);
        if header.is_empty() {
            return Ok(Vec::new());
        }
        let offset = usize_of(header.u32().map_err(truncated)?);
        let len = usize_of(header.u32().map_err(truncated)?);
        if len == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = body.part(offset, len).map_err(truncated)?;
        let size = bytes.u32().map_err(truncated)?;
        if size < T::SIZE {
            return Err(BtfError::RecordSize {
                part: T::PART,
                size,
            });
        }
        let mut sections = Vec::new();
        while !bytes.is_empty() {
            let section = self.names.check(bytes.u32().map_err(truncated)?)?;
            let count = bytes.u32().map_err(truncated)?;
            let mut records = Vec::new();
            for _ in 0..count {
                // A longer record of a newer format: what follows the known fields is skipped.
                let record = bytes.take(usize_of(size)).map_err(truncated)?;
                let mut record = bytes.of(record);
                let mut record = T::read(&mut record).map_err(truncated)?;
                self.check(&mut record)?;
                records.push(record);
            }
            sections.push(SectionRecords { section, records });
        }
        Ok(sections)
    }

    fn check<T: Record>(&mut self, record: &mut T) -> Result<(), BtfError> {
        let mut bad_name = None;
        let mut bad_type = None;
        let types = self.types;
        record.visit(
            &mut |name| bad_name = bad_name.take().or(self.names.check(name.0).err()),
            &mut |to| bad_type = (usize_of(to.0) > types).then_some(*to).or(bad_type),
        );
        let bad_type = bad_type.map(|to| BtfError::BadReference {
            id: TypeId::VOID,
            to,
        });
        bad_name.or(bad_type).map_or(Ok(()), Err)
    }
}

fn write_part<T: Record>(
    sections: &[SectionRecords<T>],
    endian: Endianness,
) -> Result<Vec<u8>, BtfError> {
    let mut out = Out::new(endian);
    if sections.is_empty() {
        return Ok(out.data);
    }
    out.u32(T::SIZE);
    for section in sections {
        out.u32(section.section.0);
        out.u32(length(section.records.len(), "number of records is")?);
        for record in &section.records {
            record.write(&mut out);
        }
    }
    Ok(out.data)
}
