//! The types of a kernel that is not running: its image holds them, compressed
//! (kernel documentation, `arch/x86/boot`).

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use object::{Object as _, ObjectSection as _};

use crate::{
    error::{Context as _, Error, Result},
    process,
};

/// Where a boot sector says how many more sectors of setup code follow it.
const SETUP_SECTORS: usize = 0x1f1;
/// Where it says how far behind these the compressed kernel lies, and how long it is.
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;
/// Behind the compressed kernel stands its length when unpacked, which counts as part of it.
const LENGTH: usize = 4;

/// The section `.BTF` of a bootable image. The compressed kernel goes through a file in `scratch`.
pub(super) fn btf(image: &Path, scratch: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(image).context(image.display())?;
    let payload =
        payload(&bytes).ok_or_else(|| Error::new(format!("{}: no bzImage", image.display())))?;
    let form = if payload.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        "zst"
    } else if payload.starts_with(b"\xfd7zXZ") {
        "xz"
    } else {
        return Err(format!("{}: compressed in an unknown way", image.display()).into());
    };
    let packed = scratch.join("payload");
    fs::write(&packed, payload).context(packed.display())?;
    let kernel = decompress(form, &packed);
    fs::remove_file(&packed).context(packed.display())?;
    let kernel = kernel?;
    let file = object::File::parse(kernel.as_slice()).context(image.display())?;
    let section = file
        .section_by_name(".BTF")
        .ok_or_else(|| Error::new(format!("{}: no section .BTF", image.display())))?;
    Ok(section.data().context(image.display())?.to_vec())
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let setup = (usize::from(*image.get(SETUP_SECTORS)?) + 1) * SECTOR;
    let start = setup + number(PAYLOAD_OFFSET)?;
    image.get(start..(start + number(PAYLOAD_LENGTH)?).checked_sub(LENGTH)?)
}

/// Unpacks a file with the machine's tool for its form, named by the usual ending.
pub(super) fn decompress(form: &str, path: &Path) -> Result<Vec<u8>> {
    const WHY: &str = "to unpack kernels and their modules";
    let tool = match form {
        "xz" => process::need("xz", "xz-utils", WHY)?,
        "zst" => process::need("zstd", "zstd", WHY)?,
        _ => return Err(format!("{}: no way to unpack `{form}`", path.display()).into()),
    };
    let output = Command::new(tool)
        .arg("-dc")
        .stdin(File::open(path).context(path.display())?)
        .output()
        .context(path.display())?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {said}", path.display()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_where_the_boot_sector_says() {
        let mut image = vec![0; 3 * SECTOR];
        image[SETUP_SECTORS] = 1;
        image[PAYLOAD_OFFSET] = 8;
        image[PAYLOAD_LENGTH] = 9;
        image[2 * SECTOR + 8..2 * SECTOR + 17].copy_from_slice(b"hello1234");
        assert_eq!(payload(&image), Some(&b"hello"[..]));
        image[PAYLOAD_LENGTH + 3] = 1;
        assert_eq!(payload(&image), None);
        assert_eq!(payload(&image[..100]), None);
    }
}
