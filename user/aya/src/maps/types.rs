//! Types for maps that the kernel demands types of, where nobody has described them.

use std::os::fd::OwnedFd;

use aya_obj::btf::{Array, Btf, IntEncoding, Kind, Name, TypeId};
use aya_sys::{Error, bpf};

use crate::btf::HOST;

/// `int`, which the keys of such maps are: descriptors.
pub(crate) const INT: TypeId = TypeId(1);

/// Loads types: `int`, and that of values of `size` bytes, whose number is returned.
pub(crate) fn plain(size: u32) -> Result<(OwnedFd, TypeId), Error> {
    let mut types = Btf::new();
    let index = integer(&mut types, "int", 4, IntEncoding::SIGNED);
    let value = match size {
        4 => index,
        len => {
            let elem = integer(&mut types, "unsigned char", 1, IntEncoding::UNSIGNED);
            types.add(Name::NONE, Kind::Array(Array { elem, index, len }))
        }
    };
    // What is made here is far from the limits of the format.
    let data = types.write(HOST).unwrap_or_default();
    Ok((bpf::btf_load(&data, None)?, value))
}

fn integer(types: &mut Btf, name: &str, size: u8, encoding: IntEncoding) -> TypeId {
    let name = types.intern(name);
    let int = Kind::Int {
        size: size.into(),
        encoding,
        offset: 0,
        bits: 8 * size,
    };
    types.add(name, int)
}
