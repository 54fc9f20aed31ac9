//! From a C struct to the fields of a Rust one: unions resolved, nested unnamed structs spread out.

use aya_obj::btf::{Btf, Kind, Member, TypeId};

use crate::error::{Context as _, Result};

/// A struct or union of the headers.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) btf: &'a Btf,
    pub(super) id: TypeId,
}

/// A field of the struct that comes out.
pub(super) struct Field {
    pub(super) offset: u32,
    pub(super) size: u32,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) zero: String,
    pub(super) doc: String,
    /// Single bits by name, where the header has a bit field.
    pub(super) bits: Vec<(String, u32)>,
    /// Other names for the same place.
    pub(super) others: Vec<String>,
    /// The member that this one was found in, for names that occur twice.
    parent: Option<String>,
}

impl<'a> Source<'a> {
    pub(super) fn find(btf: &'a Btf, name: &str) -> Result<Self> {
        let id = btf
            .find(name, |kind| {
                matches!(kind, Kind::Struct(_) | Kind::Union(_))
            })
            .ok_or_else(|| format!("the headers have no {name}"))?;
        Ok(Self { btf, id })
    }

    pub(super) fn resolved(&self, id: TypeId) -> Result<TypeId> {
        Ok(self
            .btf
            .resolve(id)
            .context("BTF")?
            .map_or(TypeId::VOID, |(id, _)| id))
    }

    pub(super) fn members(&self) -> Result<&'a [Member]> {
        match self.btf.get(self.id).map(|found| &found.kind) {
            Some(Kind::Struct(body) | Kind::Union(body)) => Ok(&body.members),
            _ => Err(format!(
                "{} is neither struct nor union",
                self.btf.type_name(self.id)
            )
            .into()),
        }
    }

    pub(super) fn size(&self, id: TypeId) -> Result<u32> {
        Ok(self.btf.size_of(id).context("BTF")?.unwrap_or(0))
    }

    fn is_union(&self, id: TypeId) -> bool {
        matches!(
            self.btf.get(id).map(|found| &found.kind),
            Some(Kind::Union(_))
        )
    }

    /// Whether the type's members become members of the struct that holds it.
    fn flattens(&self, id: TypeId) -> bool {
        match self.btf.get(id).map(|found| &found.kind) {
            Some(Kind::Union(_)) => true,
            Some(Kind::Struct(_)) => self.btf.type_name(id).is_empty(),
            _ => false,
        }
    }

    /// The name that a variant selects an alternative by.
    fn key(&self, member: &Member) -> Result<String> {
        let name = self.btf.name(member.name);
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
        let id = self.resolved(member.ty)?;
        let inner = Self { id, ..*self };
        match inner.members()?.first() {
            Some(first) => inner.key(first),
            None => Ok(String::new()),
        }
    }

    pub(super) fn fields(
        &self,
        base: u32,
        keys: &[&str],
        parent: Option<&str>,
    ) -> Result<Vec<Field>> {
        let members = self.members()?;
        let mut fields: Vec<Field> = Vec::new();
        if self.is_union(self.id) {
            let mut best: Option<(bool, u32, Vec<Field>)> = None;
            let mut names = Vec::new();
            for member in members {
                let wanted = keys.contains(&self.key(member)?.as_str());
                let found = self.member_fields(member, base, keys, parent)?;
                let size = found
                    .iter()
                    .map(|field| field.offset + field.size)
                    .max()
                    .unwrap_or(base)
                    - base;
                names.extend(found.iter().map(|field| field.name.clone()));
                let better = best
                    .as_ref()
                    .is_none_or(|(chosen, most, _)| (wanted, size) > (*chosen, *most));
                if better {
                    best = Some((wanted, size, found));
                }
            }
            let (wanted, _, mut chosen) = best.unwrap_or_default();
            if let Some(first) = chosen.first().map(|field| field.name.clone())
                && !wanted
            {
                names.retain(|name| !chosen.iter().any(|field| field.name == *name));
                if let Some(field) = chosen.iter_mut().find(|field| field.name == first) {
                    field.others.extend(names);
                }
            }
            return Ok(chosen);
        }
        for member in members {
            let found = self.member_fields(member, base, keys, parent)?;
            for mut field in found {
                let same_unit = fields.last_mut().filter(|last| {
                    !field.bits.is_empty() && last.offset == field.offset && !last.bits.is_empty()
                });
                match same_unit {
                    Some(last) => last.bits.append(&mut field.bits),
                    None => fields.push(field),
                }
            }
        }
        Ok(fields)
    }

    fn member_fields(
        &self,
        member: &Member,
        base: u32,
        keys: &[&str],
        parent: Option<&str>,
    ) -> Result<Vec<Field>> {
        let name = self.btf.name(member.name);
        let id = self.resolved(member.ty)?;
        if self.flattens(id) {
            let inner = Self { id, ..*self };
            let parent = Some(name).filter(|name| !name.is_empty()).or(parent);
            return inner.fields(base + member.bit_offset / 8, keys, parent);
        }
        let size = self.size(id)?;
        if member.bits > 0 {
            let unit = member.bit_offset / (size * 8) * size;
            let bit = member.bit_offset % (size * 8);
            return Ok(vec![Field {
                offset: base + unit,
                size,
                name: name.to_owned(),
                kind: self.rust_type(id)?,
                zero: "0".to_owned(),
                doc: format!("`{name}`: {} bits from bit {bit}.", member.bits),
                bits: vec![(name.to_owned(), bit)],
                others: Vec::new(),
                parent: parent.map(str::to_owned),
            }]);
        }
        let offset = base + member.bit_offset / 8;
        Ok(vec![Field {
            offset,
            size,
            name: name.to_owned(),
            kind: self.rust_type(id)?,
            zero: self.zero(id)?,
            doc: format!(
                "`{name}`, {size} byte{} at {offset}.",
                if size == 1 { "" } else { "s" }
            ),
            bits: Vec::new(),
            others: Vec::new(),
            parent: parent.map(str::to_owned),
        }])
    }

    fn rust_type(&self, id: TypeId) -> Result<String> {
        let Some((id, found)) = self.btf.resolve(id).context("BTF")? else {
            return Ok("c_void".to_owned());
        };
        Ok(match &found.kind {
            Kind::Int { size, encoding, .. } => {
                let signed = encoding.is_signed() && self.btf.name(found.name) != "char";
                format!("{}{}", if signed { 'i' } else { 'u' }, size * 8)
            }
            Kind::Enum(body) => format!("u{}", body.size * 8),
            Kind::Ptr(to) => format!("*mut {}", self.rust_type(*to)?),
            Kind::Array(array) => format!("[{}; {}]", self.rust_type(array.elem)?, array.len),
            Kind::Struct(_) | Kind::Fwd { .. } => self.btf.type_name(id).to_owned(),
            other => return Err(format!("no Rust type for {other:?}").into()),
        })
    }

    fn zero(&self, id: TypeId) -> Result<String> {
        let Some((id, found)) = self.btf.resolve(id).context("BTF")? else {
            return Err("a member of type void".into());
        };
        Ok(match &found.kind {
            Kind::Ptr(_) => "core::ptr::null_mut()".to_owned(),
            Kind::Array(array) => format!("[{}; {}]", self.zero(array.elem)?, array.len),
            Kind::Struct(_) => format!("{}::ZEROED", self.btf.type_name(id)),
            _ => "0".to_owned(),
        })
    }
}

/// Makes field names legal and unique.
pub(super) fn rename(fields: &mut [Field]) {
    for field in &mut *fields {
        if field.bits.len() > 1 {
            field.name = "bits".to_owned();
            field.doc = "Bit field, see the constants.".to_owned();
        }
    }
    for index in 0..fields.len() {
        let (before, rest) = fields.split_at_mut(index);
        let Some(field) = rest.first_mut() else {
            continue;
        };
        if before.iter().any(|other| other.name == field.name) {
            let prefix = field
                .parent
                .clone()
                .unwrap_or_else(|| format!("at{}", field.offset));
            field.name = format!("{prefix}_{}", field.name);
        }
    }
    for field in fields {
        if ["type", "in", "ref", "match", "mod"].contains(&field.name.as_str()) {
            field.name.push('_');
        }
    }
}

/// Alignment of a Rust type of which only integers, pointers, arrays and structs occur.
pub(super) fn alignment(kind: &str) -> u32 {
    let element = kind
        .trim_start_matches('[')
        .split(';')
        .next()
        .unwrap_or(kind);
    match element.trim() {
        "u8" | "i8" => 1,
        "u16" | "i16" => 2,
        "u32" | "i32" => 4,
        _ => 8,
    }
}
