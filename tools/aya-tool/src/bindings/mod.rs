//! Types of BTF as Rust source.
//!
//! | file | what |
//! | --- | --- |
//! | `names` | names of C as names of Rust |
//! | `layout` | where the members of a struct lie: offsets, padding, bit fields, packing |
//! | `types` | how a type is written where it is used; which types are to be declared |
//! | `items` | declarations |
//! | `support.rs` | what the declarations are written with, part of each output |
//!
//! A declaration that mentions a named type puts that on a list, and the list is worked off until
//! nothing is left: what comes out is what the asked-for types reach, in the order in which they reach
//! it. Types without a name are declared anew in each place, as in C, though BTF may have them once.

mod items;
mod layout;
mod names;
mod types;

use std::collections::HashMap;

use aya_obj::{
    btf::{Btf, BtfError, Kind, TypeId},
    similar::similar,
};

use crate::Error;
use types::Types;

/// What every output begins with, after its first line.
const SUPPORT: &str = include_str!("support.rs");

/// Rust declarations of the types with these names, and of all that they reach, also through
/// pointers.
///
/// A name is that of a `struct`, `union` or `enum`, or else of a `typedef`. The same types give the
/// same text. [`generate`](crate::generate()) describes it, and reads the types from a file.
///
/// # Errors
///
/// [`Error::NoNames`] without names, [`Error::Unknown`] when a name is no type's,
/// [`Error::Malformed`] when the types contradict themselves.
///
/// ```
/// use aya_obj::btf::{Btf, IntEncoding, Kind, TypeId};
///
/// let mut btf = Btf::new();
/// let name = btf.intern("pid_t");
/// let int = btf.intern("int");
/// btf.add(int, Kind::Int { size: 4, encoding: IntEncoding::SIGNED, offset: 0, bits: 32 });
/// btf.add(name, Kind::Typedef(TypeId(1)));
/// let text = aya_tool::from_btf(&btf, &["pid_t"])?;
/// assert!(text.contains("pub type pid_t = i32;"));
/// # Ok::<(), aya_tool::Error>(())
/// ```
pub fn from_btf(btf: &Btf, names: &[impl AsRef<str>]) -> Result<String, Error> {
    if names.is_empty() {
        return Err(Error::NoNames);
    }
    let found = find(btf, names)?;
    let mut types = Types::new(btf);
    for id in found {
        types.declare(id)?;
    }
    let shown: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let shown = shown.join(" ").replace(char::is_control, "");
    let mut out = format!("// `aya-tool generate {shown}`: made from BTF, not to be edited.\n\n");
    out += SUPPORT;
    while let Some(item) = types.next() {
        items::write(&mut types, &item, &mut out)?;
    }
    Ok(out)
}

/// How well a kind fits a name that may be that of several types; less is better.
fn rank(kind: &Kind) -> Option<u8> {
    match kind {
        Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) | Kind::Enum64(_) => Some(0),
        Kind::Typedef(_) => Some(1),
        Kind::Fwd { .. } => Some(2),
        _ => None,
    }
}

/// The types with these names, in the same order.
fn find(btf: &Btf, names: &[impl AsRef<str>]) -> Result<Vec<TypeId>, Error> {
    let mut found: HashMap<&str, Option<(u8, TypeId)>> =
        names.iter().map(|name| (name.as_ref(), None)).collect();
    for (id, ty) in btf.iter() {
        let Some(rank) = rank(&ty.kind) else { continue };
        if let Some(best) = found.get_mut(btf.name(ty.name))
            && best.is_none_or(|(other, _)| rank < other)
        {
            *best = Some((rank, id));
        }
    }
    let id_of = |name: &str| match found.get(name).copied().flatten() {
        Some((_, id)) if !name.is_empty() => Ok(id),
        _ => Err(Error::Unknown {
            name: name.to_owned(),
            similar: close_names(btf, name),
        }),
    };
    names.iter().map(|name| id_of(name.as_ref())).collect()
}

fn close_names(btf: &Btf, name: &str) -> Vec<String> {
    let names = btf
        .iter()
        .filter(|(_, ty)| rank(&ty.kind).is_some())
        .map(|(_, ty)| btf.name(ty.name));
    similar(name, names)
}

/// Limits the length of the output, so that a few types that mention one another many times do not
/// make an endless text of it.
#[derive(Debug)]
struct Budget(usize);

impl Budget {
    /// Ample for any compiler's types: what a struct becomes is some tens of bytes for each member.
    fn new(btf: &Btf) -> Self {
        let mut parts = 0usize;
        for (_, ty) in btf.iter() {
            parts += 1;
            ty.visit(|_| parts += 1, |_| {});
        }
        Self(parts * 64 + btf.strings().len() * 4 + (1 << 16))
    }

    fn spend(&mut self, amount: usize) -> Result<(), BtfError> {
        let what = "text for these types is";
        self.0 = self
            .0
            .checked_sub(amount)
            .ok_or(BtfError::TooLarge { what })?;
        Ok(())
    }
}
