//! Where in a file the types are.

use object::{
    Endianness,
    read::{Object as _, ObjectSection as _, elf::ElfFile64},
};

/// The types in a file's bytes: all of them, or the section `.BTF` of an ELF file of whatever machine.
/// `None` for an ELF file without that section.
pub fn section(file: &[u8]) -> Option<&[u8]> {
    if !file.starts_with(b"\x7fELF") {
        return Some(file);
    }
    let file = ElfFile64::<Endianness>::parse(file).ok()?;
    file.section_by_name(".BTF")?.data().ok()
}
