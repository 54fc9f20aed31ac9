//! Declarations.

use std::fmt::Write as _;

use aya_obj::btf::{BtfError, Enum, Kind, Struct};

use super::{
    layout::{BitField, Field, Placed},
    names::{Scope, identifier},
    types::{Item, Place, Types, is_tagged, number},
};

/// Writes the declaration of a type.
pub(super) fn write(types: &mut Types<'_>, item: &Item, out: &mut String) -> Result<(), BtfError> {
    let before = out.len();
    let mut place = Place::new(&item.name);
    let mut id = item.id;
    // `typedef struct { … } name` is a struct of that name.
    if let Some(Kind::Typedef(to)) = types.btf.get(id).map(|ty| &ty.kind) {
        match types.btf.get(*to) {
            Some(ty) if is_tagged(&ty.kind) && ty.name.is_none() => id = *to,
            _ => {
                let target = types.write(*to, &mut place)?;
                let _ = writeln!(out, "pub type {} = {target};", item.name);
            }
        }
    }
    match types.btf.get(id).map(|ty| &ty.kind) {
        Some(Kind::Struct(body)) => composite(types, &mut place, &item.name, body, false, out)?,
        Some(Kind::Union(body)) => composite(types, &mut place, &item.name, body, true, out)?,
        Some(Kind::Enum(body) | Kind::Enum64(body)) => enumeration(types, &item.name, body, out),
        Some(Kind::Fwd { .. }) => opaque(&item.name, "_unused", 0, out),
        _ => {}
    }
    types.leave(place);
    types.budget.spend(out.len() - before)
}

/// A type of which only the number of bytes is known.
fn opaque(name: &str, field: &str, bytes: u64, out: &mut String) {
    let _ = writeln!(
        out,
        "#[repr(C)]\npub struct {name} {{\n    {field}: [u8; {bytes}],\n}}\n__kernel_type!({name} {bytes});"
    );
}

fn enumeration(types: &mut Types<'_>, name: &str, body: &Enum, out: &mut String) {
    // Kernels before 6.0 do not tell whether there is a sign: theirs have none.
    let signed = body.signed;
    let _ = writeln!(out, "pub type {name} = {};", number(body.size, signed));
    if !matches!(body.size, 1 | 2 | 4 | 8) {
        return;
    }
    let bits = body.size * 8;
    for value in &body.values {
        let constant = identifier(types.btf.name(value.name));
        let constant = types.constants.claim(constant);
        let _ = match signed {
            true => writeln!(out, "pub const {constant}: {name} = {};", value.value),
            false => {
                let number = value.value.cast_unsigned() & (u64::MAX >> (64 - bits));
                writeln!(out, "pub const {constant}: {name} = {number};")
            }
        };
    }
}

/// What is said about a struct or union beside its fields.
#[derive(Default)]
struct Parts {
    fields: String,
    /// `field offset` pairs for the check of the layout.
    offsets: Vec<(String, u64)>,
    methods: String,
}

fn composite(
    types: &mut Types<'_>,
    place: &mut Place<'_>,
    name: &str,
    body: &Struct,
    is_union: bool,
    out: &mut String,
) -> Result<(), BtfError> {
    let layout = types.layouts.layout(body, is_union)?;
    let Some(fields) = layout.fields else {
        opaque(name, "_opaque", layout.tail, out);
        return Ok(());
    };
    let mut parts = Parts::default();
    let mut writer = Fields {
        types,
        place,
        names: Scope::default(),
        methods: Scope::default(),
        is_union,
        paddings: 0,
        unnamed: 0,
        units: 0,
        parts: &mut parts,
    };
    for field in &fields {
        writer.field(field)?;
    }
    writer.padding(layout.tail);
    if is_union && parts.fields.is_empty() {
        // Rust has no union without fields.
        parts.fields += "    _unused: [u8; 0],\n";
    }
    let packed = match layout.packed {
        None => String::new(),
        Some(1) => ", packed".to_owned(),
        Some(limit) => format!(", packed({limit})"),
    };
    let keyword = if is_union { "union" } else { "struct" };
    let Parts {
        fields,
        offsets,
        methods,
    } = parts;
    let _ = write!(
        out,
        "#[repr(C{packed})]\npub {keyword} {name} {{\n{fields}}}\n"
    );
    if !methods.is_empty() {
        let _ = write!(out, "impl {name} {{\n{methods}}}\n");
    }
    let _ = write!(out, "__kernel_type!({name} {}", body.size);
    // A union's fields all begin at its beginning.
    for (field, offset) in offsets.iter().filter(|_| !is_union) {
        let _ = write!(out, " {field} {offset}");
    }
    out.push_str(");\n");
    Ok(())
}

/// Writes the fields of a struct or union.
struct Fields<'f, 'a, 'n> {
    types: &'f mut Types<'a>,
    place: &'f mut Place<'n>,
    names: Scope,
    methods: Scope,
    is_union: bool,
    paddings: u32,
    unnamed: u32,
    units: u32,
    parts: &'f mut Parts,
}

impl Fields<'_, '_, '_> {
    fn padding(&mut self, bytes: u64) {
        if bytes > 0 {
            self.paddings += 1;
            let name = format!("__bindgen_padding_{}", self.paddings);
            let _ = writeln!(self.parts.fields, "    pub {name}: [u8; {bytes}],");
        }
    }

    fn field(&mut self, placed: &Placed) -> Result<(), BtfError> {
        self.padding(placed.padding);
        let (name, ty) = match &placed.field {
            Field::Member(member) => {
                let ty = self.types.write(member.ty, self.place)?;
                let name = match self.types.btf.name(member.name) {
                    "" => {
                        self.unnamed += 1;
                        format!("__bindgen_anon_{}", self.unnamed)
                    }
                    name => identifier(name),
                };
                (name, ty)
            }
            Field::Bits { fields, align } => {
                self.units += 1;
                let unit = format!("_bitfield_{}", self.units);
                if *align > 1 {
                    let _ = writeln!(
                        self.parts.fields,
                        "    pub _bitfield_align_{}: [u{}; 0],",
                        self.units,
                        align * 8
                    );
                }
                self.accessors(&unit, placed.size.bytes, fields)?;
                let ty = format!("__BindgenBitfieldUnit<[u8; {}]>", placed.size.bytes);
                (unit, ty)
            }
        };
        let name = self.names.claim(name);
        let _ = writeln!(self.parts.fields, "    pub {name}: {ty},");
        self.parts.offsets.push((name, placed.offset));
        Ok(())
    }

    /// `name`, `set_name` for each bit field, and `new_bitfield_1` for all of a unit.
    fn accessors(&mut self, unit: &str, bytes: u64, fields: &[BitField]) -> Result<(), BtfError> {
        let (mut params, mut calls) = (String::new(), String::new());
        // A union's fields are all that it has, so nothing can be read that was not written as bytes.
        let (open, close) = match self.is_union {
            true => ("unsafe { ", " }"),
            false => ("", ""),
        };
        for BitField { member, bit, width } in fields {
            let name = self.types.btf.name(member.name);
            let value = self.types.btf.resolve(member.ty)?.map(|(_, ty)| &ty.kind);
            let (get, is_bool) = match value {
                _ if *width > 64 || name.is_empty() => continue,
                Some(Kind::Int { encoding, .. }) if encoding.is_signed() => ("get_signed", false),
                Some(Kind::Int { size, encoding, .. }) => {
                    ("get", *size == 1 && encoding.0 & 4 != 0)
                }
                Some(Kind::Enum(body) | Kind::Enum64(body)) if body.signed => ("get_signed", false),
                Some(Kind::Enum(_) | Kind::Enum64(_)) => ("get", false),
                _ => continue,
            };
            let ty = self.types.write(member.ty, self.place)?;
            let name = self.methods.claim(identifier(name));
            let setter = self.methods.claim(format!("set_{name}"));
            let convert = match is_bool {
                true => " != 0".to_owned(),
                false => format!(" as {ty}"),
            };
            let _ = write!(
                self.parts.methods,
                "    #[inline]
    pub fn {name}(&self) -> {ty} {{
        {open}self.{unit}.{get}({bit}, {width}){convert}{close}
    }}
    #[inline]
    pub fn {setter}(&mut self, value_{name}: {ty}) {{
        {open}self.{unit}.set({bit}, {width}, value_{name} as u64){close}
    }}
"
            );
            let _ = write!(
                params,
                "{}value_{name}: {ty}",
                if params.is_empty() { "" } else { ", " }
            );
            let _ = write!(
                calls,
                "\n            .with({bit}, {width}, value_{name} as u64)"
            );
        }
        if !params.is_empty() {
            let constructor = self.methods.claim(format!("new{unit}"));
            let _ = write!(
                self.parts.methods,
                "    #[inline]
    pub fn {constructor}({params}) -> __BindgenBitfieldUnit<[u8; {bytes}]> {{
        __BindgenBitfieldUnit::new([0; {bytes}]){calls}
    }}
"
            );
        }
        Ok(())
    }
}
