//! Objects made by hand, for machines without a compiler and for what compilers do not write.

use aya_obj::{
    Endianness,
    btf::{
        Array, Btf, BtfExt, CoreRelo, DatasecVar, FuncInfo, FuncLinkage, IntEncoding, Kind,
        LineInfo, Member, Name, SectionRecords, Struct, TypeId, VarLinkage,
    },
};
use aya_uapi::Insn;

pub(crate) const PROGBITS: u32 = 1;
pub(crate) const NOBITS: u32 = 8;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const REL: u32 = 9;
pub(crate) const ALLOC: u64 = 2;
pub(crate) const CODE: u64 = 2 | 4;

/// A section to be written.
struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    data: Vec<u8>,
    size: u64,
    link: u32,
    info: u32,
    entry: u64,
}

/// A 64-bit little-endian object for eBPF.
pub(crate) struct Elf {
    sections: Vec<Section>,
    symbols: Vec<u8>,
    strings: Vec<u8>,
}

impl Elf {
    pub(crate) fn new() -> Self {
        Self {
            sections: Vec::new(),
            symbols: vec![0; 24],
            strings: vec![0],
        }
    }

    /// Adds a section and returns its number.
    pub(crate) fn section(
        &mut self,
        name: &'static str,
        kind: u32,
        flags: u64,
        data: Vec<u8>,
    ) -> u16 {
        self.sections.push(Section {
            name,
            kind,
            flags,
            size: data.len() as u64,
            data,
            link: 0,
            info: 0,
            entry: 0,
        });
        self.sections.len() as u16
    }

    /// Says that a section is of another size than its data.
    pub(crate) fn resize(&mut self, section: u16, size: u64) {
        self.sections[usize::from(section) - 1].size = size;
    }

    /// Adds a symbol and returns its number. `info`: binding and type; `section` 0: undefined.
    pub(crate) fn symbol(&mut self, name: &str, info: u8, section: u16, at: u64, size: u64) -> u32 {
        let name_at = self.strings.len() as u32;
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        let number = self.symbols.len() / 24;
        self.symbols.extend_from_slice(&name_at.to_le_bytes());
        self.symbols.extend_from_slice(&[info, 0]);
        self.symbols.extend_from_slice(&section.to_le_bytes());
        self.symbols.extend_from_slice(&at.to_le_bytes());
        self.symbols.extend_from_slice(&size.to_le_bytes());
        number as u32
    }

    /// Adds the relocations of a section: (offset, symbol, type).
    pub(crate) fn relocations(&mut self, section: u16, entries: &[(u64, u32, u32)]) {
        let mut data = Vec::new();
        for (offset, symbol, kind) in entries {
            data.extend_from_slice(&offset.to_le_bytes());
            data.extend_from_slice(&kind.to_le_bytes());
            data.extend_from_slice(&symbol.to_le_bytes());
        }
        let number = self.section(".rel", REL, 0, data);
        let added = &mut self.sections[usize::from(number) - 1];
        added.info = section.into();
        added.entry = 16;
    }

    pub(crate) fn write(mut self) -> Vec<u8> {
        let strings = std::mem::take(&mut self.strings);
        let symbols = std::mem::take(&mut self.symbols);
        let string_table = self.section(".strtab", STRTAB, 0, strings);
        let symbol_table = self.section(".symtab", SYMTAB, 0, symbols);
        let added = self.sections.last_mut().unwrap();
        (added.link, added.info, added.entry) = (string_table.into(), 1, 24);
        for section in &mut self.sections {
            if section.kind == REL {
                section.link = symbol_table.into();
            }
        }
        let mut names = vec![0];
        let mut name_at: Vec<u32> = Vec::new();
        for name in self.sections.iter().map(|s| s.name).chain([".shstrtab"]) {
            name_at.push(names.len() as u32);
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        let name_table = self.section(".shstrtab", STRTAB, 0, names);

        let mut out = vec![0u8; 64];
        let mut headers = vec![0u8; 64];
        for (section, name) in self.sections.iter().zip(name_at) {
            out.resize(out.len().next_multiple_of(8), 0);
            let at = out.len() as u64;
            out.extend_from_slice(&section.data);
            headers.extend_from_slice(&name.to_le_bytes());
            headers.extend_from_slice(&section.kind.to_le_bytes());
            for word in [section.flags, 0, at, section.size] {
                headers.extend_from_slice(&word.to_le_bytes());
            }
            headers.extend_from_slice(&section.link.to_le_bytes());
            headers.extend_from_slice(&section.info.to_le_bytes());
            headers.extend_from_slice(&8u64.to_le_bytes());
            headers.extend_from_slice(&section.entry.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let headers_at = out.len() as u64;
        out.extend_from_slice(&headers);
        out[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        out[16..18].copy_from_slice(&1u16.to_le_bytes());
        out[18..20].copy_from_slice(&247u16.to_le_bytes());
        out[20..24].copy_from_slice(&1u32.to_le_bytes());
        out[40..48].copy_from_slice(&headers_at.to_le_bytes());
        out[52..54].copy_from_slice(&64u16.to_le_bytes());
        out[58..60].copy_from_slice(&64u16.to_le_bytes());
        out[60..62].copy_from_slice(&(name_table + 1).to_le_bytes());
        out[62..64].copy_from_slice(&name_table.to_le_bytes());
        out
    }
}

pub(crate) const GLOBAL_FUNC: u8 = 0x12;
pub(crate) const LOCAL_FUNC: u8 = 0x02;
pub(crate) const GLOBAL_OBJECT: u8 = 0x11;

pub(crate) fn code(insns: &[Insn]) -> Vec<u8> {
    insns.iter().flat_map(|insn| insn.to_bytes()).collect()
}

/// A program with maps of both kinds, variables, a callee in another section, types, lines and a
/// CO-RE record for code that is not there.
pub(crate) fn hand_made() -> Vec<u8> {
    let mut elf = Elf::new();
    elf.section("license", PROGBITS, ALLOC, b"GPL\0".to_vec());
    elf.section(
        "version",
        PROGBITS,
        ALLOC,
        0x050a00u32.to_le_bytes().to_vec(),
    );
    let [map0, map1] = Insn::ld_imm64(1, 0, 0);
    let [var0, var1] = Insn::ld_imm64(2, 0, 4);
    let call = Insn::new(Insn::CALL, 0, 1, 0, -1);
    let main = [
        map0,
        map1,
        map0,
        map1,
        var0,
        var1,
        Insn::call(130),
        call,
        Insn::EXIT,
    ];
    let xdp = elf.section("xdp", PROGBITS, CODE, code(&main));
    let text = elf.section(
        ".text",
        PROGBITS,
        CODE,
        code(&[Insn::mov64_imm(0, 2), Insn::EXIT]),
    );
    let numbers: [u32; 7] = [1, 4, 8, 16, 0, 3, 1];
    let legacy = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let legacy = elf.section("maps", PROGBITS, ALLOC, legacy);
    let maps = elf.section(".maps", PROGBITS, ALLOC, vec![0; 32]);
    let rodata = elf.section(".rodata", PROGBITS, ALLOC, vec![7; 8]);
    let bss = elf.section(".bss", NOBITS, ALLOC, Vec::new());
    elf.resize(bss, 64);
    elf.section(".aya.log", PROGBITS, ALLOC, b"message".to_vec());

    let old = elf.symbol("OLD", GLOBAL_OBJECT, legacy, 0, 28);
    let new = elf.symbol("NEW", GLOBAL_OBJECT, maps, 0, 32);
    let data = elf.symbol("", 0x03, rodata, 0, 0);
    elf.symbol("LEVEL", GLOBAL_OBJECT, rodata, 4, 4);
    elf.symbol("LOST", GLOBAL_OBJECT, bss, 8, 8);
    let callee = elf.symbol("callee", LOCAL_FUNC, text, 0, 16);
    elf.symbol("main", GLOBAL_FUNC, xdp, 0, 8 * main.len() as u64);
    elf.relocations(
        xdp,
        &[(0, old, 1), (16, new, 1), (32, data, 1), (56, callee, 10)],
    );

    let (btf, ext) = types();
    elf.section(".BTF", PROGBITS, 0, btf.write(Endianness::Little).unwrap());
    elf.section(
        ".BTF.ext",
        PROGBITS,
        0,
        ext.write(Endianness::Little).unwrap(),
    );
    elf.write()
}

fn types() -> (Btf, BtfExt) {
    let mut btf = Btf::new();
    let name = btf.intern("int");
    let int = btf.add(
        name,
        Kind::Int {
            size: 4,
            encoding: IntEncoding::SIGNED,
            offset: 0,
            bits: 32,
        },
    );
    let number = |btf: &mut Btf, len| {
        let array = Array {
            elem: int,
            index: int,
            len,
        };
        let array = btf.add(Name::NONE, Kind::Array(array));
        btf.add(Name::NONE, Kind::Ptr(array))
    };
    let ring = number(&mut btf, 27);
    let entries = number(&mut btf, 4096);
    let key = btf.add(Name::NONE, Kind::Ptr(int));
    let member = |btf: &mut Btf, name: &str, ty: TypeId, at: u32| Member {
        name: btf.intern(name),
        ty,
        bit_offset: at * 64,
        bits: 0,
    };
    let members = vec![
        member(&mut btf, "type", ring, 0),
        member(&mut btf, "max_entries", entries, 1),
        member(&mut btf, "key", key, 2),
        member(&mut btf, "surprise", key, 3),
    ];
    let definition = btf.add(Name::NONE, Kind::Struct(Struct { size: 32, members }));
    let name = btf.intern("NEW");
    let linkage = VarLinkage::GLOBAL;
    let ty = btf.add(
        name,
        Kind::Var {
            ty: definition,
            linkage,
        },
    );
    let var = DatasecVar {
        ty,
        offset: 0,
        size: 32,
    };
    let name = btf.intern(".maps");
    let vars = vec![var];
    btf.add(name, Kind::Datasec { size: 0, vars });
    let params = Vec::new();
    let proto = btf.add(Name::NONE, Kind::FuncProto { ret: int, params });
    let mut func = |name: &str| {
        let name = btf.intern(name);
        let linkage = FuncLinkage::GLOBAL;
        btf.add(name, Kind::Func { proto, linkage })
    };
    let (main, callee) = (func("main"), func("callee"));
    let (xdp, text) = (btf.intern("xdp"), btf.intern(".text"));
    let (file, line, access) = (
        btf.intern("main.rs"),
        btf.intern("loop {}"),
        btf.intern("0:0"),
    );
    let at = |section, offset| SectionRecords {
        section,
        records: vec![LineInfo {
            offset,
            file,
            text: line,
            line: 3,
            column: 5,
        }],
    };
    let function = |section, ty| SectionRecords {
        section,
        records: vec![FuncInfo { offset: 0, ty }],
    };
    let ext = BtfExt {
        func_info: vec![function(xdp, main), function(text, callee)],
        line_info: vec![at(xdp, 16), at(text, 0)],
        core_relo: vec![SectionRecords {
            section: text,
            records: vec![CoreRelo {
                offset: 4096,
                ty: definition,
                access,
                kind: 0,
            }],
        }],
    };
    (btf, ext)
}
