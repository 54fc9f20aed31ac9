//! Objects made piece by piece, without a compiler.

use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
    write::{Object, Symbol, SymbolSection},
};

/// An object in the making.
pub(crate) struct Builder(Object<'static>);

impl Builder {
    pub(crate) fn new(architecture: Architecture, endianness: Endianness) -> Self {
        let object = Object::new(BinaryFormat::Elf, architecture, endianness);
        Self(object).section(
            "license",
            SectionKind::Data,
            "LICENSE",
            SymbolKind::Data,
            b"GPL\0",
        )
    }

    /// With one program `pass` in the section `xdp`, which returns XDP_PASS.
    pub(crate) fn xdp() -> Self {
        Self::new(Architecture::Bpf, Endianness::default()).program("xdp", "pass")
    }

    pub(crate) fn program(self, section: &str, name: &str) -> Self {
        // r0 = 2; exit
        let code = [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        self.section(section, SectionKind::Text, name, SymbolKind::Text, &code)
    }

    /// A map as early objects define it: type, sizes of key and value, entries, flags.
    pub(crate) fn map(self, name: &str, definition: [u32; 5]) -> Self {
        let bytes: Vec<u8> = definition.into_iter().flat_map(u32::to_ne_bytes).collect();
        self.section("maps", SectionKind::Data, name, SymbolKind::Data, &bytes)
    }

    pub(crate) fn section(
        mut self,
        section: &str,
        section_kind: SectionKind,
        symbol: &str,
        kind: SymbolKind,
        data: &[u8],
    ) -> Self {
        let id = self.0.add_section(Vec::new(), section.into(), section_kind);
        let value = self.0.append_section_data(id, data, 8);
        self.0.add_symbol(Symbol {
            name: symbol.into(),
            value,
            size: data.len() as u64,
            kind,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(id),
            flags: SymbolFlags::None,
        });
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.write().expect("the object is complete")
    }
}
